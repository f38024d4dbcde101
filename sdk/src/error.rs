//! The error of every call: kind, status, details and attempts.
//!
//! [`Error`] is the only error type that calls return. [`ErrorKind`] classifies it, [`InvalidInput`] describes input
//! that the client rejected, and [`RetryStopped`] gives the reason why a call was not retried.

mod attempts;
mod detail;
mod display;
mod input;
mod journal;
mod kind;
mod printable;
mod response;
mod retry_stopped;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub(crate) use self::attempts::Attempts;
pub use self::attempts::FailedAttempt;
pub use self::detail::ErrorDetail;
pub(crate) use self::detail::inside_message;
pub use self::input::InvalidInput;
pub(crate) use self::journal::{FORMAT as JOURNAL_FORMAT, Failure as JournalFailure};
pub use self::journal::{JournalError, JournalErrorKind};
pub use self::kind::ErrorKind;
pub(crate) use self::printable::Printable;
pub(crate) use self::response::{BodyForm, ErrorResponse};
pub use self::retry_stopped::RetryStopped;
use crate::id::ParseIdError;

/// The error of a call, one word wide.
///
/// Three accessors decide what to do next:
///
/// - [`kind`](Self::kind): the category of the failure.
/// - [`may_have_acted`](Self::may_have_acted): whether items may have changed although the call failed.
/// - [`is_retryable`](Self::is_retryable): whether the same request may succeed later.
///
/// ```
/// use webflow_cms::error::InvalidInput;
/// use webflow_cms::{Error, ErrorKind, ItemId};
///
/// let error = Error::from(ItemId::new("a/b").unwrap_err());
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(!error.may_have_acted());
/// assert!(matches!(error.invalid_input(), Some(InvalidInput::Id(_))));
/// assert_eq!(error.to_string(), r#"item id "a/b" is not 24 hexadecimal digits"#);
/// ```
///
/// `Display` is a summary on one line. `{:?}` adds the causes to it, which is what `main` prints for an error that it
/// returns. `{:#?}` lists the fields. None of them contains a secret (see [`Token`](crate::Token)) or a character that
/// controls a terminal.
///
/// A clone is cheap: it shares the response with the original.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    response: Option<Arc<ErrorResponse>>,
    /// A value that a higher layer attached, for an accessor of its own.
    attachment: Option<Arc<dyn Any + Send + Sync>>,
    reason: Option<Arc<str>>,
    source: Option<Source>,
    attempts: Attempts,
    retry_stopped: Option<RetryStopped>,
    /// The limit that stopped the retries.
    time_limit: Option<Duration>,
    /// What remained of a requested wait when a request was not sent.
    pause: Option<Duration>,
}

#[derive(Clone)]
enum Source {
    Input(InvalidInput),
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            response: None,
            attachment: None,
            reason: None,
            source: None,
            attempts: Attempts::default(),
            retry_stopped: None,
            time_limit: None,
            pause: None,
        }))
    }

    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    pub(crate) fn with_response(mut self, response: ErrorResponse) -> Self {
        self.inner().response = Some(Arc::new(response));
        self
    }

    pub(crate) fn with_reason(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.inner().reason = Some(reason.into());
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.inner().source = Some(Source::Other(source.into().into()));
        self
    }

    pub(crate) fn with_attachment(mut self, attachment: impl Any + Send + Sync) -> Self {
        self.inner().attachment = Some(Arc::new(attachment));
        self
    }

    /// Returns the value that a higher layer attached, if it has this type.
    pub(crate) fn attachment<T: Any>(&self) -> Option<&T> {
        self.0.attachment.as_deref()?.downcast_ref()
    }

    /// Sets the attempts of the call that failed.
    pub(crate) fn with_attempts(mut self, attempts: Attempts) -> Self {
        self.inner().attempts = attempts;
        self
    }

    /// Sets the reason why there was no further attempt, the limit that stopped it, and what remained of a requested
    /// wait.
    pub(crate) fn with_retry_stopped(
        mut self,
        reason: RetryStopped,
        time_limit: Option<Duration>,
        pause: Option<Duration>,
    ) -> Self {
        let inner = self.inner();
        inner.retry_stopped = Some(reason);
        inner.time_limit = time_limit;
        inner.pause = pause.filter(|pause| !pause.is_zero());
        self
    }

    /// Inserts the attempts of earlier requests before its own. `may_have_acted` says whether the service may have
    /// acted on one of them, or on one of an earlier run.
    pub(crate) fn after_earlier(mut self, earlier: &[FailedAttempt], may_have_acted: bool) -> Self {
        self.inner().attempts.prepend(earlier, may_have_acted);
        self
    }

    /// Returns the client's own explanation, which is not part of the response.
    #[cfg(test)]
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    fn response(&self) -> Option<&ErrorResponse> {
        self.0.response.as_deref()
    }

    /// Returns the category of the failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns `true` if the service may have changed items although the call failed.
    ///
    /// It is `false` if nothing was sent, and for a rejection with a 4xx status other than 408. That a rejected batch
    /// changed nothing is an assumption: Webflow does not document it, and it was observed for live items only.
    ///
    /// The value covers all attempts: if the connection of the first attempt was closed and the second attempt was
    /// rejected, it is `true`. An error of a bulk update also covers the earlier requests with the item.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        self.0.attempts.may_have_acted || self.0.kind.may_have_acted(self.status())
    }

    /// Returns `true` if the same request may succeed later.
    ///
    /// That holds for a refused or closed connection, a timeout, and the statuses 408, 429 and 5xx except 501 and 505.
    /// It does not hold for an invalid certificate, or for a request that the service
    /// [accepted](Self::was_accepted): that one has succeeded already.
    ///
    /// The value is about success, not about safety. An update holds absolute values, so a retry ends in the same
    /// state. But Webflow imports a file or an image again each time that its field is written. If
    /// [`may_have_acted`](Self::may_have_acted) is `true`, that is the cost of a retry.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable(self.status())
    }

    /// Returns `true` if the service responded with status 200 and the body was incomplete, late or of an undocumented
    /// shape.
    ///
    /// As far as can be known, the items are updated. What the response said about them is lost. The client does not
    /// retry such a request, because Webflow would import files and images again. A web page with status 200 does not
    /// count, since it is not from the service.
    #[must_use]
    pub fn was_accepted(&self) -> bool {
        let is_fault_of_response = matches!(
            self.0.kind,
            ErrorKind::InvalidResponse
                | ErrorKind::Timeout
                | ErrorKind::ConnectionClosed
                | ErrorKind::Transport
        );
        is_fault_of_response
            && self.response().is_some_and(|response| {
                response.status.is_success() && response.form != BodyForm::Page
            })
    }

    /// Returns `true` if the response is a web page, as a proxy, a firewall or a content network in front of the
    /// service sends it.
    ///
    /// Webflow's own errors are JSON. The status of a web page says nothing about the token or the collection.
    #[must_use]
    pub fn is_from_intermediary(&self) -> bool {
        self.response()
            .is_some_and(|response| response.form == BodyForm::Page)
    }

    /// Returns the status of the response, or `None` without a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(|response| response.status)
    }

    /// Returns Webflow's name of the error, such as `validation_error`. New names may appear. A number is returned as
    /// its digits.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.response()?.code.as_deref()
    }

    /// Returns the message of the response, for people to read.
    ///
    /// It is the message of an error in JSON, in Webflow's form or that of common routers; the title of a web page; or
    /// the first 1,000 characters of a plain text.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.response()?.message.as_deref()
    }

    /// Returns Webflow's reference to more about the error, which is null in every documented example.
    #[must_use]
    pub fn external_reference(&self) -> Option<&str> {
        self.response()?.external_reference.as_deref()
    }

    /// Returns the single reasons, in any of the forms in which Webflow sends them. The slice is empty without reasons.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        self.response().map_or(&[], |response| &response.details)
    }

    /// Returns the wait that the service requests.
    ///
    /// It is the longest of the `Retry-After` (seconds or a date) and `Retry-After-Ms` headers. On a 429 without them
    /// it is `X-RateLimit-Reset` (seconds, or a time as seconds or milliseconds since 1970). For a request that was
    /// [not sent](ErrorKind::NotSent), it is what remains of the wait that the service requested of an earlier call.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.response() {
            Some(response) => response.retry_after,
            None => self.0.pause,
        }
    }

    /// Returns how many times the request was sent. For an item of a bulk update, it counts all requests with the item.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts.count
    }

    /// Returns the failed attempts in order, at most the last 32.
    #[must_use]
    pub fn failed_attempts(&self) -> &[FailedAttempt] {
        &self.0.attempts.failed
    }

    /// Returns the reason why the call was not retried, or `None` for [`ErrorKind::InvalidInput`].
    #[must_use]
    pub fn retry_stopped(&self) -> Option<RetryStopped> {
        self.0.retry_stopped
    }

    /// Returns the headers of the response that help to explain a failure, or `None` without a response.
    ///
    /// These are `Content-Type`, `Date`, `Location`, `Retry-After`, `Server`, `Via`, `WWW-Authenticate`,
    /// `X-RateLimit-*` and headers with the id of a request, such as `CF-Ray` and `X-Request-Id`. All others are
    /// removed.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.response().map(|response| &response.headers)
    }

    /// Returns the first 8 KiB of the response's body as text, or `None` without a response. Possible secrets are
    /// removed, see [`Token`](crate::Token).
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.response().map(|response| response.body.as_str())
    }

    /// Returns `true` if [`body`](Self::body) is the whole body and not only its beginning.
    #[must_use]
    pub fn is_body_complete(&self) -> bool {
        self.response()
            .is_some_and(|response| response.body_complete)
    }

    /// Returns the rejected input, if the error is of kind [`ErrorKind::InvalidInput`].
    #[must_use]
    pub fn invalid_input(&self) -> Option<&InvalidInput> {
        match &self.0.source {
            Some(Source::Input(input)) => Some(input),
            _ => None,
        }
    }
}

impl From<InvalidInput> for Error {
    fn from(input: InvalidInput) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput);
        error.inner().source = Some(Source::Input(input));
        error
    }
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        let reason = error.to_string();
        Self::new(ErrorKind::Journal)
            .with_reason(reason)
            .with_source(error)
    }
}

impl From<ParseIdError> for Error {
    fn from(error: ParseIdError) -> Self {
        InvalidInput::Id(error).into()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            // Its text is this error's own, so a source would repeat it.
            Some(Source::Input(_)) | None => None,
            Some(Source::Other(source)) => Some(&**source),
        }
    }
}
