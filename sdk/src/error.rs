//! The one error type.

mod answer;
mod cause;
mod detail;
mod display;
mod input;
mod journal;
mod kind;
mod page;
mod printable;
mod transport;
mod words;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub(crate) use answer::Head;
pub use detail::ErrorDetail;
pub use input::InvalidInput;
pub(crate) use journal::{FORMAT as JOURNAL_FORMAT, Failure as JournalFailure};
pub use journal::{JournalError, JournalErrorKind};
pub use kind::ErrorKind;
pub(crate) use printable::Printable;
pub(crate) use transport::kind as kind_of_fault;

use self::words::Form;
use crate::retry::GaveUp;
use crate::tries::{CallOptions, FailedTry, Tries};
use crate::{RateLimit, UpdateResponse};

/// Why an update did not come to a readable success: one word wide, with everything that the service said.
///
/// Three questions decide what to do next, and each has an answer here: [`kind`](Self::kind) says what went wrong,
/// [`may_have_acted`](Self::may_have_acted) whether items may have changed, and
/// [`is_retryable`](Self::is_retryable) whether the same request may succeed at another time.
///
/// ```
/// use webflow_cms::{ErrorKind, InvalidInput, ItemId};
///
/// let error = ItemId::new("a/b").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidInput);
/// assert!(!error.may_have_acted());
/// assert!(matches!(error.invalid_input(), Some(InvalidInput::ItemId { .. })));
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
    answer: Option<Arc<Answer>>,
    /// What was read, when the field data of some item did not fit the type that was asked for.
    response: Option<Arc<UpdateResponse>>,
    reason: Option<Arc<str>>,
    source: Option<Source>,
    tries: Tries,
    gave_up: Option<GaveUp>,
    /// The time that the call was given, if it was too short.
    granted: Option<Duration>,
    /// What was left of a wait that the service has asked for when the turn of an attempt did not come.
    pause: Option<Duration>,
}

#[derive(Clone)]
enum Source {
    Input(InvalidInput),
    Other(Arc<dyn std::error::Error + Send + Sync>),
}

/// What an answer said, as far as it could be read.
#[derive(Default)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    retry_after: Option<Duration>,
    body: String,
    body_complete: bool,
    form: Form,
    code: Option<Box<str>>,
    message: Option<Box<str>>,
    external_reference: Option<Box<str>>,
    details: Vec<ErrorDetail>,
}

/// Why a call ended, and what was left of a wait that the service has asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) why: GaveUp,
    pub(crate) pause: Option<Duration>,
}

impl From<GaveUp> for End {
    fn from(why: GaveUp) -> Self {
        Self { why, pause: None }
    }
}

impl Error {
    fn new(kind: ErrorKind) -> Self {
        Self(Arc::new(Inner {
            kind,
            answer: None,
            response: None,
            reason: None,
            source: None,
            tries: Tries::default(),
            gave_up: None,
            granted: None,
            pause: None,
        }))
    }

    /// What the error is made of, apart from its clones.
    fn inner(&mut self) -> &mut Inner {
        Arc::make_mut(&mut self.0)
    }

    fn with_answer(mut self, answer: Answer) -> Self {
        self.inner().answer = Some(Arc::new(answer));
        self
    }

    fn with_reason(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.inner().reason = Some(reason.into());
        self
    }

    fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.inner().source = Some(Source::Other(source.into().into()));
        self
    }

    pub(crate) fn with_response(mut self, response: Box<UpdateResponse>) -> Self {
        self.inner().response = Some(response.into());
        self
    }

    /// The error of a run whose journal cannot be used.
    pub(crate) fn journal(error: JournalError) -> Self {
        let reason = error.to_string();
        Self::new(ErrorKind::Journal)
            .with_reason(reason)
            .with_source(error)
    }

    /// The error of a call, from that of its last attempt, and why there was no other.
    pub(crate) fn after(
        mut self,
        mut tries: Tries,
        end: impl Into<End>,
        options: &CallOptions,
    ) -> Self {
        // Whoever keeps an error is not to keep a journal in use.
        tries.watch = None;
        self.inner().tries = tries;
        self.given_up(end.into(), options)
    }

    fn given_up(mut self, end: End, options: &CallOptions) -> Self {
        let inner = self.inner();
        inner.gave_up = Some(end.why);
        inner.pause = end.pause.filter(|pause| !pause.is_zero());
        inner.granted = match end.why {
            GaveUp::WaitTooLong => Some(options.retry.longest_wait()),
            GaveUp::DeadlineTooNear => options.deadline.limit(options.timeout),
            _ => None,
        };
        self
    }

    /// The same error, with the attempts of earlier calls in front of its own, and whether one of them, or of an
    /// earlier run, may have acted.
    pub(crate) fn after_earlier(mut self, earlier: &[FailedTry], may_have_acted: bool) -> Self {
        self.inner().tries.after(earlier, may_have_acted);
        self
    }

    fn answer(&self) -> Option<&Answer> {
        self.0.answer.as_deref()
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
        self.0.tries.may_have_acted || self.0.kind.may_have_acted(self.status())
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
            ErrorKind::UnreadableAnswer
                | ErrorKind::Timeout
                | ErrorKind::ConnectionCut
                | ErrorKind::Transport
        );
        is_fault_of_response
            && self
                .answer()
                .is_some_and(|answer| answer.status.is_success() && answer.form != Form::Page)
    }

    /// Whether the refusal is a web page, as a proxy, a firewall or a content network in front of the service sends it.
    /// Webflow's own refusals are JSON. What the status means for the token or the collection is not said then.
    #[must_use]
    pub fn is_from_intermediary(&self) -> bool {
        self.answer()
            .is_some_and(|answer| answer.form == Form::Page)
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.answer().map(|answer| answer.status)
    }

    /// Webflow's name of the error, such as `validation_error`. The set is open; a number is given as its digits.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.answer()?.code.as_deref()
    }

    /// What the answer says, for people to read: the message of an error as Webflow or another router writes it, the
    /// title of a web page, or a plain text, of these at most 1,000 characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.answer()?.message.as_deref()
    }

    /// Webflow's reference to more about the error, which is null in every documented example.
    #[must_use]
    pub fn external_reference(&self) -> Option<&str> {
        self.answer()?.external_reference.as_deref()
    }

    /// The single reasons, in any of the forms in which Webflow gives them; empty if there are none.
    #[must_use]
    pub fn details(&self) -> &[ErrorDetail] {
        self.answer().map_or(&[], |answer| &answer.details)
    }

    /// How long the answer asks to wait: the longest of its `Retry-After` (seconds or a date) and `Retry-After-Ms`
    /// headers, or on a 429 without them `X-RateLimit-Reset` (seconds, or the time of day as seconds or milliseconds
    /// since 1970). For a request that was [not sent](ErrorKind::NotSent), what is left of the wait that the service has
    /// asked another one for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self.answer() {
            Some(answer) => answer.retry_after,
            None => self.0.pause,
        }
    }

    /// How often the request was sent; for an item of a bulk update, how many requests with it were.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.0.tries.count
    }

    /// What each try came to, in order; the last 32 if there were more.
    #[must_use]
    pub fn failed_tries(&self) -> &[FailedTry] {
        &self.0.tries.failed
    }

    /// Why there was no other try. None for input that was refused.
    #[must_use]
    pub fn gave_up(&self) -> Option<GaveUp> {
        self.0.gave_up
    }

    /// The requests that the token may make and has left, as far as the answer says.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        self.answer()
            .map(|answer| RateLimit::from_headers(&answer.headers))
            .unwrap_or_default()
    }

    /// The headers of the answer that say something about a failure, if there was an answer: `Content-Type`, `Date`,
    /// `Location`, `Retry-After`, `Server`, `Via`, `WWW-Authenticate`, `X-RateLimit-*`, and those with the id of a
    /// request, such as `CF-Ray` and `X-Request-Id`. The others are left out.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.answer().map(|answer| &answer.headers)
    }

    /// The body of the answer as text, up to 8 KiB of it, if there was an answer. What could be a secret is left out, as
    /// [`Token`](crate::Token) says.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        self.answer().map(|answer| answer.body.as_str())
    }

    /// Whether [`body`](Self::body) is all of the body, and not just its beginning.
    #[must_use]
    pub fn is_body_complete(&self) -> bool {
        self.answer().is_some_and(|answer| answer.body_complete)
    }

    /// What was refused before anything was sent, if this is such an error.
    #[must_use]
    pub fn invalid_input(&self) -> Option<&InvalidInput> {
        match &self.0.source {
            Some(Source::Input(input)) => Some(input),
            _ => None,
        }
    }

    /// The answer with its field data as plain JSON, if all that could not be read was the field data of some item
    /// in the type that was asked for. The update has succeeded then, and this says what came of it.
    #[must_use]
    pub fn update_response(&self) -> Option<&UpdateResponse> {
        self.0.response.as_deref()
    }
}

impl From<InvalidInput> for Error {
    fn from(input: InvalidInput) -> Self {
        let mut error = Self::new(ErrorKind::InvalidInput);
        error.inner().source = Some(Source::Input(input));
        error
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

#[cfg(test)]
mod secrets;
#[cfg(test)]
mod tests;
