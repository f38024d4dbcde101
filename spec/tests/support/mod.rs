//! Ways through the document that several laws need.

#![allow(
    dead_code,
    reason = "each test binary compiles this module and uses its own part"
)]

use serde_json::{Map, Value};

/// The document under test.
pub(crate) fn document() -> Value {
    webflow_cms_spec::document().expect("openapi.yaml is readable")
}

/// The one operation.
pub(crate) fn operation(document: &Value) -> &Map<String, Value> {
    object(&document["paths"]["/collections/{collection_id}/items"]["patch"])
}

/// The members of `value`, which must be an object.
pub(crate) fn object(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("not an object: {value}"))
}

/// The elements of `value`, which must be an array.
pub(crate) fn array(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not an array: {value}"))
}

/// The text of `value`, which must be a string.
pub(crate) fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
}

/// What `value` refers to, or `value` itself if it is no reference.
pub(crate) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref") {
        Some(reference) => {
            let reference = text(reference);
            reference
                .strip_prefix('#')
                .and_then(|pointer| document.pointer(pointer))
                .unwrap_or_else(|| panic!("`{reference}` leads nowhere"))
        }
        None => value,
    }
}

/// The last part of a reference.
pub(crate) fn referred_name(schema: &Value) -> Option<&str> {
    let reference = schema.get("$ref")?.as_str()?;
    reference.rsplit('/').next()
}

/// The responses of the operation: status and resolved response.
pub(crate) fn responses(document: &Value) -> Vec<(&str, &Value)> {
    object(&operation(document)["responses"])
        .iter()
        .map(|(status, response)| (status.as_str(), resolve(document, response)))
        .collect()
}

/// The JSON media type of a request body or response.
pub(crate) fn json_content(body: &Value) -> &Value {
    let content = object(&body["content"]);
    assert!(
        content.keys().eq(["application/json"]),
        "JSON is the only media type: {content:?}"
    );
    &content["application/json"]
}

/// Calls `visit` with every value in the document and the JSON pointer to it.
pub(crate) fn walk<'a>(value: &'a Value, pointer: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(pointer, value);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let key = key.replace('~', "~0").replace('/', "~1");
                walk(member, &format!("{pointer}/{key}"), visit);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                walk(element, &format!("{pointer}/{index}"), visit);
            }
        }
        _ => {}
    }
}
