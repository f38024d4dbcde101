//! A copy of the document with opaque bodies, so that the generated methods send and return bytes unchanged.

use serde_json::{Map, Value, json};

/// Replaces the schema of each body by a binary one, and removes the unused schemas.
pub(crate) fn bodies(document: &Value) -> Result<Value, String> {
    let mut document = document.clone();
    make_opaque(&mut document)?;
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("schemas");
        components.remove("examples");
    }
    Ok(document)
}

fn make_opaque(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            if let Some(content) = members.get_mut("content").and_then(Value::as_object_mut) {
                *content = binary(content)?;
            }
            members.values_mut().try_for_each(make_opaque)
        }
        Value::Array(elements) => elements.iter_mut().try_for_each(make_opaque),
        _ => Ok(()),
    }
}

fn binary(content: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    match content.keys().find(|media| *media != "application/json") {
        Some(other) => Err(format!(
            "the document has a body of media type {other}, and only JSON is carried"
        )),
        None => Ok(Map::from_iter([(
            "application/octet-stream".to_owned(),
            json!({ "schema": { "type": "string", "format": "binary" } }),
        )])),
    }
}
