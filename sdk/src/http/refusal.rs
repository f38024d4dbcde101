//! From an answer that is no success to an error.

use std::time::SystemTime;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::body::{Body, End};
use super::token::Token;
use crate::error::{BodyForm, Error, ErrorKind, ErrorResponse};
use crate::rate_limit::asked_wait;
use crate::response::error_body::ErrorBody;

/// How much of a body an error keeps, in bytes.
const KEPT: usize = 8 * 1024;

/// How much of a success that cannot be read is looked at for that, in bytes. What is left out is replaced by less.
const SEEN: usize = 2 * KEPT;

/// What an error is made of, besides the body: the head of the answer, and what it takes to read it.
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) token: &'a Token,
    /// The body of the request.
    pub(crate) request: &'a [u8],
    pub(crate) now: SystemTime,
}

impl Error {
    /// The error that a status stands for. A body that is cut, too long or of another shape does not hide it.
    pub(crate) fn refused(head: &Head<'_>, body: Body) -> Self {
        let complete = matches!(body.end, End::Complete);
        let text = head.kept(&body.bytes);
        let words = ErrorBody::of(&text);
        let error = Self::new(ErrorKind::of_status(head.status));
        let error = error.with_response(error_response(head, words, text, complete));
        match body.end {
            End::Complete | End::TooLarge | End::TimedOut => error,
            End::Failed(source) => error.with_source(source).without_token(head.token),
        }
    }

    /// The error for a 200 whose body ended badly.
    pub(crate) fn unread(head: &Head<'_>, body: Body) -> Self {
        let response = unread(head, &body.bytes, false);
        match body.end {
            End::Complete => Self::new(ErrorKind::InvalidResponse).with_response(response),
            End::TooLarge => Self::new(ErrorKind::InvalidResponse)
                .with_response(response)
                .with_reason("it is larger than max_response_bytes"),
            End::TimedOut => Self::new(ErrorKind::Timeout).with_response(response),
            End::Failed(source) => Self::transport(source, head.token).with_response(response),
        }
    }

    /// The error for a whole 200 that is not an answer, and why.
    pub(crate) fn unreadable(head: &Head<'_>, body: &[u8], reason: &str) -> Self {
        let response = unread(head, body, true);
        let reason = match response.form {
            BodyForm::Page => "it is a web page".to_owned(),
            // It may quote the answer at length.
            _ => truncated(head.kept(reason.as_bytes().get(..SEEN).unwrap_or(reason.as_bytes()))).0,
        };
        Self::new(ErrorKind::InvalidResponse)
            .with_response(response)
            .with_reason(reason)
    }
}

impl Head<'_> {
    /// What may be kept of a text. All that an error says of an answer is read from such text.
    fn kept(&self, text: &[u8]) -> String {
        self.token
            .redact_response(&String::from_utf8_lossy(text), self.request)
    }

    /// The headers that say something about a failure. The others are not needed.
    fn kept_headers(&self) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for (name, value) in &self.headers {
            if !is_needed(name) {
                continue;
            }
            if let Ok(value) = HeaderValue::from_str(&self.kept(value.as_bytes())) {
                kept.append(name, value);
            }
        }
        kept
    }
}

fn is_needed(name: &HeaderName) -> bool {
    const OTHERS: [&str; 8] = [
        "cf-mitigated",
        "cf-ray",
        "request-id",
        "retry-after-ms",
        "x-correlation-id",
        "x-request-id",
        "x-served-by",
        "x-trace-id",
    ];
    const STANDARD: [HeaderName; 10] = [
        header::ALLOW,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::DATE,
        header::LOCATION,
        header::RETRY_AFTER,
        header::SERVER,
        header::VIA,
        header::WWW_AUTHENTICATE,
    ];
    STANDARD.contains(name)
        || OTHERS.contains(&name.as_str())
        || name.as_str().starts_with("x-ratelimit-")
}

/// The answer of a success that was not read, or cannot be.
fn unread(head: &Head<'_>, body: &[u8], complete: bool) -> ErrorResponse {
    let seen = body.get(..SEEN).unwrap_or(body);
    let text = head.kept(seen);
    // What JSON there is may be a customer's content, and no message.
    let words = match ErrorBody::of(&text) {
        words @ ErrorBody {
            form: BodyForm::Page,
            ..
        } => words,
        ErrorBody { form, .. } => ErrorBody {
            form,
            ..ErrorBody::default()
        },
    };
    error_response(head, words, text, complete && seen.len() == body.len())
}

fn error_response(
    head: &Head<'_>,
    words: ErrorBody,
    text: String,
    complete: bool,
) -> ErrorResponse {
    let (body, is_whole) = truncated(text);
    ErrorResponse {
        status: head.status,
        headers: head.kept_headers(),
        retry_after: asked_wait(head.status, &head.headers, head.now),
        body,
        body_complete: complete && is_whole,
        form: words.form,
        code: words.code,
        message: words.message,
        external_reference: words.external_reference,
        details: words.details,
    }
}

/// What an error keeps of a text, and whether that is all of it.
fn truncated(mut text: String) -> (String, bool) {
    let all = text.len() <= KEPT;
    if !all {
        let end = (0..=KEPT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.shrink_to_fit();
    }
    (text, all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn refused(body: &[u8], headers: HeaderMap) -> Error {
        let token = Token::new(TOKEN).expect("fits");
        let head = Head {
            status: StatusCode::BAD_REQUEST,
            headers,
            token: &token,
            request: br#"{"items":[{"id":"sent0sent1sent2sent3sent4"}]}"#,
            now: SystemTime::UNIX_EPOCH,
        };
        let body = Body {
            bytes: body.to_vec(),
            end: End::Complete,
        };
        Error::refused(&head, body)
    }

    fn kept(body: &[u8]) -> Error {
        refused(body, HeaderMap::new())
    }

    #[test]
    fn what_cannot_be_text_is_kept_as_well_as_it_can_be() {
        assert_eq!(kept(b"cut: \xf0\x9f").message(), Some("cut: \u{fffd}"));
        let mark = "\u{feff}{\"message\":\"no\"}";
        let error = kept(mark.as_bytes());
        assert_eq!((error.message(), error.body()), (Some("no"), Some(mark)));
    }

    #[test]
    fn the_token_is_in_nothing_that_is_kept_wherever_it_stands() {
        for start in (KEPT - 40..KEPT + 40).step_by(7) {
            for rest in ["", "and more", &"é".repeat(KEPT)] {
                let body = format!("{}{TOKEN}{rest}", "x".repeat(start));
                let error = kept(body.as_bytes());
                let text = error.body().expect("a body");
                assert!(text.len() <= KEPT);
                assert!(!text.contains("01234567"), "it starts at {start}");
            }
        }
        // What was taken out is longer than what stands for it, so more of the body moves up.
        let error = kept(TOKEN.repeat(KEPT).as_bytes());
        assert_eq!(error.body(), Some("[redacted]"));
    }

    #[test]
    fn what_was_sent_can_be_read_and_other_long_words_cannot() {
        let error = kept(br#"{"message":"sent0sent1sent2sent3sent4 is not told0told1told2told3"}"#);
        assert_eq!(
            error.message(),
            Some("sent0sent1sent2sent3sent4 is not [redacted]")
        );
    }

    #[test]
    fn headers_that_say_something_are_kept_and_the_others_are_not() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/html"),
            ("cf-ray", "8f2d3c4b5a697887-FRA"),
            ("x-ratelimit-remaining", "7"),
            (
                "www-authenticate",
                "Bearer error=\"invalid_token\", was=\"0123456789ABCDEF\"",
            ),
            ("set-cookie", "session=1"),
            ("x-echo", "1"),
        ] {
            headers.insert(name, value.parse().expect("a value"));
        }
        headers.append(header::VIA, HeaderValue::from_static("a"));
        headers.append(header::VIA, HeaderValue::from_static("b"));
        let error = refused(b"", headers);
        let kept = error.headers().expect("headers");
        let kept: Vec<_> = kept
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text")))
            .collect();
        assert_eq!(kept.len(), 6, "{kept:?}");
        for pair in [
            ("cf-ray", "8f2d3c4b5a697887-FRA"),
            (
                "www-authenticate",
                "Bearer error=\"invalid_token\", was=\"[redacted]\"",
            ),
            ("via", "b"),
        ] {
            assert!(kept.contains(&pair), "{pair:?}: {kept:?}");
        }
    }

    #[test]
    fn why_an_answer_cannot_be_read_is_no_longer_than_what_is_kept_of_a_body() {
        let token = Token::new(TOKEN).expect("fits");
        let head = Head {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            token: &token,
            request: b"",
            now: SystemTime::UNIX_EPOCH,
        };
        let text = format!("invalid type: string \"{}\"", "x".repeat(9 * KEPT));
        let error = Error::unreadable(&head, b"", &text);
        let reason = error.reason().expect("a reason");
        assert!(reason.len() <= KEPT && text.starts_with(reason));
        let error = Error::unreadable(&head, b"<title>Sign in</title>", "expected value");
        assert_eq!(
            error.to_string(),
            "the response is invalid (status 200): it is a web page: Sign in"
        );
    }

    #[test]
    fn a_body_is_complete_if_all_of_it_came_and_all_of_it_is_kept() {
        let whole = |length: usize| kept(&vec![b'x'; length]).is_body_complete();
        assert!(whole(0) && whole(KEPT));
        assert!(!whole(KEPT + 1) && !whole(KEPT * 9));
    }
}
