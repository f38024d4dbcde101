//! The content of the reference server's items: before the updates, and as expected after them.

use serde_json::{Map, Value};
use webflow_cms_reference::Variant;

use super::entry::Entry;

/// An item in one locale with a field that no update names. The field must stay as it is.
pub(crate) fn bystander() -> Variant {
    Variant::named("Not in the file", "not-in-the-file")
        .field("internal-note", "ask Zoë before you change this")
}

/// The item of an entry before its update. Each field that the entry sets has another value.
pub(crate) fn before(entry: &Entry) -> Variant {
    let mut variant = fields(entry)
        .iter()
        .fold(bystander(), |variant, (slug, value)| {
            variant.field(slug, older(value))
        });
    variant.is_archived = entry.is_archived == Some(false);
    variant.is_draft = entry.is_draft == Some(false);
    variant
}

/// The item of an entry after its update: `null` clears a field, and fields that are not named stay.
pub(crate) fn after(entry: &Entry, mut variant: Variant) -> Variant {
    variant.is_archived = entry.is_archived.unwrap_or(variant.is_archived);
    variant.is_draft = entry.is_draft.unwrap_or(variant.is_draft);
    for (slug, value) in fields(entry) {
        match value {
            Value::Null => variant.field_data.remove(&slug),
            value => variant.field_data.insert(slug, value),
        };
    }
    variant
}

/// The fields and flags of a variant under their API names.
pub(crate) fn content(variant: &Variant) -> Map<String, Value> {
    let mut content = variant.field_data.clone();
    content.insert("isArchived".to_owned(), variant.is_archived.into());
    content.insert("isDraft".to_owned(), variant.is_draft.into());
    content
}

fn fields(entry: &Entry) -> Map<String, Value> {
    entry.field_data.clone().unwrap_or_default()
}

/// Another value of the same kind.
fn older(value: &Value) -> Value {
    match value {
        Value::Null => "old".into(),
        Value::Bool(value) => (!value).into(),
        Value::Number(number) => number
            .as_f64()
            .map_or(Value::Null, |number| (number + 10.0).into()),
        Value::String(text) => format!("old: {text}").into(),
        Value::Array(values) if values.is_empty() => vec!["old"].into(),
        Value::Array(values) => values.iter().rev().map(older).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), older(value)))
            .collect(),
    }
}
