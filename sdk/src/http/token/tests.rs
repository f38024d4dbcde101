//! Properties of redaction: tokens in every encoding, and texts without a token.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const HEX: &str = "3f9a41c0d27be8156a0c9d4e7b2f1358c6e0a97d41b83f5207ca9e6d18b4f302";

fn token(secret: &str) -> Token {
    Token::new(secret).expect("fits")
}

/// An independent base64 encoder.
fn base64(text: &str, plus: char, slash: char) -> String {
    let digit = |value: u32| match u8::try_from(value & 63).expect("six bits") {
        value @ 0..=25 => char::from(b'A' + value),
        value @ 26..=51 => char::from(b'a' + value - 26),
        value @ 52..=61 => char::from(b'0' + value - 52),
        62 => plus,
        _ => slash,
    };
    let group = |bytes: &[u8]| {
        let bits = bytes
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - bytes.len()));
        let digits = (0..=bytes.len()).map(move |place| digit(bits >> (18 - 6 * place)));
        digits.collect::<String>()
    };
    text.as_bytes().chunks(3).map(group).collect()
}

fn each(text: &str, encoded: impl Fn(char) -> String) -> String {
    text.chars().map(encoded).collect()
}

fn percent(text: &str) -> String {
    each(text, |character| format!("%{:02x}", u32::from(character)))
}

fn entities(text: &str) -> String {
    each(text, |character| format!("&#x{:x};", u32::from(character)))
}

/// Returns the known encodings of a secret, with their names.
pub(crate) fn encodings(secret: &str) -> Vec<(&'static str, String)> {
    let bearer = format!("Bearer {secret}");
    let (one, two) = secret.split_at(secret.len() / 2);
    let backwards: String = secret.chars().rev().collect();
    vec![
        ("plain", secret.to_owned()),
        ("capitals", secret.to_uppercase()),
        ("small letters", secret.to_lowercase()),
        ("backwards", backwards),
        ("base64", base64(secret, '+', '/')),
        ("base64 for URLs", base64(secret, '-', '_')),
        ("base64 of the header", base64(&bearer, '+', '/')),
        (
            "base64 with something in front",
            base64(&format!("a {secret}"), '+', '/'),
        ),
        (
            "spaced base64",
            each(&base64(secret, '+', '/'), |c| format!("{c} ")),
        ),
        (
            "hexadecimal bytes",
            each(secret, |c| format!("{:02X}", u32::from(c))),
        ),
        (
            "hexadecimal bytes with colons",
            each(secret, |c| format!("{:02x}:", u32::from(c))),
        ),
        ("percent", percent(secret)),
        ("percent twice", percent(&percent(secret))),
        ("percent of capitals", percent(&secret.to_uppercase())),
        ("entities", entities(secret)),
        (
            "decimal entities",
            each(secret, |c| format!("&#{};", u32::from(c))),
        ),
        ("escaped entities", entities(secret).replace('&', "&amp;")),
        (
            "JSON escapes",
            each(secret, |c| format!("\\u{:04x}", u32::from(c))),
        ),
        (
            "JSON escapes twice",
            each(secret, |c| format!("\\\\u{:04x}", u32::from(c))),
        ),
        (
            "C escapes",
            each(secret, |c| format!("\\x{:02x}", u32::from(c))),
        ),
        ("blanks", each(secret, |c| format!("{c} "))),
        ("dashes", each(secret, |c| format!("{c}-"))),
        ("lines", each(secret, |c| format!("{c}\n"))),
        (
            "unseen characters",
            each(secret, |c| format!("{c}\u{200b}")),
        ),
        (
            "wide characters",
            each(secret, |c| {
                char::from_u32(u32::from(c) + 0xfee0).expect("one").into()
            }),
        ),
        ("tags", each(secret, |c| format!("<b>{c}</b>"))),
        ("two members", format!(r#""one":"{one}","two":"{two}""#)),
        ("two sentences", format!("{one}. {two}")),
    ]
}

/// Decodes a text in every known way.
fn decoded(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for layer in decode::layers(text) {
        let mut readings = vec![layer.clone(), decode::letters_and_digits(&layer)];
        readings.extend(decode::untagged(&layer).map(|units| decode::letters_and_digits(&units)));
        readings.extend(decode::base64(&layer));
        readings.extend(decode::hexadecimal(&layer));
        all.extend(readings.iter().map(|units| {
            let letters = units
                .iter()
                .map(|unit| char::from(unit.byte).to_ascii_lowercase());
            letters.collect::<String>()
        }));
    }
    all
}

/// Fails if the text contains 8 consecutive characters of the secret in any encoding.
pub(crate) fn assert_redacted(secret: &str, text: &str, encoding: &str) {
    let forwards = secret.to_lowercase();
    let backwards: String = forwards.chars().rev().collect();
    for reading in decoded(text) {
        for secret in [&forwards, &backwards] {
            for part in secret.as_bytes().windows(8) {
                let part = std::str::from_utf8(part).expect("ASCII");
                assert!(
                    !reading.contains(part),
                    "{encoding}: {part:?} is left of {text:?}"
                );
            }
        }
    }
}

/// Tokens of the known shapes: hexadecimal, three parts of base64 with points, letters and digits.
pub(crate) fn secrets() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{64}",
        "eyJ[A-Za-z0-9_-]{33}\\.[A-Za-z0-9_-]{40,120}\\.[A-Za-z0-9_-]{43}",
        "[A-Za-z0-9]{40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redaction_leaves_no_eight_characters_of_a_token_in_any_encoding(
        secret in secrets(),
        frame in select(vec![("", ""), ("a bad token ", " was sent"), ("{\"message\":\"x", "y\"}"), ("abc", "1")]),
    ) {
        let token = token(&secret);
        for (encoding, encoded) in encodings(&secret) {
            let text = format!("{}{encoded}{}", frame.0, frame.1);
            for kept in [token.redact(&text), token.redact_response(&text, b"")] {
                assert_redacted(&secret, &kept, encoding);
                prop_assert!(kept.contains("[redacted]"), "{}", kept);
            }
        }
    }
}

#[test]
fn a_text_without_a_secret_is_unchanged() {
    let token = token(HEX);
    for text in [
        "",
        "Validation Error: [\"Value (fieldData.price)'s type should be number\"]",
        "Unique value is already in use by item 66f6ed9576ddacf3149d5ea6",
        "See https://developers.webflow.com/data/v2.0.0/reference/error-handling",
        "OAuthForbidden: You are missing the following scopes - 'cms:write'",
        "Donaudampfschifffahrtsgesellschaftskapitän \u{1f600} 100 % & more \\ than 2024-09-27T17:38:29.066Z",
        "<p>Ray ID: 8f2d3c4b5a697887 &bull; 550e8400-e29b-41d4-a716-446655440000</p>",
        r#"{"code":9007199254740993,"half":"\ud83d"}"#,
    ] {
        assert_eq!(token.redact_response(text, b""), text);
    }
}

#[test]
fn a_long_word_with_digits_is_redacted_unless_it_was_sent_or_is_an_id() {
    let token = token(HEX);
    let opaque = "QmFzZTY0aXNzaGFyZHRvcmVhZA";
    let text = format!("not {opaque}: no");
    assert_eq!(token.redact_response(&text, b"{}"), "not [redacted]: no");
    let request = format!(r#"{{"items":[{{"fieldData":{{"a":"\n{opaque}"}}}}]}}"#);
    assert_eq!(token.redact_response(&text, request.as_bytes()), text);
    let id = "66f6ed9576ddacf3149d5ea6";
    assert_eq!(token.redact_response(id, b""), id);
    assert_eq!(token.redact_response(&format!("{id}0"), b""), "[redacted]");
    assert_eq!(
        token.redact_response(r"line\n12345678901234567890", b""),
        r"line\n[redacted]"
    );
}

#[test]
fn the_token_is_redacted_although_it_was_sent() {
    let token = token(HEX);
    assert_eq!(token.redact_response(HEX, HEX.as_bytes()), "[redacted]");
}

#[test]
fn json_with_a_token_in_its_strings_is_still_json_after_redaction() {
    let token = token(HEX);
    let (one, two) = HEX.split_at(30);
    let text = format!(r#"{{"one":"no {one}","two":"{two}","{HEX}":["a\n{HEX}",7]}}"#);
    let kept: Value = serde_json::from_str(&token.redact(&text)).expect("JSON");
    let expected = serde_json::json!({
        "one": "no [redacted]", "two": "[redacted]", "[redacted]": ["a\n[redacted]", 7],
    });
    assert_eq!(kept, expected);
}

#[test]
fn eight_characters_of_a_token_are_redacted_and_seven_are_not() {
    let token = token("0123456789abcdef");
    let redacted = |text: &str| token.redact(text);
    assert_eq!(redacted("bad token 01234567…"), "bad token [redacted]…");
    assert_eq!(redacted("it ends in 89abcdef"), "it ends in [redacted]");
    assert_eq!(redacted("0123456 789abcd"), "[redacted]");
    assert_eq!(redacted("0123456, 9abcdef"), "0123456, 9abcdef");
}

#[test]
fn a_token_of_words_is_redacted_and_the_same_words_elsewhere_are_not() {
    let token = token("reference-token");
    assert_eq!(
        token.redact("is reference-token good?"),
        "is [redacted] good?"
    );
    let words = r#"{"externalReference":null,"message":"no reference"}"#;
    assert_eq!(token.redact_response(words, b""), words);
    let short = super::tests::token("item");
    assert_eq!(short.redact("item_not_found"), "item_not_found");
}

#[test]
fn a_token_of_digits_is_redacted_in_numbers() {
    let token = token("123456789012345678901234");
    for number in [
        "123456789012345678901234",
        "123456789012",
        "-1.23456789012",
        "1.234567890123e20",
    ] {
        let kept = token.redact(&format!("[{number}]"));
        assert!(
            kept.contains("[redacted]") && !kept.contains("34567"),
            "{number}: {kept}"
        );
    }
    assert_eq!(
        token.redact("[1234567,12.5,918273645]"),
        "[1234567,12.5,918273645]"
    );
    let mut members = serde_json::from_str(r#"{"a":123456789012345678901234}"#).expect("JSON");
    token.redact_members(&mut members);
    assert!(members.is_empty());
}

#[test]
fn a_token_that_looks_like_an_escape_is_redacted() {
    for secret in [
        "01%234567%ab",
        r#"01"23\4567"#,
        "usher0u0123",
        "&amp;0123;4567",
    ] {
        let token = token(secret);
        for (encoding, encoded) in [
            ("plain", secret.to_owned()),
            ("percent", percent(secret)),
            ("entities", entities(secret)),
            ("JSON", serde_json::to_string(secret).expect("JSON")),
        ] {
            let kept = token.redact(&encoded);
            assert!(
                kept.contains("[redacted]"),
                "{secret} as {encoding}: {kept}"
            );
        }
    }
}

#[test]
fn a_large_text_of_escapes_is_redacted_in_linear_time() {
    let token = token(HEX);
    for text in [
        r"\".repeat(256 * 1024),
        "%25".repeat(64 * 1024),
        "&amp;".repeat(50_000),
    ] {
        assert_eq!(token.redact(&text), text);
    }
}

#[test]
fn an_invalid_token_is_rejected_and_not_shown() {
    for secret in ["two\nlines", "with space", "tab\t", "é", "\u{7f}"] {
        let error = Token::new(secret).expect_err("rejected");
        assert!(!format!("{error} {error:?}").contains(secret), "{secret:?}");
    }
}
