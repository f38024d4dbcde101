//! One reason of a refusal, in whichever form the service gives it.

use std::fmt;

use serde_json::Value;

use super::printable::Printable;
use crate::text::beginning;

/// One of the reasons that an error gives.
///
/// Webflow documents text and objects of `field` and `message`. The service was seen to send objects of `param` and
/// `description`, texts that begin with the field (`Field 'slug': …`), and texts inside the error's message
/// (`Validation Error: ["…"]`). All of them are read, and the members that RFC 9457 and common routers use.
///
/// Its `Display` is the message with the field in front, `slug: is taken`.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorDetail {
    field: Option<Box<str>>,
    message: Option<Box<str>>,
    raw: Value,
}

impl ErrorDetail {
    pub(crate) fn read(raw: Value) -> Self {
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
        // A name beside a message is that of the error, and beside a reason that of the parameter.
        let named = raw.get("reason").and_then(|_| text(&["name"]));
        let field = text(&["field", "param", "parameter", "path", "pointer", "property"]).or(named);
        let message = text(&["message", "description", "msg", "reason", "detail"]);
        Self {
            field,
            message,
            raw,
        }
    }

    /// A reason from a list that stands under the name of a field.
    pub(crate) fn about(field: &str, reason: Value) -> Self {
        Self {
            field: Some(field.into()),
            ..Self::read(reason)
        }
    }

    /// The slug of the field, or the name of the parameter, that is at fault.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// What is wrong with it.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The detail as it was sent.
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

/// The field and the reason of a text such as `Field 'slug': is taken`.
fn after_field(text: &str) -> Option<(&str, &str)> {
    let (field, reason) = text.strip_prefix("Field '")?.split_once("': ")?;
    (!field.is_empty() && !reason.is_empty()).then_some((field, reason))
}

/// Writes the first of the details that are not in the message already, if there is one.
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

/// The list of reasons that ends a message such as `Validation Error: ["Value (id) should be string"]`.
pub(crate) fn inside_message(message: &str) -> Vec<ErrorDetail> {
    message
        .find(": [")
        .and_then(|colon| message.get(colon + 2..))
        .and_then(|list| serde_json::from_str::<Vec<String>>(list.trim()).ok())
        .unwrap_or_default()
        .into_iter()
        .map(|text| ErrorDetail::read(Value::String(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(raw: Value) -> (Option<String>, Option<String>) {
        let detail = ErrorDetail::read(raw);
        (
            detail.field().map(str::to_owned),
            detail.message().map(str::to_owned),
        )
    }

    #[test]
    fn every_form_of_a_detail_is_read() {
        let both = (Some("slug".to_owned()), Some("taken".to_owned()));
        assert_eq!(read(json!("taken")), (None, Some("taken".to_owned())));
        assert_eq!(read(json!({"field": "slug", "message": "taken"})), both);
        assert_eq!(read(json!({"param": "slug", "description": "taken"})), both);
        assert_eq!(read(json!("Field 'slug': taken")), both);
        assert_eq!(read(json!({"name": "slug", "reason": "taken"})), both);
        let named = json!({"name": "TypeError", "message": "taken"});
        assert_eq!(read(named), (None, Some("taken".to_owned())));
        assert_eq!(read(json!({"other": 1})), (None, None));
        assert_eq!(
            ErrorDetail::read(json!({"other": 1})).raw(),
            &json!({"other": 1}),
            "nothing is lost"
        );
    }

    #[test]
    fn the_reasons_inside_a_message_are_read() {
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
        assert!(messages(r#"a: ["cut"#).is_empty());
    }
}
