//! The one error type.

mod answer;
mod detail;
mod input;
mod kind;
mod printable;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};

pub(crate) use answer::Head;
pub use detail::ErrorDetail;
pub use input::InvalidInput;
pub use kind::ErrorKind;
pub(crate) use transport::kind as kind_of_fault;

use printable::Printable;

use crate::bulk::JournalError;
use crate::retry::GaveUp;
use crate::tries::{FailedTry, Tries};
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
    /// The wait that the service has asked others for, when this request was not even sent.
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
    code: Option<Box<str>>,
    message: Option<Box<str>>,
    external_reference: Option<Box<str>>,
    details: Vec<ErrorDetail>,
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

    /// The error of a run that has stopped because nothing succeeded.
    pub(crate) fn in_vain(batches: u32, items: usize, last: Option<Arc<Self>>) -> Self {
        let mut reason =
            format!("nothing of {items} items in the last {batches} batches was updated");
        if let Some(last) = &last {
            reason.push_str(&format!("; the last one: {last}"));
        }
        let error = Self::new(ErrorKind::InVain).with_reason(reason);
        match last {
            Some(last) => error.with_source(last),
            None => error,
        }
    }

    /// The error of a call, from that of its last try.
    pub(crate) fn after(mut self, mut tries: Tries, gave_up: GaveUp) -> Self {
        // Whoever keeps an error is not to keep a journal in use.
        tries.watch = None;
        let inner = self.inner();
        inner.tries = tries;
        inner.gave_up = Some(gave_up);
        self
    }

    /// The same error, with the attempts of earlier calls in front of its own, and whether one of them, or of an
    /// earlier run, may have acted.
    #[allow(dead_code, reason = "bulk updates are about to use it")]
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

    /// Whether the same request may succeed at another time: after a refused or cut connection, a timeout, and the
    /// statuses 408, 429 and 5xx without 501 and 505. A certificate that is not trusted stays so.
    ///
    /// It speaks of chances, not of safety. An update holds absolute values, so sending it again ends in the same
    /// state, but Webflow imports a file or an image again each time that its field is written. Where
    /// [`may_have_acted`](Self::may_have_acted) is `true`, that is the price of another try.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable(self.status())
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

    /// What Webflow said, for people to read.
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

    /// How long the answer asks to wait, in its `Retry-After` headers: seconds or a date. For a request that was
    /// [not sent](ErrorKind::NotSent), what is left of the wait that the service has asked another one for.
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

    /// The headers of the answer, if there was one.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.answer().map(|answer| &answer.headers)
    }

    /// The body of the answer as text, up to 8 KiB of it, if there was an answer.
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

impl Error {
    /// Writes how many attempts there were, and whether one before the last may have acted.
    fn fmt_attempts(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acted_before =
            self.0.tries.may_have_acted && !self.0.kind.may_have_acted(self.status());
        match (self.tries(), acted_before) {
            (0 | 1, false) => Ok(()),
            (0 | 1, true) => {
                formatter.write_str(" (after an earlier attempt, which may have acted)")
            }
            (attempts, false) => write!(formatter, " (after {attempts} attempts)"),
            (attempts, true) => write!(
                formatter,
                " (after {attempts} attempts, of which an earlier one may have acted)"
            ),
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

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.kind {
            ErrorKind::InvalidInput => {
                match &self.0.source {
                    Some(Source::Input(input)) => input.fmt(formatter)?,
                    _ => formatter.write_str("invalid input")?,
                }
                return self.fmt_attempts(formatter);
            }
            ErrorKind::BadRequest => "the request was refused",
            ErrorKind::Unauthorized => "the token was not accepted",
            ErrorKind::Forbidden => "the token lacks the right",
            ErrorKind::NotFound => "not found",
            ErrorKind::Conflict => "the request contradicts the state of the site",
            ErrorKind::PayloadTooLarge => "the request is too large",
            ErrorKind::TooManyRequests => "too many requests",
            ErrorKind::Server => "the service failed",
            ErrorKind::OtherStatus => "an answer that is not documented",
            ErrorKind::UnreadableAnswer => "the answer cannot be read",
            ErrorKind::Connect => "no connection to the service",
            ErrorKind::Untrusted => "the certificate of the service is not trusted",
            ErrorKind::Timeout => "the time for the request ran out",
            ErrorKind::ConnectionCut => "the connection was cut before the answer was complete",
            ErrorKind::Transport => "the transport failed",
            ErrorKind::NotSent => "the request was not sent",
            ErrorKind::Journal => "the journal cannot be used",
            ErrorKind::InVain => "the run has come to nothing",
        };
        formatter.write_str(what)?;
        if let Some(status) = self.status() {
            write!(formatter, " (status {}", status.as_u16())?;
            if let Some(code) = self.code() {
                write!(formatter, ", {}", Printable::new(code))?;
            }
            formatter.write_str(")")?;
        }
        if let Some(reason) = &self.0.reason {
            write!(formatter, ": {}", Printable::new(reason))?;
        } else if let Some(message) = self.message() {
            write!(formatter, ": {}", Printable::new(message))?;
        }
        detail::list(
            formatter,
            self.message().unwrap_or_default(),
            self.details(),
        )?;
        self.fmt_attempts(formatter)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Error");
        shown.field("kind", &self.0.kind);
        if let Some(answer) = self.answer() {
            shown
                .field("status", &answer.status.as_u16())
                .field("code", &answer.code)
                .field("message", &answer.message)
                .field("details", &answer.details)
                .field("retry_after", &answer.retry_after)
                .field("rate_limit", &self.rate_limit())
                .field("body", &answer.body);
        }
        if let Some(reason) = &self.0.reason {
            shown.field("reason", reason);
        }
        match &self.0.source {
            Some(Source::Input(input)) => shown.field("input", input),
            Some(Source::Other(source)) => shown.field("source", source),
            None => &mut shown,
        };
        shown
            .field("tries", &self.0.tries.failed)
            .field("gave_up", &self.0.gave_up)
            .field("may_have_acted", &self.may_have_acted())
            .finish_non_exhaustive()
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
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_error_is_one_word_wide_and_can_cross_threads() {
        fn can_cross<T: Send + Sync + 'static>() {}
        can_cross::<Error>();
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }

    #[test]
    fn clones_share_what_the_service_said_and_not_what_is_added_later() {
        let answer = Answer {
            body: "x".repeat(8_000),
            ..Answer::default()
        };
        let error = Error::new(ErrorKind::BadRequest).with_answer(answer);
        let clone = error.clone().after_earlier(&[], true);
        let bodies = [&error, &clone].map(|error| error.body().expect("a body").as_ptr());
        assert_eq!(bodies[0], bodies[1]);
        assert!(clone.may_have_acted() && !error.may_have_acted());
    }

    #[test]
    fn an_error_knows_the_attempts_of_earlier_calls() {
        let attempt = |status| FailedTry {
            kind: ErrorKind::Server,
            status: StatusCode::from_u16(status).ok(),
            may_have_acted: status != 429,
            waited: None,
        };
        let own = |attempts: u16| {
            let tries = Tries {
                count: attempts.into(),
                failed: (0..attempts).map(|_| attempt(429)).collect(),
                ..Tries::default()
            };
            Error::new(ErrorKind::BadRequest).after(tries, GaveUp::NotRetryable)
        };
        let earlier = [attempt(500), attempt(502)];
        let told = own(1).after_earlier(&earlier, false);
        assert_eq!(told.tries(), 3);
        let statuses = told.failed_tries().iter().filter_map(|tried| tried.status);
        assert!(statuses.eq([500, 502, 429].map(|code| StatusCode::from_u16(code).expect("one"))));
        assert!(told.may_have_acted());
        assert_eq!(
            told.to_string(),
            "the request was refused (after 3 attempts, of which an earlier one may have acted)"
        );
        let limited = own(1).after_earlier(&[attempt(429)], false);
        assert!(!limited.may_have_acted());
        assert_eq!(
            limited.to_string(),
            "the request was refused (after 2 attempts)"
        );
        let before = own(1).after_earlier(&[], true);
        assert_eq!(
            before.to_string(),
            "the request was refused (after an earlier attempt, which may have acted)"
        );
        let many = own(20).after_earlier(&vec![attempt(500); 31], true);
        assert_eq!((many.tries(), many.failed_tries().len()), (51, 32));
        let first = many.failed_tries().first().expect("kept");
        assert_eq!(first.status, StatusCode::from_u16(500).ok());
    }

    #[test]
    fn a_servers_words_cannot_steer_a_terminal() {
        let error = Error::new(ErrorKind::BadRequest).with_reason("\u{1b}[2J\r\nok");
        assert_eq!(
            error.to_string(),
            "the request was refused: \\u{1b}[2J\\r\\nok"
        );
        for unseen in [
            '\u{ad}',
            '\u{61c}',
            '\u{200b}',
            '\u{2028}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{fffb}',
            '\u{e0041}',
        ] {
            let error = Error::new(ErrorKind::BadRequest).with_reason(format!("é{unseen}日"));
            let escaped = format!("é{}日", unseen.escape_unicode());
            assert!(error.to_string().ends_with(&escaped), "{escaped}: {error}");
        }
    }

    #[test]
    fn the_text_says_what_the_message_leaves_to_the_details() {
        let said = |message: &str, details: Value| {
            let answer = Answer {
                message: Some(message.into()),
                details: match details {
                    Value::Array(details) => details.into_iter().map(ErrorDetail::read).collect(),
                    _ => detail::inside_message(message),
                },
                ..Answer::default()
            };
            let text = Error::new(ErrorKind::BadRequest)
                .with_answer(answer)
                .to_string();
            let (_, said) = text.split_once("): ").expect("a message");
            said.to_owned()
        };
        let price = json!({"field": "price", "message": "is no number"});
        let slug = json!({"param": "slug", "description": "is\ntaken"});
        assert_eq!(
            said(
                "Validation Error",
                json!([price, slug, {"deep": [1]}, "no name"])
            ),
            r#"Validation Error [price: is no number; slug: is\ntaken; {"deep":[1]}; and 1 more]"#
        );
        assert_eq!(
            said("price is no number", json!([price])),
            "price is no number"
        );
        let inside = r#"Validation Error: ["\"id\" is no string"]"#;
        assert_eq!(said(inside, Value::Null), inside);
        let long = said(
            "Validation Error",
            json!([price, "x".repeat(10_000), "y".repeat(10_000)]),
        );
        assert!(long.chars().count() < 500, "{long}");
    }

    #[test]
    fn a_long_message_is_cut_in_the_text_and_kept_in_the_value() {
        let message = "x".repeat(10_000);
        let answer = Answer {
            message: Some(message.clone().into()),
            ..Answer::default()
        };
        let error = Error::new(ErrorKind::BadRequest).with_answer(answer);
        assert!(error.to_string().chars().count() < 600);
        assert_eq!(error.message(), Some(message.as_str()));
    }
}
