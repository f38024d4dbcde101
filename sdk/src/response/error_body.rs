//! The parser of error bodies, in Webflow's form and in those of proxies and other routers.

use serde_json::{Map, Value};

use super::page;
use crate::error::{BodyForm, ErrorDetail, inside_message};
use crate::text::without_mark;

/// The maximum length of a message from a plain text, in characters.
const MAX_TEXT_CHARS: usize = 1_000;

/// The content of an error body.
#[derive(Debug, Default)]
pub(crate) struct ErrorBody {
    pub(crate) form: BodyForm,
    pub(crate) code: Option<Box<str>>,
    pub(crate) message: Option<Box<str>>,
    pub(crate) external_reference: Option<Box<str>>,
    pub(crate) details: Vec<ErrorDetail>,
}

impl ErrorBody {
    /// Parses a body.
    pub(crate) fn of(body: &str) -> Self {
        let body = without_mark(body).trim();
        match json(body) {
            Some(Value::Object(members)) => Self::of_members(members),
            Some(Value::Array(values)) => Self {
                form: BodyForm::Json,
                details: values.into_iter().map(ErrorDetail::parse).collect(),
                ..Self::default()
            },
            Some(Value::String(text)) => Self::of_text(BodyForm::Json, &text),
            Some(_) => Self::of_text(BodyForm::Json, ""),
            None if page::is_page(body) => Self::of_text(BodyForm::Page, &page::summary(body)),
            // Incomplete JSON is not a message.
            None if body.starts_with(['{', '[', '"']) => Self::of_text(BodyForm::Json, ""),
            None => Self::of_text(BodyForm::Text, body),
        }
    }

    fn of_text(form: BodyForm, text: &str) -> Self {
        let text: String = text.trim().chars().take(MAX_TEXT_CHARS).collect();
        Self {
            form: if text.is_empty() && form == BodyForm::Text {
                BodyForm::Nothing
            } else {
                form
            },
            message: Some(text)
                .filter(|text| !text.is_empty())
                .map(String::into_boxed_str),
            ..Self::default()
        }
    }

    /// Reads Webflow's members first, then those of RFC 9457, proxies and other routers.
    fn of_members(mut members: Map<String, Value>) -> Self {
        let details = details(&mut members);
        let inner = match members.get_mut("error").map(Value::take) {
            Some(Value::Object(inner)) => Some(Self::of_members(inner)),
            Some(other) => {
                members.insert("error".to_owned(), other);
                None
            }
            None => None,
        };
        let text = |names: &[&str]| names.iter().find_map(|name| text_of(members.get(*name)?));
        let code = text(&["code"]);
        let external_reference = text(&["externalReference"]);
        let message = text(&["message", "msg"]).or_else(|| described(&members));
        let inner = inner.unwrap_or_default();
        let message = message.or(inner.message);
        let details = match (details, message.as_deref()) {
            (details, _) if !details.is_empty() => details,
            _ if !inner.details.is_empty() => inner.details,
            (_, Some(message)) => inside_message(message),
            _ => Vec::new(),
        };
        Self {
            form: BodyForm::Json,
            code: code.or(inner.code),
            message,
            external_reference: external_reference.or(inner.external_reference),
            details,
        }
    }
}

/// Returns the message of a body in the form of RFC 9457, OAuth or common routers.
fn described(members: &Map<String, Value>) -> Option<Box<str>> {
    let text = |names: &[&str]| names.iter().find_map(|name| members.get(*name)?.as_str());
    let what = text(&["title", "error"]);
    let why = text(&[
        "detail",
        "error_description",
        "description",
        "reason",
        "err",
    ]);
    match (what, why) {
        (Some(what), Some(why)) if !why.contains(what) => Some(format!("{what}: {why}").into()),
        (what, why) => why.or(what).map(Box::from),
    }
}

/// Returns a member as text, unless it is null.
fn text_of(value: &Value) -> Option<Box<str>> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.as_str().into()),
        other => Some(other.to_string().into()),
    }
}

/// Returns the single reasons of the first member that has some.
fn details(members: &mut Map<String, Value>) -> Vec<ErrorDetail> {
    const NAMES: [&str; 6] = [
        "details",
        "problems",
        "errors",
        "invalid-params",
        "invalidParams",
        "violations",
    ];
    let of = |value: Value| match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.into_iter().map(ErrorDetail::parse).collect(),
        Value::Object(fields) if is_by_field(&fields) => by_field(fields),
        single => vec![ErrorDetail::parse(single)],
    };
    let mut all = NAMES
        .iter()
        .filter_map(|name| Some(of(members.get_mut(*name)?.take())));
    all.find(|details| !details.is_empty()).unwrap_or_default()
}

/// Whether the members are lists of reasons by the name of their field.
fn is_by_field(fields: &Map<String, Value>) -> bool {
    let is_list = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    !fields.is_empty() && fields.values().all(is_list)
}

fn by_field(fields: Map<String, Value>) -> Vec<ErrorDetail> {
    let of_field = |(field, reasons): (String, Value)| {
        let reasons = reasons.as_array().cloned().unwrap_or_default();
        reasons
            .into_iter()
            .map(move |reason| ErrorDetail::of_field(&field, reason))
    };
    fields.into_iter().flat_map(of_field).collect()
}

/// Parses a body as JSON. JavaScript writes half of a surrogate pair, the end of a truncated text, as an escape that is
/// not valid Unicode; it is replaced.
fn json(body: &str) -> Option<Value> {
    serde_json::from_str(body)
        .or_else(|_| serde_json::from_str(&with_whole_characters(body)))
        .ok()
}

/// Replaces each escaped surrogate without its other half by the replacement character.
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

/// Decodes an escaped surrogate at the beginning of a text.
fn surrogate(text: &str) -> Option<u16> {
    let unit = u16::from_str_radix(text.strip_prefix(r"\u")?.get(..4)?, 16).ok()?;
    (0xd800..=0xdfff).contains(&unit).then_some(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns message, code and details of a body.
    fn parsed(body: &str) -> (String, String, Vec<String>) {
        let body = ErrorBody::of(body);
        let text = |text: Option<Box<str>>| text.unwrap_or_default().into_string();
        let details = body.details.iter().map(ToString::to_string).collect();
        (text(body.message), text(body.code), details)
    }

    #[test]
    fn the_reason_of_every_known_form_is_parsed() {
        let cases: [(&str, &str, &str, &[&str]); 19] = [
            (
                r#"{"message":"Validation Error","code":"validation_error","details":["a"]}"#,
                "Validation Error",
                "validation_error",
                &["a"],
            ),
            (
                r#"{"msg":"Validation Failure","problems":["Field 'x': is required","y"]}"#,
                "Validation Failure",
                "",
                &["x: is required", "y"],
            ),
            (
                r#"{"msg":"no such route","code":404,"name":"RouteNotFoundError","err":"RouteNotFoundError: no such route"}"#,
                "no such route",
                "404",
                &[],
            ),
            (
                r#"{"errors":["Name is required","b"]}"#,
                "",
                "",
                &["Name is required", "b"],
            ),
            (
                r#"{"errors":[{"path":"name","msg":"is required"},{"message":"b"}]}"#,
                "",
                "",
                &["name: is required", "b"],
            ),
            (
                r#"{"errors":{"name":["is required","is short"],"slug":["is taken"]}}"#,
                "",
                "",
                &["name: is required", "name: is short", "slug: is taken"],
            ),
            (r#"{"error":"Bad things"}"#, "Bad things", "", &[]),
            (
                r#"{"error":"invalid_token","error_description":"The token expired"}"#,
                "invalid_token: The token expired",
                "",
                &[],
            ),
            (
                r#"{"error":{"message":"Bad things","code":"bad","details":[{"field":"a","message":"b"}]}}"#,
                "Bad things",
                "bad",
                &["a: b"],
            ),
            (
                r#"{"statusCode":403,"error":"Forbidden","message":"Missing scope"}"#,
                "Missing scope",
                "",
                &[],
            ),
            (
                r#"{"type":"about:blank","title":"Not valid","status":422,"detail":"See the parameters",
                "invalid-params":[{"name":"age","reason":"must be positive"}]}"#,
                "Not valid: See the parameters",
                "",
                &["age: must be positive"],
            ),
            (
                r##"{"title":"Not valid","errors":[{"detail":"must be positive","pointer":"#/age"}]}"##,
                "Not valid",
                "",
                &["#/age: must be positive"],
            ),
            (r#"["a",{"message":"b"}]"#, "", "", &["a", "b"]),
            (r#""Not Found""#, "Not Found", "", &[]),
            ("404 Not Found\n", "404 Not Found", "", &[]),
            (
                "<html><head><title>403 Forbidden</title></head><body><h1>No</h1></body></html>",
                "403 Forbidden",
                "",
                &[],
            ),
            ("\u{feff}  {\"error\":\"x\"}", "x", "", &[]),
            ("", "", "", &[]),
            (r#"{"message":null,"msg":"older"}"#, "older", "", &[]),
        ];
        for (body, message, code, details) in cases {
            let details = details.iter().map(|detail| (*detail).to_owned()).collect();
            assert_eq!(
                parsed(body),
                (message.to_owned(), code.to_owned(), details),
                "{body}"
            );
        }
    }

    #[test]
    fn the_form_is_detected_from_the_content() {
        for (body, form) in [
            ("", BodyForm::Nothing),
            (" \n", BodyForm::Nothing),
            ("{}", BodyForm::Json),
            (r#"{"message":"incomplete"#, BodyForm::Json),
            ("Forbidden", BodyForm::Text),
            ("a < b", BodyForm::Text),
            ("<!DOCTYPE html><p>no", BodyForm::Page),
            ("\r\n<html>", BodyForm::Page),
            (
                "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
                BodyForm::Page,
            ),
        ] {
            assert_eq!(ErrorBody::of(body).form, form, "{body}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_does_not_hide_the_message() {
        for (sent, message) in [
            (r"half: \ud83d", "half: \u{fffd}"),
            (r"half: \uD83D!", "half: \u{fffd}!"),
            (r"\ude00 \ud83d\ud83d\ude00", "\u{fffd} \u{fffd}\u{1f600}"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d \\ud83d", r"� \ud83d"),
        ] {
            let body =
                format!(r#"{{"code":"validation_error","message":"{sent}","details":["a"]}}"#);
            let expected = (
                message.to_owned(),
                "validation_error".to_owned(),
                vec!["a".to_owned()],
            );
            assert_eq!(parsed(&body), expected, "{sent}");
        }
    }

    #[test]
    fn invalid_or_incomplete_json_has_no_message() {
        for body in ["{", r#"{"message":"\u12"}"#, r#"{"message":"\ud83d"#, "[1,"] {
            assert_eq!(parsed(body), Default::default(), "{body}");
        }
    }
}
