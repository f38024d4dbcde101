//! Makes errors of responses: of those with an error status, and of invalid ones with status 200.

use std::time::SystemTime;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::body::{Body, End};
use super::token::Token;
use crate::error::{BodyForm, Error, ErrorKind, ErrorResponse};
use crate::rate_limit::requested_wait;
use crate::response::error_body::ErrorBody;

/// How many bytes of a body an error keeps.
const KEPT: usize = 8 * 1024;

/// How many bytes of an invalid success are redacted to obtain them. Redaction shortens a text.
const REDACTED: usize = 2 * KEPT;

/// The head of a response, and the context to make an error of it.
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) token: &'a Token,
    /// The body of the request.
    pub(crate) request: &'a [u8],
    pub(crate) now: SystemTime,
}

impl Error {
    /// Makes the error of a status. It does not depend on whether the body is complete or valid.
    pub(crate) fn refused(head: &Head<'_>, body: Body) -> Self {
        let complete = matches!(body.end, End::Complete);
        let text = head.redacted(&body.bytes);
        let parsed = ErrorBody::of(&text);
        let error = Self::new(ErrorKind::of_status(head.status));
        let error = error.with_response(error_response(head, parsed, text, complete));
        match body.end {
            End::Complete | End::TooLarge | End::TimedOut => error,
            End::Failed(source) => error.with_source(source).without_token(head.token),
        }
    }

    /// Makes the error of a status 200 whose body is incomplete.
    pub(crate) fn incomplete(head: &Head<'_>, body: Body) -> Self {
        let response = invalid_success(head, &body.bytes, false);
        match body.end {
            End::Complete => Self::new(ErrorKind::InvalidResponse).with_response(response),
            End::TooLarge => Self::new(ErrorKind::InvalidResponse)
                .with_response(response)
                .with_reason("it is larger than max_response_bytes"),
            End::TimedOut => Self::new(ErrorKind::Timeout).with_response(response),
            End::Failed(source) => Self::transport(source, head.token).with_response(response),
        }
    }

    /// Makes the error of a status 200 whose body is complete and invalid.
    pub(crate) fn invalid_response(head: &Head<'_>, body: &[u8], reason: &str) -> Self {
        let response = invalid_success(head, body, true);
        let reason = match response.form {
            BodyForm::Page => "it is a web page".to_owned(),
            // A reason may quote the response at length.
            _ => {
                let reason = reason.as_bytes();
                truncated(head.redacted(reason.get(..REDACTED).unwrap_or(reason))).0
            }
        };
        Self::new(ErrorKind::InvalidResponse)
            .with_response(response)
            .with_reason(reason)
    }
}

impl Head<'_> {
    /// Redacts a text of the response. An error is made only of redacted text.
    fn redacted(&self, text: &[u8]) -> String {
        self.token
            .redact_response(&String::from_utf8_lossy(text), self.request)
    }

    /// Returns the headers that help to explain a failure, redacted.
    fn kept_headers(&self) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for (name, value) in &self.headers {
            if !is_needed(name) {
                continue;
            }
            if let Ok(value) = HeaderValue::from_str(&self.redacted(value.as_bytes())) {
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

/// Makes the response of an invalid success.
fn invalid_success(head: &Head<'_>, body: &[u8], complete: bool) -> ErrorResponse {
    let beginning = body.get(..REDACTED).unwrap_or(body);
    let text = head.redacted(beginning);
    // JSON may be a customer's content and not a message.
    let parsed = match ErrorBody::of(&text) {
        parsed @ ErrorBody {
            form: BodyForm::Page,
            ..
        } => parsed,
        ErrorBody { form, .. } => ErrorBody {
            form,
            ..ErrorBody::default()
        },
    };
    let is_whole = beginning.len() == body.len();
    error_response(head, parsed, text, complete && is_whole)
}

fn error_response(
    head: &Head<'_>,
    parsed: ErrorBody,
    text: String,
    complete: bool,
) -> ErrorResponse {
    let (body, is_whole) = truncated(text);
    ErrorResponse {
        status: head.status,
        headers: head.kept_headers(),
        retry_after: requested_wait(head.status, &head.headers, head.now),
        body,
        body_complete: complete && is_whole,
        form: parsed.form,
        code: parsed.code,
        message: parsed.message,
        external_reference: parsed.external_reference,
        details: parsed.details,
    }
}

/// Truncates a text to the bytes that an error keeps. Returns whether the text is whole.
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

    fn rejected(body: &[u8], headers: HeaderMap) -> Error {
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
        rejected(body, HeaderMap::new())
    }

    #[test]
    fn invalid_utf_8_becomes_replacement_characters() {
        assert_eq!(kept(b"half: \xf0\x9f").message(), Some("half: \u{fffd}"));
        let mark = "\u{feff}{\"message\":\"no\"}";
        let error = kept(mark.as_bytes());
        assert_eq!((error.message(), error.body()), (Some("no"), Some(mark)));
    }

    #[test]
    fn the_token_is_removed_wherever_it_is_in_the_body() {
        for start in (KEPT - 40..KEPT + 40).step_by(7) {
            for rest in ["", "and more", &"é".repeat(KEPT)] {
                let body = format!("{}{TOKEN}{rest}", "x".repeat(start));
                let error = kept(body.as_bytes());
                let text = error.body().expect("a body");
                assert!(text.len() <= KEPT);
                assert!(!text.contains("01234567"), "it starts at {start}");
            }
        }
        // A token is longer than its replacement, so more of the body is kept.
        let error = kept(TOKEN.repeat(KEPT).as_bytes());
        assert_eq!(error.body(), Some("[redacted]"));
    }

    #[test]
    fn words_of_the_request_are_kept_and_other_long_words_are_redacted() {
        let error = kept(br#"{"message":"sent0sent1sent2sent3sent4 is not else0else1else2else3"}"#);
        assert_eq!(
            error.message(),
            Some("sent0sent1sent2sent3sent4 is not [redacted]")
        );
    }

    #[test]
    fn headers_that_explain_a_failure_are_kept_and_others_are_not() {
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
        let error = rejected(b"", headers);
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
    fn the_reason_of_an_invalid_response_is_no_longer_than_the_kept_body() {
        let token = Token::new(TOKEN).expect("fits");
        let head = Head {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            token: &token,
            request: b"",
            now: SystemTime::UNIX_EPOCH,
        };
        let text = format!("invalid type: string \"{}\"", "x".repeat(9 * KEPT));
        let error = Error::invalid_response(&head, b"", &text);
        let reason = error.reason().expect("a reason");
        assert!(reason.len() <= KEPT && text.starts_with(reason));
        let error = Error::invalid_response(&head, b"<title>Sign in</title>", "expected value");
        assert_eq!(
            error.to_string(),
            "the response is invalid (status 200): it is a web page: Sign in"
        );
    }

    #[test]
    fn a_body_is_complete_if_it_is_received_and_kept_as_a_whole() {
        let whole = |length: usize| kept(&vec![b'x'; length]).is_body_complete();
        assert!(whole(0) && whole(KEPT));
        assert!(!whole(KEPT + 1) && !whole(KEPT * 9));
    }
}
