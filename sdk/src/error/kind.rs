//! The kinds of errors.

use std::fmt;

use http::StatusCode;

/// The category of an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 400: the service rejected the request, or the content of an item in it.
    BadRequest,
    /// 401: the token is missing, wrong or revoked.
    Unauthorized,
    /// 403: the token is valid and lacks a permission, usually the scope `cms:write`. The status is not documented for
    /// this endpoint, but was observed. A 403 with a web page as its body says nothing about the token, see
    /// [`Error::is_from_intermediary`](crate::Error::is_from_intermediary).
    Forbidden,
    /// 404: the collection, or an item or locale variant in the request, does not exist.
    NotFound,
    /// 409: the request conflicts with the state of the site. The status is documented for neighbouring endpoints.
    Conflict,
    /// 413: the request has more bytes than the service accepts. No limit is documented.
    PayloadTooLarge,
    /// 429: the token has no requests left in the current window of the rate limit.
    TooManyRequests,
    /// 500 to 599: the service failed.
    ServerError,
    /// Any other status than 200, including redirects, which are never followed, and other 2xx.
    UnexpectedStatus,
    /// Status 200 with an invalid body: not JSON, of an undocumented shape, or larger than
    /// [`max_response_bytes`](crate::ClientBuilder::max_response_bytes).
    InvalidResponse,
    /// No connection was established, so nothing was sent.
    Connect,
    /// The certificate of the server, or of a proxy in front of it, is invalid, so nothing was sent. The feature
    /// `native-tls` does not distinguish it and reports [`Connect`](Self::Connect).
    InvalidCertificate,
    /// The attempt timed out after the request may have been sent.
    Timeout,
    /// The connection was reset or closed before the response was complete.
    ConnectionClosed,
    /// Any other failure of the transport, such as a response that is not HTTP.
    Transport,
    /// The request was not sent, because it had to wait beyond the operation timeout, or longer than
    /// [`RetryPolicy::max_retry_after`](crate::RetryPolicy::max_retry_after).
    /// [`Error::retry_stopped`](crate::Error::retry_stopped) says which limit it was, and
    /// [`Error::retry_after`](crate::Error::retry_after) returns the wait that the service requested.
    NotSent,
    /// The journal of a bulk run cannot be used. The source is a [`JournalError`](crate::bulk::JournalError).
    Journal,
    /// The client rejected the input before anything was sent.
    /// [`Error::invalid_input`](crate::Error::invalid_input) returns the details.
    InvalidInput,
}

impl ErrorKind {
    /// Returns the kind in lower case with underscores, such as `connection_closed`.
    ///
    /// The name is stable. Traces, journals and dead letters contain it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::PayloadTooLarge => "payload_too_large",
            Self::TooManyRequests => "too_many_requests",
            Self::ServerError => "server_error",
            Self::UnexpectedStatus => "unexpected_status",
            Self::InvalidResponse => "invalid_response",
            Self::Connect => "connect",
            Self::InvalidCertificate => "invalid_certificate",
            Self::Timeout => "timeout",
            Self::ConnectionClosed => "connection_closed",
            Self::Transport => "transport",
            Self::NotSent => "not_sent",
            Self::Journal => "journal",
            Self::InvalidInput => "invalid_input",
        }
    }

    /// Returns the text of the kind.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::BadRequest => "the request was rejected",
            Self::Unauthorized => "the token is missing or invalid",
            Self::Forbidden => "the token lacks the permission",
            Self::NotFound => "not found",
            Self::Conflict => "the request conflicts with the state of the site",
            Self::PayloadTooLarge => "the request is too large",
            Self::TooManyRequests => "too many requests",
            Self::ServerError => "the service failed",
            Self::UnexpectedStatus => "unexpected status",
            Self::InvalidResponse => "the response is invalid",
            Self::Connect => "no connection to the service",
            Self::InvalidCertificate => "the certificate of the service is not trusted",
            Self::Timeout => "the request timed out",
            Self::ConnectionClosed => "the connection was closed before the response was complete",
            Self::Transport => "the transport failed",
            Self::NotSent => "the request was not sent",
            Self::Journal => "the journal cannot be used",
            Self::InvalidInput => "the input is invalid",
        }
    }

    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            413 => Self::PayloadTooLarge,
            429 => Self::TooManyRequests,
            500..=599 => Self::ServerError,
            _ => Self::UnexpectedStatus,
        }
    }

    /// Returns `true` if the service may have changed an item.
    pub(crate) fn may_have_acted(self, status: Option<StatusCode>) -> bool {
        match self {
            Self::BadRequest
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::PayloadTooLarge
            | Self::TooManyRequests
            | Self::Connect
            | Self::InvalidCertificate
            | Self::NotSent
            | Self::Journal
            | Self::InvalidInput => false,
            Self::UnexpectedStatus => !status.is_some_and(|status| {
                status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
            }),
            Self::ServerError => status != Some(StatusCode::NOT_IMPLEMENTED),
            Self::InvalidResponse | Self::Timeout | Self::ConnectionClosed | Self::Transport => {
                true
            }
        }
    }

    /// Returns `true` if the same request may succeed later.
    pub(crate) fn is_retryable(self, status: Option<StatusCode>) -> bool {
        match self {
            Self::TooManyRequests | Self::Connect | Self::NotSent => true,
            // With status 200 the service has accepted the request, so a retry would repeat it.
            Self::Timeout | Self::ConnectionClosed => {
                !status.is_some_and(|status| status.is_success())
            }
            Self::ServerError => !matches!(
                status,
                Some(StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED)
            ),
            Self::UnexpectedStatus => status == Some(StatusCode::REQUEST_TIMEOUT),
            Self::BadRequest
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::PayloadTooLarge
            | Self::InvalidResponse
            | Self::InvalidCertificate
            | Self::Transport
            | Self::Journal
            | Self::InvalidInput => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.description())
    }
}
