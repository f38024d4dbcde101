//! Error messages for text that is not an item update.

use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::model::members::type_of;
use crate::text::beginning;

/// How many characters of the text an error quotes.
pub(super) const SHOWN_CHARS: usize = 40;

/// Describes a text that does not begin like an object.
pub(super) fn found(text: &str) -> String {
    let shown = beginning(text, SHOWN_CHARS);
    if text.is_empty() {
        return "the text is empty".to_owned();
    }
    if text.starts_with('[') {
        return "this is a JSON array; write each of its objects on a line of its own".to_owned();
    }
    if serde_json::from_str::<&RawValue>(text).is_ok() {
        return format!("this is JSON, but {}", type_of(text));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let is_member = text.starts_with('"')
        && matches!(values.next(), Some(Ok(_)))
        && text
            .get(values.byte_offset()..)
            .is_some_and(|rest| rest.trim_start().starts_with(':'));
    if is_member || text.starts_with(['}', ']', ',']) {
        return format!(
            "{shown:?} looks like a part of pretty-printed JSON; write each object on one line"
        );
    }
    if text.contains([',', ';', '\t']) {
        return format!("{shown:?} is not JSON; it looks like a row of CSV");
    }
    format!("{shown:?} is not JSON")
}

/// Rewords an error of the JSON parser, which stopped at a byte of an object.
pub(super) fn syntax(text: &str, at: usize, error: &serde_json::Error) -> String {
    if error.classify() == Category::Eof {
        return "the object is incomplete; if the JSON is pretty-printed, write each object on one line"
            .to_owned();
    }
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    if before.trim_end().ends_with(',') && after.starts_with(['}', ']']) {
        return "unexpected comma before a closing bracket".to_owned();
    }
    let place = format!(" at line {} column {}", error.line(), error.column());
    let reason = error.to_string();
    let reason = reason.strip_suffix(&place).unwrap_or(&reason);
    match reason {
        "trailing characters" => "unexpected text after the object".to_owned(),
        "key must be a string" => "a member name must be in double quotes".to_owned(),
        "expected value" | "expected ident" => {
            "this is not a JSON value; text must be in double quotes".to_owned()
        }
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            r"a string contains a raw control character; write it as an escape such as \n"
                .to_owned()
        }
        reason => format!("invalid JSON: {reason}"),
    }
}
