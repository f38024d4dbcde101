//! Properties of errors for a server that repeats the token in any encoding.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::super::body::{Body, End};
use super::super::refusal::Head;
use super::super::token::Token;
use super::super::token::tests::{assert_redacted, encodings, secrets};
use crate::bulk::Reason;
use crate::error::Error;
use ::http::{HeaderMap, StatusCode};

/// The bodies in which a server can repeat what it was sent.
fn bodies(encoded: &str) -> Vec<String> {
    let text = Value::from(encoded);
    vec![
        json!({"message": text, "code": text, "externalReference": text, "details": []}).to_string(),
        json!({"message": "no", "details": [{"param": text, "description": text, "more": [text]}, text]}).to_string(),
        json!({"title": text, "invalid-params": [{"name": text, "reason": text}]}).to_string(),
        format!(r#"{{"msg":"no","problems":["Field 'x': {encoded}"]}}"#),
        format!("<html><title>{encoded}</title><body>{encoded}"),
        format!("you sent {encoded}"),
        format!(r#"{{"message":"incomplete {encoded}"#),
    ]
}

/// Returns everything that an error shows.
fn shown(error: &Error) -> Vec<String> {
    let reason = serde_json::to_string(&Reason::from_error(error)).expect("JSON");
    let mut shown = vec![
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
        reason,
    ];
    shown.extend(
        [
            error.message(),
            error.code(),
            error.body(),
            error.external_reference(),
        ]
        .map(Option::unwrap_or_default)
        .map(str::to_owned),
    );
    for detail in error.details() {
        shown.extend([
            detail.to_string(),
            detail.raw().to_string(),
            format!("{detail:?}"),
        ]);
    }
    let headers = error.headers().into_iter().flatten();
    shown.extend(headers.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()));
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_error_never_shows_eight_characters_of_the_token(
        secret in secrets(),
        status in select(vec![200, 401, 403, 429, 500]),
        encoding in any::<Index>(),
        body in any::<Index>(),
    ) {
        let token = Token::new(&*secret).expect("fits");
        let encodings = encodings(&secret);
        let (encoding, encoded) = encoding.get(&encodings);
        let bodies = bodies(encoded);
        let mut headers = HeaderMap::new();
        for name in ["www-authenticate", "server", "cf-ray", "x-echo"] {
            if let Ok(value) = encoded.parse() {
                headers.insert(name, value);
            }
        }
        let head = Head {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            token: &token,
            request: b"",
            now: std::time::UNIX_EPOCH,
        };
        let body = Body { bytes: body.get(&bodies).as_bytes().to_vec(), end: End::Complete };
        let error = match status {
            200 => Error::invalid_response(&head, &body.bytes, &format!("invalid type: {encoded}")),
            _ => Error::refused(&head, body),
        };
        for text in shown(&error) {
            assert_redacted(&secret, &text, encoding);
        }
    }
}
