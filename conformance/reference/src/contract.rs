//! The operation of the API document, in the form in which requests are checked and responses are built.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

/// The path of the operation in the API document.
const PATH: &str = "/collections/{collection_id}/items";

/// The operation of the API document, read once per process.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) request: jsonschema::Validator,
    /// The documented query parameters, and whether each is a boolean.
    pub(super) query: BTreeMap<String, bool>,
    /// The documented statuses that have an example.
    pub(super) examples: BTreeMap<u16, Example>,
}

#[derive(Debug)]
pub(super) struct Example {
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

/// Error: the API document cannot be used to check requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractError(String);

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the API document cannot be used: {}", self.0)
    }
}

impl std::error::Error for ContractError {}

impl Contract {
    pub(super) fn get() -> Result<&'static Self, &'static ContractError> {
        static CONTRACT: LazyLock<Result<Contract, ContractError>> = LazyLock::new(|| {
            let document =
                webflow_cms_spec::document().map_err(|error| ContractError(error.to_string()))?;
            Contract::read(&document)
        });
        CONTRACT.as_ref()
    }

    fn read(document: &Value) -> Result<Self, ContractError> {
        let missing = |what: &str| ContractError(format!("it has no {what}"));
        let operation = &document["paths"][PATH]["patch"];
        let body = media_type(document, &operation["requestBody"])
            .ok_or_else(|| missing("request body"))?;

        let parameters = operation["parameters"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let query = parameters
            .iter()
            .map(|parameter| resolve(document, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| {
                let boolean = resolve(document, &parameter["schema"])["type"] == "boolean";
                Some((parameter["name"].as_str()?.to_owned(), boolean))
            })
            .collect();

        let examples = operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(status, response)| {
                Some((
                    status.parse().ok()?,
                    Example::read(document, resolve(document, response))?,
                ))
            });

        Ok(Self {
            request: compile(document, &body["schema"])?,
            query,
            examples: examples.collect(),
        })
    }
}

impl Example {
    fn read(document: &Value, response: &Value) -> Option<Self> {
        let content = media_type(document, response)?;
        let first = content["examples"]
            .as_object()
            .and_then(|examples| examples.values().next());
        let body = match first {
            Some(example) => resolve(document, example).get("value")?,
            None => content.get("example")?,
        };
        let headers = response["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(
                |(name, header)| match resolve(document, header).get("example")? {
                    Value::String(text) => Some((name.clone(), text.clone())),
                    value => Some((name.clone(), value.to_string())),
                },
            );
        Some(Self {
            headers: headers.collect(),
            body: body.clone(),
        })
    }
}

/// The JSON media type of a request body or a response.
fn media_type<'d>(document: &'d Value, holder: &'d Value) -> Option<&'d Value> {
    resolve(document, holder)
        .get("content")?
        .get("application/json")
}

/// Follows one `$ref` into the document's components.
fn resolve<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let target = value["$ref"]
        .as_str()
        .and_then(|r| r.strip_prefix('#'))
        .and_then(|pointer| document.pointer(pointer));
    target.unwrap_or(value)
}

fn compile(document: &Value, schema: &Value) -> Result<jsonschema::Validator, ContractError> {
    let mut root = json!({
        "components": {"schemas": document["components"]["schemas"]},
        "allOf": [schema],
    });
    widen_nullable(&mut root);
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&root)
        .map_err(|error| ContractError(error.to_string()))
}

/// Turns `nullable: true` of OpenAPI 3.0 into a union with the type `null`, as JSON Schema writes it.
fn widen_nullable(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(widen_nullable),
        Value::Object(object) => {
            // A property may be called `nullable`; its value is then a schema and not a boolean.
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object.remove("nullable");
                widen(object);
            }
            object.values_mut().for_each(widen_nullable);
        }
        _ => {}
    }
}

fn widen(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => *kind = json!([kind.take(), "null"]),
        Some(_) => {}
        None => {
            let narrow = Value::Object(std::mem::take(schema));
            schema.insert("anyOf".to_owned(), json!([narrow, {"type": "null"}]));
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Contract, compile, widen_nullable};
    use crate::{Model, PrimaryEcho, Settings, Update, Variant};

    #[test]
    fn nullable_becomes_a_union_with_null() {
        let mut schema = json!({
            "properties": {
                "nullable": {"type": "string", "nullable": true, "enum": ["a"]},
                "b": {"allOf": [{"type": "object"}], "nullable": true},
            },
        });
        widen_nullable(&mut schema);
        assert_eq!(
            schema["properties"]["nullable"],
            json!({"type": ["string", "null"], "enum": ["a", null]})
        );
        assert_eq!(
            schema["properties"]["b"],
            json!({"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]})
        );
    }

    #[test]
    fn the_document_is_read_with_its_parameter_and_its_six_statuses() {
        let contract = Contract::get().unwrap();
        assert_eq!(contract.query.get("skipInvalidFiles"), Some(&true));
        assert_eq!(contract.query.len(), 1);
        assert_eq!(
            contract.examples.keys().copied().collect::<Vec<_>>(),
            [200, 400, 401, 404, 429, 500]
        );
    }

    fn response_errors(body: &serde_json::Value) -> Vec<String> {
        let document = webflow_cms_spec::document().unwrap();
        let schema = json!({"$ref": "#/components/schemas/UpdatedItems"});
        compile(&document, &schema)
            .unwrap()
            .iter_errors(body)
            .map(|error| error.to_string())
            .collect()
    }

    #[test]
    fn the_documented_response_and_the_responses_of_the_model_match_the_documented_schema() {
        let contract = Contract::get().unwrap();
        assert_eq!(response_errors(&contract.examples[&200].body), [""; 0]);

        let mut model = Model::new().insert("c", "i", None, Variant::named("n", "s"));
        let updated = model
            .apply(&Update::from_body("c", &json!({"items": [{"id": "i"}]})))
            .unwrap();
        let bare = Settings {
            primary_echo: PrimaryEcho::Absent,
            pagination: false,
            ..Settings::default()
        };
        for settings in [Settings::default(), bare] {
            let body = serde_json::from_slice(&settings.updated(&updated).body).unwrap();
            assert_eq!(response_errors(&body), [""; 0]);
        }
        assert_ne!(response_errors(&json!({"items": [{"id": 1}]})), [""; 0]);
    }
}
