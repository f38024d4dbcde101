//! What kinds of errors there are.

use std::fmt;

use http::StatusCode;

/// What went wrong, in the terms in which a caller decides what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// 400: the request, or the content of some item in it, was refused.
    BadRequest,
    /// 401: the token is missing, wrong or revoked.
    Unauthorized,
    /// 403: the token is known and lacks the right, usually the scope `cms:write`. Not documented for this endpoint,
    /// but observed. With a web page as its body it says nothing of the token:
    /// [`Error::is_from_intermediary`](crate::Error::is_from_intermediary).
    Forbidden,
    /// 404: the collection, or an item or locale variant in the request, does not exist.
    NotFound,
    /// 409: the request contradicts the state of the site. Documented for neighbouring endpoints.
    Conflict,
    /// 413: the request has more bytes than the service takes. No limit is documented.
    PayloadTooLarge,
    /// 429: the token has used up its requests of the current minute.
    TooManyRequests,
    /// 500 to 599: the service failed.
    ServerError,
    /// Any other status that is not the documented answer; redirects, which are never followed, and other 2xx
    /// included.
    UnexpectedStatus,
    /// The documented status came with a body that is no answer: not JSON, of another shape, or larger than the bound.
    InvalidResponse,
    /// No connection came about, so nothing was sent.
    Connect,
    /// The certificate of the server, or of whoever stands before it, is not trusted, so nothing was sent. With the
    /// feature `native-tls`, which does not tell it from other faults, it is [`Connect`](Self::Connect).
    InvalidCertificate,
    /// The time for the request ran out after it may have been sent.
    Timeout,
    /// The connection was reset or closed before the answer was complete.
    ConnectionClosed,
    /// Any other fault of the transport, such as an answer that is not HTTP.
    Transport,
    /// The request was not sent: its turn would have come only after the deadline of the call, or after a longer wait
    /// than the policy grants. [`Error::retry_stopped`](crate::Error::retry_stopped) says which, and
    /// [`Error::retry_after`](crate::Error::retry_after) how long the service has asked to wait.
    NotSent,
    /// The journal of a bulk run cannot be used; a [`JournalError`](crate::bulk::JournalError) is the source.
    Journal,
    /// The input was refused before anything was sent; [`Error::invalid_input`](crate::Error::invalid_input) says what
    /// and where.
    InvalidInput,
}

impl ErrorKind {
    /// The kind in lower case with underscores, such as `connection_closed`. It is stable, and the name that traces,
    /// journals and dead letters have.
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

    /// The kind in words.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::BadRequest => "the request was refused",
            Self::Unauthorized => "the token was not accepted",
            Self::Forbidden => "the token lacks the right",
            Self::NotFound => "not found",
            Self::Conflict => "the request contradicts the state of the site",
            Self::PayloadTooLarge => "the request is too large",
            Self::TooManyRequests => "too many requests",
            Self::ServerError => "the service failed",
            Self::UnexpectedStatus => "an undocumented status",
            Self::InvalidResponse => "the response is invalid",
            Self::Connect => "no connection to the service",
            Self::InvalidCertificate => "the certificate of the service is not trusted",
            Self::Timeout => "the request timed out",
            Self::ConnectionClosed => "the connection was closed before the response was complete",
            Self::Transport => "the transport failed",
            Self::NotSent => "the request was not sent",
            Self::Journal => "the journal cannot be used",
            Self::InvalidInput => "the input was refused",
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

    /// Whether the service may have changed an item, given the status where there is one.
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

    /// Whether the same request may succeed at another time.
    pub(crate) fn is_retryable(self, status: Option<StatusCode>) -> bool {
        match self {
            Self::TooManyRequests | Self::Connect | Self::NotSent => true,
            // With a status of success the service has accepted the request, and would do it all again.
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
