//! From an answer that is no success to an error.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Answer, Error, ErrorDetail, ErrorKind, detail};
use crate::Token;
use crate::body::{Body, End};
use crate::rate_limit::retry_after;

/// How much of a body an error keeps, in bytes.
const KEPT: usize = 8 * 1024;

/// What an error is made of, besides the body: the head of the answer, and what it takes to read it.
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) token: &'a Token,
    pub(crate) now: SystemTime,
}

impl Error {
    /// The error that a status stands for. A body that is cut, too long or of another shape does not hide it.
    pub(crate) fn refused(head: Head<'_>, body: Body) -> Self {
        let error = Self::new(ErrorKind::of_status(head.status));
        let failure = serde_json::from_slice(&body.bytes).unwrap_or(Value::Null);
        let complete = matches!(body.end, End::Complete);
        let error = error.with_answer(read(head, &body.bytes, complete, failure));
        match body.end {
            End::Complete | End::TooLarge | End::TimedOut => error,
            End::Failed(source) => error.with_source(source),
        }
    }

    /// The error for a 200 whose body ended badly.
    pub(crate) fn unread(head: Head<'_>, body: Body) -> Self {
        let complete = matches!(body.end, End::Complete);
        let answer = read(head, &body.bytes, complete, Value::Null);
        match body.end {
            End::Complete => Self::new(ErrorKind::UnreadableAnswer).with_answer(answer),
            End::TooLarge => Self::new(ErrorKind::UnreadableAnswer)
                .with_answer(answer)
                .with_reason("it is larger than the bound for answers"),
            End::TimedOut => Self::new(ErrorKind::Timeout)
                .with_answer(answer)
                .with_reason("the answer did not come to its end"),
            End::Failed(source) => Self::transport(source).with_answer(answer),
        }
    }

    /// The error for a whole 200 that is not an answer, and why.
    pub(crate) fn unreadable(head: Head<'_>, body: &[u8], reason: &str) -> Self {
        let reason = head.token.redact(reason.to_owned());
        Self::new(ErrorKind::UnreadableAnswer)
            .with_answer(read(head, body, true, Value::Null))
            .with_reason(reason)
    }
}

fn read(head: Head<'_>, body: &[u8], complete: bool, mut failure: Value) -> Answer {
    let token = head.token;
    let mut text = |names: &[&str]| {
        let value = names.iter().find_map(|name| {
            failure
                .get_mut(name)
                .map(Value::take)
                .filter(|value| !value.is_null())
        })?;
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Some(token.redact(text).into_boxed_str())
    };
    let code = text(&["code"]);
    // `msg` is what the older router says for a path that it does not know.
    let message = text(&["message", "msg"]);
    let external_reference = text(&["externalReference"]);
    let mut details = match failure.get_mut("details").map(Value::take) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(details)) => details,
        Some(single) => vec![single],
    };
    details
        .iter_mut()
        .for_each(|detail| token.redact_value(detail));
    let mut details: Vec<_> = details.into_iter().map(ErrorDetail::read).collect();
    if details.is_empty() {
        details = message
            .as_deref()
            .map(detail::inside_message)
            .unwrap_or_default();
    }
    let retry_after = retry_after(&head.headers, head.now);
    let mut headers = head.headers;
    token.redact_headers(&mut headers);
    // The token may stand across the end of what is kept, so it is looked for in the whole.
    let mut shown = token.redact(String::from_utf8_lossy(body).into_owned());
    if !complete {
        shown = token.redact_end(shown);
    }
    let body_complete = complete && shown.len() <= KEPT;
    if shown.len() > KEPT {
        let end = (0..=KEPT).rev().find(|end| shown.is_char_boundary(*end));
        shown.truncate(end.unwrap_or(0));
        shown.shrink_to_fit();
    }
    Answer {
        status: head.status,
        headers,
        retry_after,
        body_complete,
        body: shown,
        code,
        message,
        external_reference,
        details,
    }
}
