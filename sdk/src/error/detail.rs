//! One reason of a refusal, in whichever form the service gives it.

use std::fmt;

use serde_json::Value;

use super::printable::Printable;

/// One of the reasons that an error gives.
///
/// Webflow documents text and objects of `field` and `message`; the service was seen to send objects of `param` and
/// `description`, and texts inside the error's message (`Validation Error: ["…"]`). All four are read.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorDetail {
    field: Option<Box<str>>,
    message: Option<Box<str>>,
    raw: Value,
}

impl ErrorDetail {
    pub(super) fn read(raw: Value) -> Self {
        let text = |names: [&str; 2]| {
            names
                .into_iter()
                .find_map(|name| raw.get(name)?.as_str())
                .map(Box::from)
        };
        let field = text(["field", "param"]);
        let message = raw
            .as_str()
            .map(Box::from)
            .or_else(|| text(["message", "description"]));
        Self {
            field,
            message,
            raw,
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

    fn in_words(&self) -> String {
        match (self.field(), self.message()) {
            (Some(field), Some(message)) => format!("{field}: {message}"),
            (None, Some(message)) => message.to_owned(),
            _ => self.raw.to_string(),
        }
    }
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
        let detail = detail.in_words();
        write!(
            formatter,
            "{separator}{}",
            Printable::cut(&detail, MOST_OF_ONE)
        )?;
    }
    match new.len().checked_sub(SHOWN) {
        _ if new.is_empty() => Ok(()),
        None | Some(0) => formatter.write_str("]"),
        Some(more) => write!(formatter, "; and {more} more]"),
    }
}

/// The list of reasons that ends a message such as `Validation Error: ["Value (id) should be string"]`.
pub(super) fn inside_message(message: &str) -> Vec<ErrorDetail> {
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
