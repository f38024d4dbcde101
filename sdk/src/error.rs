//! The error of every call, as data: kind, status, details and attempts.

mod attempts;
mod detail;
mod display;
mod input;
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
pub use self::kind::ErrorKind;
pub(crate) use self::printable::Printable;
pub(crate) use self::response::{BodyForm, ErrorResponse};
pub use self::retry_stopped::RetryStopped;
use crate::id::ParseIdError;

/// Why an update did not come to a readable success: one word wide, with everything that the service said.
///
/// Three questions decide what to do next, and each has an answer here: [`kind`](Self::kind) says what went wrong,
/// [`may_have_acted`](Self::may_have_acted) whether items may have changed, and
/// [`is_retryable`](Self::is_retryable) whether the same request may succeed at another time.
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
/// `Display` is one line with all of it in short; `{:?}` is that line and the causes, as `main` shows an error that it
/// returns; `{:#?}` has the single fields. None of them holds a secret (see [`Token`](crate::Token)), or a character
/// that a terminal would act on.
///
/// A clone costs next to nothing: it shares what the service said.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    response: Option<Arc<ErrorResponse>>,
    /// A value of a higher layer, for its own accessor.
    attachment: Option<Arc<dyn Any + Send + Sync>>,
    reason: Option<Arc<str>>,
    source: Option<Source>,
    attempts: Attempts,
    retry_stopped: Option<RetryStopped>,
    /// The time limit that stopped the retries.
    time_limit: Option<Duration>,
    /// The rest of a wait that the service has asked for when a request was not sent.
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

    /// The value that a higher layer attached, if it is of this type.
    pub(crate) fn attachment<T: Any>(&self) -> Option<&T> {
        self.0.attachment.as_deref()?.downcast_ref()
    }

    /// Adds the attempts of the call that failed.
    pub(crate) fn with_attempts(mut self, attempts: Attempts) -> Self {
        self.inner().attempts = attempts;
        self
    }

    /// Adds why there was no other attempt: the time limit that stopped it, and the rest of a wait that the service has
    /// asked for.
    pub(crate) fn with_retry_stopped(
        mut self,
        why: RetryStopped,
        time_limit: Option<Duration>,
        pause: Option<Duration>,
    ) -> Self {
        let inner = self.inner();
        inner.retry_stopped = Some(why);
        inner.time_limit = time_limit;
        inner.pause = pause.filter(|pause| !pause.is_zero());
        self
    }

    /// Puts the attempts of earlier requests in front of its own. `may_have_acted` is whether one of them, or of an
    /// earlier run, may have acted.
    pub(crate) fn after_earlier(mut self, earlier: &[FailedAttempt], may_have_acted: bool) -> Self {
        self.inner().attempts.prepend(earlier, may_have_acted);
        self
    }

    /// What the client found wrong, beside the words of the service.
    #[cfg(test)]
    pub(crate) fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    fn response(&self) -> Option<&ErrorResponse> {
        self.0.response.as_deref()
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the service may have changed items all the same.
    ///
    /// It is `false` when nothing was sent, and for a refusal with a 4xx status other than 408. That a refused batch
    /// changed nothing is an assumption: Webflow does not document it, and it was observed for live items only.
    ///
    /// It speaks of all attempts: if the first one was cut off and the second one refused, it is `true`. An error of a
    /// bulk update knows the attempts of earlier requests with the item too.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        self.0.attempts.may_have_acted || self.0.kind.may_have_acted(self.status())
    }

    /// Whether the same request may succeed at another time: after a refused or closed connection, a timeout, and the
    /// statuses 408, 429 and 5xx without 501 and 505. A certificate that is not trusted stays so. A request that the
    /// service [accepted](Self::was_accepted) has succeeded already.
    ///
    /// It speaks of chances, not of safety. An update holds absolute values, so sending it again ends in the same
    /// state, but Webflow imports a file or an image again each time that its field is written. Where
    /// [`may_have_acted`](Self::may_have_acted) is `true`, that is the price of another try.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable(self.status())
    }

    /// Whether the service answered with the documented status of a success, 200, although the response could not be
    /// read: it was cut, or took too long, or is not of a documented shape.
    ///
    /// The items are updated then, as far as can be known; what the response would have said of them is not. Sent again,
    /// the request would import files and images again, so the client does not do it. A web page with that status is
    /// not from the service.
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

    /// Whether the refusal is a web page, as a proxy, a firewall or a content network in front of the service sends it.
    /// Webflow's own refusals are JSON. What the status means for the token or the collection is not said then.
    #[must_use]
    pub fn is_from_intermediary(&self) -> bool {
        self.response()
            .is_some_and(|response| response.form == BodyForm::Page)
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.response().map(|response| response.status)
    }

    /// Webflow's name of the error, such as `validation_error`. The set is open; a number is given as its digits.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.response()?.code.as_deref()
    }

    /// What the answer says, for people to read: the message of an error as Webflow or another router writes it, the
    /// title of a web page, or a plain text, of these at most 1,000 characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.response()?.message.as_deref()
    }

    /// Webflow's reference to more about the error, which is null in every documented example.
    #[must_use]
    pub fn external_reference(&self) -> Option<&str> {
        self.response()?.external_reference.as_deref()
    }

    /// The single reasons, in any of the forms in which Webflow gives them; empty if there are none.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        self.response().map_or(&[], |response| &response.details)
    }

    /// How long the answer asks to wait: the longest of its `Retry-After` (seconds or a date) and `Retry-After-Ms`
    /// headers, or on a 429 without them `X-RateLimit-Reset` (seconds, or the time of day as seconds or milliseconds
    /// since 1970). For a request that was [not sent](ErrorKind::NotSent), what is left of the wait that the service has
    /// asked another one for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.response() {
            Some(response) => response.retry_after,
            None => self.0.pause,
        }
    }

    /// How often the request was sent; for an item of a bulk update, how many requests with it were.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts.count
    }

    /// What each try came to, in order; the last 32 if there were more.
    #[must_use]
    pub fn failed_attempts(&self) -> &[FailedAttempt] {
        &self.0.attempts.failed
    }

    /// Why there was no other try. None for input that was refused.
    #[must_use]
    pub fn retry_stopped(&self) -> Option<RetryStopped> {
        self.0.retry_stopped
    }

    /// The headers of the answer that say something about a failure, if there was an answer: `Content-Type`, `Date`,
    /// `Location`, `Retry-After`, `Server`, `Via`, `WWW-Authenticate`, `X-RateLimit-*`, and those with the id of a
    /// request, such as `CF-Ray` and `X-Request-Id`. The others are left out.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.response().map(|response| &response.headers)
    }

    /// The body of the answer as text, up to 8 KiB of it, if there was an answer. What could be a secret is left out, as
    /// [`Token`](crate::Token) says.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.response().map(|response| response.body.as_str())
    }

    /// Whether [`body`](Self::body) is all of the body, and not just its beginning.
    #[must_use]
    pub fn is_body_complete(&self) -> bool {
        self.response()
            .is_some_and(|response| response.body_complete)
    }

    /// What was refused before anything was sent, if this is such an error.
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

impl From<ParseIdError> for Error {
    fn from(error: ParseIdError) -> Self {
        InvalidInput::Id(error).into()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.source {
            // Its text is this error's own, so as a source it would be said twice.
            Some(Source::Input(_)) | None => None,
            Some(Source::Other(source)) => Some(&**source),
        }
    }
}
