//! From an answer that is no success to an error.

use std::time::SystemTime;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{Answer, Error, ErrorDetail, ErrorKind, detail};
use crate::Token;
use crate::body::{Body, End};
use crate::rate_limit::retry_after;
use crate::text::without_mark;

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
        let failure = json(&body.bytes);
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
        // It may quote the answer at length.
        let (reason, _) = beginning(head.token, reason.as_bytes(), true);
        Self::new(ErrorKind::UnreadableAnswer)
            .with_answer(read(head, body, true, Value::Null))
            .with_reason(reason)
    }
}

fn read(head: Head<'_>, body: &[u8], complete: bool, mut failure: Value) -> Answer {
    let token = head.token;
    let mut text = |names: &[&str]| {
        let mut value = names.iter().find_map(|name| {
            failure
                .get_mut(name)
                .map(Value::take)
                .filter(|value| !value.is_null())
        })?;
        token.redact_value(&mut value);
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Some(text.into_boxed_str())
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
    let (body, body_complete) = beginning(token, body, complete);
    Answer {
        status: head.status,
        headers,
        retry_after,
        body_complete,
        body,
        code,
        message,
        external_reference,
        details,
    }
}

/// A body as JSON; null, if it is none. Half a character, in which a text ends that was cut, does not hide the rest:
/// JavaScript writes it as an escape that stands for nothing.
fn json(body: &[u8]) -> Value {
    let text = String::from_utf8_lossy(body);
    let text = without_mark(&text);
    serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(&with_whole_characters(text)))
        .unwrap_or(Value::Null)
}

/// JSON text with the replacement character in place of each escaped surrogate that stands alone.
fn with_whole_characters(mut text: &str) -> String {
    const ESCAPE: usize = r"\u0000".len();
    let mut whole = String::with_capacity(text.len());
    while let Some((before, escape)) = text.find('\\').and_then(|at| text.split_at_checked(at)) {
        let next = escape.get(ESCAPE..).and_then(surrogate);
        let (length, alone) = match (surrogate(escape), next) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (2 * ESCAPE, false),
            (Some(_), _) => (ESCAPE, true),
            (None, _) => (escape.chars().take(2).map(char::len_utf8).sum(), false),
        };
        let (escape, rest) = escape.split_at_checked(length).unwrap_or((escape, ""));
        whole.push_str(before);
        whole.push_str(if alone { r"\ufffd" } else { escape });
        text = rest;
    }
    whole.push_str(text);
    whole
}

/// The surrogate that a text begins with the escape of.
fn surrogate(text: &str) -> Option<u16> {
    let unit = u16::from_str_radix(text.strip_prefix(r"\u")?.get(..4)?, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

/// What an error keeps of a body, without the token, and whether that is all of it.
fn beginning(token: &Token, body: &[u8], complete: bool) -> (String, bool) {
    /// How many bytes a character takes as `\u0000`.
    const ESCAPED: usize = 6;
    // The token may stand across the end of what is kept, so a little more is looked at. All of it can be as large as the
    // bound for answers.
    let seen = body.get(..KEPT + ESCAPED * token.len()).unwrap_or(body);
    let complete = complete && seen.len() == body.len();
    let mut text = token.redact(String::from_utf8_lossy(seen).into_owned());
    if !complete {
        text = token.redact_end(text);
    }
    let complete = complete && text.len() <= KEPT;
    if text.len() > KEPT {
        let end = (0..=KEPT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.shrink_to_fit();
    }
    (text, complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> Error {
        let token = Token::new("b7c1d0e2f3a4").expect("fits");
        let head = Head {
            status: StatusCode::BAD_REQUEST,
            headers: HeaderMap::new(),
            token: &token,
            now: SystemTime::UNIX_EPOCH,
        };
        let body = Body {
            bytes: body.to_vec(),
            end: End::Complete,
        };
        Error::refused(head, body)
    }

    #[test]
    fn half_a_character_does_not_hide_what_a_refusal_says() {
        for (sent, message) in [
            (r"cut: \ud83d", "cut: \u{fffd}"),
            (r"cut: \uD83D!", "cut: \u{fffd}!"),
            (r"\ude00 \ud83d\ud83d\ude00", "\u{fffd} \u{fffd}\u{1f600}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d \\ud83d", r"� \ud83d"),
        ] {
            let body =
                format!(r#"{{"code":"validation_error","message":"{sent}","details":["a"]}}"#);
            let error = refused(body.as_bytes());
            assert_eq!(error.message(), Some(message), "{sent}");
            assert_eq!(error.code(), Some("validation_error"));
            assert_eq!(error.details().len(), 1);
            assert_eq!(error.body(), Some(&*body), "the body stays as it came");
        }
        let error = refused(b"{\"message\":\"cut: \xf0\x9f\"}");
        assert_eq!(error.message(), Some("cut: \u{fffd}"));
    }

    #[test]
    fn a_mark_before_a_refusal_does_not_hide_it() {
        let error = refused("\u{feff}{\"message\":\"no\"}".as_bytes());
        assert_eq!(error.message(), Some("no"));
    }

    #[test]
    fn what_is_no_json_is_none() {
        for body in [
            "",
            "{",
            r#"{"message":"\u12"}"#,
            r#"{"message":"\ud83d"#,
            r"\ud83d",
            "\\",
        ] {
            let error = refused(body.as_bytes());
            assert_eq!((error.message(), error.body()), (None, Some(body)));
        }
    }

    #[test]
    fn the_token_is_in_nothing_that_is_kept_wherever_it_stands() {
        let secret = "0123456789abcdef";
        let token = Token::new(secret).expect("fits");
        for start in KEPT - 40..KEPT + 40 {
            for rest in ["", "and more", &"é".repeat(KEPT)] {
                let body = format!("{}{secret}{rest}", "x".repeat(start));
                let (text, _) = beginning(&token, body.as_bytes(), true);
                assert!(text.len() <= KEPT);
                assert!(!text.contains("0123"), "it starts at {start}");
            }
        }
        // What was taken out is longer than what stands for it, so more of the body moves up.
        let (text, _) = beginning(&token, secret.repeat(KEPT).as_bytes(), true);
        assert_eq!(text.replace("[redacted]", ""), "");
    }

    #[test]
    fn why_an_answer_cannot_be_read_is_no_longer_than_what_is_kept_of_a_body() {
        let token = Token::new("0123456789abcdef").expect("fits");
        let head = Head {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            token: &token,
            now: SystemTime::UNIX_EPOCH,
        };
        let text = format!("invalid type: string \"{}\"", "x".repeat(9 * KEPT));
        let error = Error::unreadable(head, b"", &text);
        let reason = error.0.reason.as_deref().expect("a reason");
        assert!(reason.len() <= KEPT && text.starts_with(reason));
    }

    #[test]
    fn a_body_is_complete_if_all_of_it_came_and_all_of_it_is_kept() {
        let token = Token::new("0123456789abcdef").expect("fits");
        let whole = |length, came| beginning(&token, &vec![b'x'; length], came).1;
        assert!(whole(0, true) && whole(KEPT, true));
        assert!(!whole(KEPT, false));
        assert!(!whole(KEPT + 1, true) && !whole(KEPT * 9, true));
    }
}
