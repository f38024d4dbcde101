//! One reason in the body of an error, in any of the forms that the service sends.

use std::fmt;

use serde_json::Value;

use super::printable::Printable;
use crate::text::beginning;

/// One reason of a rejection.
///
/// Webflow documents two forms: a text, and an object with `field` and `message`. Three more were observed: an object
/// with `param` and `description`, a text that begins with the field (`Field 'slug': …`), and a list inside the error's
/// message (`Validation Error: ["…"]`). All of them are parsed, and so are the members that RFC 9457 and common routers
/// use.
///
/// `Display` writes the message with the field in front, such as `slug: is taken`.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorDetail {
    field: Option<Box<str>>,
    message: Option<Box<str>>,
    raw: Value,
}

impl ErrorDetail {
    pub(crate) fn parse(raw: Value) -> Self {
        if let Some(text) = raw.as_str() {
            let (field, message) = match after_field(text) {
                Some((field, message)) => (Some(field.into()), message.into()),
                None => (None, text.into()),
            };
            return Self {
                field,
                message: Some(message),
                raw,
            };
        }
        let text = |names: &[&str]| {
            let value = names.iter().find_map(|name| raw.get(name)?.as_str());
            value.map(Box::<str>::from)
        };
        // `name` is the parameter's name beside a `reason`, and the error's name beside a `message`.
        let named = raw.get("reason").and_then(|_| text(&["name"]));
        let field = text(&["field", "param", "parameter", "path", "pointer", "property"]).or(named);
        let message = text(&["message", "description", "msg", "reason", "detail"]);
        Self {
            field,
            message,
            raw,
        }
    }

    /// Makes a detail of a reason that is listed under the name of a field.
    pub(crate) fn of_field(field: &str, reason: Value) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::parse(reason)
        }
    }

    /// Returns the slug of the invalid field, or the name of the invalid parameter.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Returns the explanation.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// Returns the detail as received.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }
}

impl fmt::Display for ErrorDetail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 500;
        let text = match (self.field(), self.message()) {
            (Some(field), Some(message)) => format!("{field}: {message}"),
            (None, Some(message)) => message.to_owned(),
            _ => self.raw.to_string(),
        };
        Printable::truncated(&text, MOST).fmt(formatter)
    }
}

/// Splits a text such as `Field 'slug': is taken` into field and reason.
fn after_field(text: &str) -> Option<(&str, &str)> {
    let (field, reason) = text.strip_prefix("Field '")?.split_once("': ")?;
    (!field.is_empty() && !reason.is_empty()).then_some((field, reason))
}

/// Writes the first details that the message does not contain.
pub(super) fn list(
    formatter: &mut fmt::Formatter<'_>,
    message: &str,
    details: &[ErrorDetail],
) -> fmt::Result {
    const SHOWN: usize = 3;
    const MOST_OF_ONE: usize = 150;
    let inside = inside_message(message);
    let said = |text: Option<&str>| text.is_none_or(|text| message.contains(text));
    let new: Vec<_> = details
        .iter()
        .filter(|detail| {
            let known = detail.message.is_some() && said(detail.field()) && said(detail.message());
            !known && !inside.contains(detail)
        })
        .collect();
    for (position, detail) in new.iter().take(SHOWN).enumerate() {
        let separator = if position == 0 { " [" } else { "; " };
        let detail = beginning(&detail.to_string(), MOST_OF_ONE);
        write!(formatter, "{separator}{detail}")?;
    }
    match new.len().checked_sub(SHOWN) {
        _ if new.is_empty() => Ok(()),
        None | Some(0) => formatter.write_str("]"),
        Some(more) => write!(formatter, "; and {more} more]"),
    }
}

/// Parses the list at the end of a message such as `Validation Error: ["Value (id) should be string"]`.
pub(crate) fn inside_message(message: &str) -> Vec<ErrorDetail> {
    message
        .find(": [")
        .and_then(|colon| message.get(colon + 2..))
        .and_then(|list| serde_json::from_str::<Vec<String>>(list.trim()).ok())
        .unwrap_or_default()
        .into_iter()
        .map(|text| ErrorDetail::parse(Value::String(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(raw: Value) -> (Option<String>, Option<String>) {
        let detail = ErrorDetail::parse(raw);
        (
            detail.field().map(str::to_owned),
            detail.message().map(str::to_owned),
        )
    }

    #[test]
    fn every_form_of_a_detail_is_parsed() {
        let both = (Some("slug".to_owned()), Some("taken".to_owned()));
        assert_eq!(parsed(json!("taken")), (None, Some("taken".to_owned())));
        assert_eq!(parsed(json!({"field": "slug", "message": "taken"})), both);
        assert_eq!(
            parsed(json!({"param": "slug", "description": "taken"})),
            both
        );
        assert_eq!(parsed(json!("Field 'slug': taken")), both);
        assert_eq!(parsed(json!({"name": "slug", "reason": "taken"})), both);
        let named = json!({"name": "TypeError", "message": "taken"});
        assert_eq!(parsed(named), (None, Some("taken".to_owned())));
        assert_eq!(parsed(json!({"other": 1})), (None, None));
        assert_eq!(
            ErrorDetail::parse(json!({"other": 1})).raw(),
            &json!({"other": 1}),
            "an unknown form is kept"
        );
    }

    #[test]
    fn reasons_inside_a_message_are_parsed() {
        let messages = |message| {
            inside_message(message)
                .iter()
                .map(|d| d.message().unwrap_or("").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            messages(r#"Validation Error: ["Value (cmsLocaleId)'s type should be string", "b"]"#),
            ["Value (cmsLocaleId)'s type should be string", "b"]
        );
        assert!(messages("Validation Error").is_empty());
        assert!(messages("a: [1]").is_empty());
        assert!(messages(r#"a: ["incomplete"#).is_empty());
    }
}
