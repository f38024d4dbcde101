//! Properties of the texts and accessors of errors.

mod secrets;

use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::attempts::CallOptions;
use super::refusal::Head;
use crate::error::{
    Attempts, BodyForm, Error, ErrorDetail, ErrorKind, ErrorResponse, FailedAttempt, RetryStopped,
    inside_message,
};
use crate::http::attempts::OperationTimeout;
use crate::http::token::Token;
use crate::rate_limit::NotAdmitted;
use crate::retry::RetryPolicy;

fn options() -> CallOptions {
    CallOptions {
        retry: RetryPolicy::new(),
        attempt_timeout: Duration::from_secs(60),
        operation_timeout: OperationTimeout::Call(Duration::from_secs(300)),
    }
}

/// Makes the error of a status with this body.
fn rejected(status: u16, body: &str) -> Error {
    let token = Token::new("3f9a41c0d27be8156a0c9d4e7b2f1358").expect("fits");
    let head = Head {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        token: &token,
        request: b"",
        now: std::time::UNIX_EPOCH,
    };
    let body = crate::http::body::Body {
        bytes: body.into(),
        end: crate::http::body::End::Complete,
    };
    Error::refused(&head, body)
}

/// Returns the text of an error after one attempt, on which the service requested a wait of so many seconds.
fn retry_stopped(status: u16, reason: RetryStopped, requested: Option<u64>) -> String {
    let response = ErrorResponse {
        status: StatusCode::from_u16(status).expect("a status"),
        retry_after: requested.map(Duration::from_secs),
        ..ErrorResponse::default()
    };
    let error = Error::new(ErrorKind::of_status(response.status)).with_response(response);
    error.stopped(reason, &options()).to_string()
}

#[test]
fn the_text_explains_why_the_call_was_not_retried() {
    for (text, expected) in [
        (
            retry_stopped(429, RetryStopped::RetryAfterTooLong, Some(3600)),
            "too many requests (status 429); the service requests a wait of 3600 s, longer than max_retry_after, 120 s",
        ),
        (
            retry_stopped(429, RetryStopped::TimeoutExceeded, Some(400)),
            "too many requests (status 429); the operation timeout, 300 s, leaves no time for another attempt, \
             since the service requests a wait of 400 s",
        ),
        (
            retry_stopped(500, RetryStopped::TimeoutExceeded, None),
            "the service failed (status 500); the operation timeout, 300 s, leaves no time for another attempt",
        ),
        (
            retry_stopped(500, RetryStopped::BudgetExhausted, None),
            "the service failed (status 500); the retry budget of the client is exhausted",
        ),
        (
            retry_stopped(500, RetryStopped::Ambiguous, None),
            "the service failed (status 500); the service may have acted, and the policy does not retry then",
        ),
        (
            retry_stopped(500, RetryStopped::AttemptsExhausted, None),
            "the service failed (status 500)",
        ),
        (
            retry_stopped(400, RetryStopped::NotRetryable, Some(60)),
            "the request was rejected (status 400)",
        ),
        (
            Error::not_sent(
                NotAdmitted::WaitTooLong(Duration::from_millis(180_500)),
                &options(),
            )
            .to_string(),
            "the request was not sent; the service requests a wait of 180.5 s, longer than max_retry_after, 120 s",
        ),
        (
            Error::not_sent(NotAdmitted::OutOfTime(Duration::ZERO), &options()).to_string(),
            "the request was not sent; the operation timeout, 300 s, leaves no time for another attempt",
        ),
        (
            Error::not_sent(NotAdmitted::Aborted, &options()).to_string(),
            "the request was not sent: the journal could not record the request",
        ),
    ] {
        assert_eq!(text, expected);
    }
}

#[test]
fn a_web_page_is_reported_as_the_response_of_an_intermediary() {
    const PAGE: &str = "<!doctype html><title>Attention Required! | Cloudflare</title><p>Blocked";
    for status in [400, 401, 403, 404, 409, 413, 422] {
        let error = rejected(status, PAGE);
        assert!(error.is_from_intermediary());
        assert_eq!(
            error.kind(),
            ErrorKind::of_status(StatusCode::from_u16(status).expect("one"))
        );
        assert_eq!(
            error.to_string(),
            format!(
                "an intermediary in front of the service, such as a proxy or a firewall, rejected the request \
                 (status {status}): Attention Required! | Cloudflare"
            )
        );
        assert_eq!(error.body(), Some(PAGE));
    }
    assert!(
        rejected(429, PAGE)
            .to_string()
            .starts_with("too many requests (status 429): Attention")
    );
    assert!(
        rejected(502, PAGE)
            .to_string()
            .starts_with("the service failed (status 502): Attention")
    );
    for (body, text) in [
        (
            "Access denied",
            "access was denied (status 403): Access denied",
        ),
        (
            r#"{"message":"no scope"}"#,
            "the token lacks the permission (status 403): no scope",
        ),
        ("", "the token lacks the permission (status 403)"),
    ] {
        let error = rejected(403, body);
        assert!(!error.is_from_intermediary());
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn the_reason_in_a_body_is_in_the_text_and_in_dead_letters() {
    for (body, text, reason) in [
        (
            "404 Not Found",
            "not found (status 404): 404 Not Found",
            r#"{"kind":"not_found","status":404,"message":"404 Not Found"}"#,
        ),
        (
            r#"{"msg":"Validation Failure","problems":["Field 'name': is\u001b[2J required"]}"#,
            r"not found (status 404): Validation Failure [name: is\u{1b}[2J required]",
            r#"{"kind":"not_found","status":404,"message":"Validation Failure","details":["name: is\\u{1b}[2J required"]}"#,
        ),
        (
            r#"{"errors":["a","b"]}"#,
            "not found (status 404) [a; b]",
            r#"{"kind":"not_found","status":404,"message":"not found (status 404) [a; b]","details":["a","b"]}"#,
        ),
    ] {
        let error = rejected(404, body);
        assert_eq!(error.to_string(), text);
        let kept = crate::bulk::Reason::from_error(&error);
        assert_eq!(serde_json::to_string(&kept).expect("JSON"), reason);
    }
}

#[test]
fn debug_writes_the_text_and_the_causes_and_alternate_debug_the_fields() {
    let cause = std::io::Error::other("disk\u{1b} full");
    let error = Error::new(ErrorKind::Transport).with_source(cause);
    assert_eq!(
        format!("{error:?}"),
        r"the transport failed; caused by: disk\u{1b} full"
    );
    let repeated = Error::new(ErrorKind::Journal)
        .with_reason("a: b")
        .with_source(std::io::Error::other("a: b"));
    assert_eq!(format!("{repeated:?}"), "the journal cannot be used: a: b");
    let error = rejected(400, r#"{"message":"no","code":"bad"}"#);
    assert_eq!(format!("{error:?}"), error.to_string());
    let fields = format!("{error:#?}");
    for part in [
        "text: the request was rejected (status 400, bad): no",
        "kind: BadRequest",
        "body: ",
    ] {
        assert!(fields.contains(part), "{part}: {fields}");
    }
}

#[test]
fn public_enums_have_a_text_and_a_stable_name() {
    assert_eq!(ErrorKind::ConnectionClosed.as_str(), "connection_closed");
    assert_eq!(
        ErrorKind::Unauthorized.to_string(),
        "the token is missing or invalid"
    );
    assert_eq!(
        RetryStopped::RetryAfterTooLong.as_str(),
        "retry_after_too_long"
    );
    assert_eq!(
        RetryStopped::AttemptsExhausted.to_string(),
        "the attempts of the policy are exhausted"
    );
    assert_eq!(
        crate::observe::WaitCause::RetryAfter.as_str(),
        "retry-after"
    );
    assert_eq!(
        crate::observe::WaitCause::Backoff.to_string(),
        "before another attempt"
    );
    let failed = crate::observe::AttemptEnd::Failed(ErrorKind::Timeout);
    assert_eq!(failed.to_string(), "failed: the request timed out");
    let attempt = FailedAttempt {
        kind: ErrorKind::ServerError,
        status: StatusCode::from_u16(500).ok(),
        may_have_acted: true,
        waited: Some(Duration::from_millis(1500)),
    };
    assert_eq!(
        attempt.to_string(),
        "the service failed (status 500), the service may have acted, waited 1.5s"
    );
}

#[test]
fn an_invalid_success_was_accepted() {
    let with = |kind, form| {
        let response = ErrorResponse {
            form,
            ..ErrorResponse::default()
        };
        Error::new(kind).with_response(response)
    };
    for kind in [
        ErrorKind::Timeout,
        ErrorKind::ConnectionClosed,
        ErrorKind::Transport,
        ErrorKind::InvalidResponse,
    ] {
        let error = with(kind, BodyForm::Json);
        assert!(error.was_accepted() && error.may_have_acted() && !error.is_retryable());
        assert!(
            !with(kind, BodyForm::Page).was_accepted(),
            "a page with 200 is not from the service"
        );
        assert!(!Error::new(kind).was_accepted());
    }
    assert_eq!(
        with(ErrorKind::ConnectionClosed, BodyForm::Nothing).to_string(),
        "the service accepted the request, and the connection was closed before the response was complete (status 200)"
    );
    assert!(!rejected(500, "").was_accepted());
}

#[test]
fn an_error_is_one_word_wide() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

#[test]
fn clones_share_the_response_and_not_later_changes() {
    let response = ErrorResponse {
        body: "x".repeat(8_000),
        ..ErrorResponse::default()
    };
    let error = Error::new(ErrorKind::BadRequest).with_response(response);
    let clone = error.clone().after_earlier(&[], true);
    let bodies = [&error, &clone].map(|error| error.body().expect("a body").as_ptr());
    assert_eq!(bodies[0], bodies[1]);
    assert!(clone.may_have_acted() && !error.may_have_acted());
}

#[test]
fn an_error_includes_the_attempts_of_earlier_calls() {
    let attempt = |status| FailedAttempt {
        kind: ErrorKind::ServerError,
        status: StatusCode::from_u16(status).ok(),
        may_have_acted: status != 429,
        waited: None,
    };
    let own = |attempts: u16| {
        let attempts = Attempts {
            count: attempts.into(),
            failed: (0..attempts).map(|_| attempt(429)).collect(),
            ..Attempts::default()
        };
        Error::new(ErrorKind::BadRequest)
            .with_attempts(attempts)
            .stopped(RetryStopped::NotRetryable, &options())
    };
    let earlier = [attempt(500), attempt(502)];
    let error = own(1).after_earlier(&earlier, false);
    assert_eq!(error.attempts(), 3);
    let statuses = error
        .failed_attempts()
        .iter()
        .filter_map(|attempt| attempt.status);
    assert!(statuses.eq([500, 502, 429].map(|code| StatusCode::from_u16(code).expect("one"))));
    assert!(error.may_have_acted());
    assert_eq!(
        error.to_string(),
        "the request was rejected (after 3 attempts; the service may have acted on an earlier one)"
    );
    let limited = own(1).after_earlier(&[attempt(429)], false);
    assert!(!limited.may_have_acted());
    assert_eq!(
        limited.to_string(),
        "the request was rejected (after 2 attempts)"
    );
    let before = own(1).after_earlier(&[], true);
    assert_eq!(
        before.to_string(),
        "the request was rejected (after an earlier attempt, on which the service may have acted)"
    );
    let many = own(20).after_earlier(&vec![attempt(500); 31], true);
    assert_eq!((many.attempts(), many.failed_attempts().len()), (51, 32));
    let first = many.failed_attempts().first().expect("kept");
    assert_eq!(first.status, StatusCode::from_u16(500).ok());
}

#[test]
fn received_text_cannot_control_a_terminal() {
    let error = Error::new(ErrorKind::BadRequest).with_reason("\u{1b}[2J\r\nok");
    assert_eq!(
        error.to_string(),
        "the request was rejected: \\u{1b}[2J\\r\\nok"
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
fn the_text_includes_details_that_the_message_lacks() {
    let text = |message: &str, details: Value| {
        let response = ErrorResponse {
            message: Some(message.into()),
            details: match details {
                Value::Array(details) => details.into_iter().map(ErrorDetail::parse).collect(),
                _ => inside_message(message),
            },
            ..ErrorResponse::default()
        };
        let text = Error::new(ErrorKind::BadRequest)
            .with_response(response)
            .to_string();
        let (_, message) = text.split_once("): ").expect("a message");
        message.to_owned()
    };
    let price = json!({"field": "price", "message": "is no number"});
    let slug = json!({"param": "slug", "description": "is\ntaken"});
    assert_eq!(
        text(
            "Validation Error",
            json!([price, slug, {"deep": [1]}, "no name"])
        ),
        r#"Validation Error [price: is no number; slug: is\ntaken; {"deep":[1]}; and 1 more]"#
    );
    assert_eq!(
        text("price is no number", json!([price])),
        "price is no number"
    );
    let inside = r#"Validation Error: ["\"id\" is no string"]"#;
    assert_eq!(text(inside, Value::Null), inside);
    let long = text(
        "Validation Error",
        json!([price, "x".repeat(10_000), "y".repeat(10_000)]),
    );
    assert!(long.chars().count() < 500, "{long}");
}

#[test]
fn a_long_message_is_truncated_in_the_text_and_not_in_the_accessor() {
    let message = "x".repeat(10_000);
    let response = ErrorResponse {
        message: Some(message.clone().into()),
        ..ErrorResponse::default()
    };
    let error = Error::new(ErrorKind::BadRequest).with_response(response);
    assert!(error.to_string().chars().count() < 600);
    assert_eq!(error.message(), Some(message.as_str()));
}
