//! Examples and schemas agree, and the schemas take what Webflow is known to send.

mod support;

use serde_json::{Value, json};
use support::{document, json_content, object, operation, resolve, responses, text, walk};

#[test]
fn every_example_is_valid() {
    let document = document();
    let mut checked = 0;
    let mut check = |place: &str, schema: &Value, example: &Value| {
        let errors = errors(&document, schema, example);
        assert!(errors.is_empty(), "{place}: {errors:?}");
        checked += 1;
    };

    let mut bodies = vec![("request", &operation(&document)["requestBody"])];
    bodies.extend(responses(&document));
    for (place, body) in bodies {
        let media_type = json_content(body);
        for (name, example) in object(&media_type["examples"]) {
            let example = resolve(&document, example);
            check(
                &format!("{place} {name}"),
                &media_type["schema"],
                &example["value"],
            );
        }
    }
    for kind in ["parameters", "headers"] {
        for (name, component) in object(&document["components"][kind]) {
            if let Some(example) = component.get("example") {
                check(name, &component["schema"], example);
            }
        }
    }

    let mut written = 0;
    walk(&document, "", &mut |pointer, value| {
        let is_named =
            pointer.rsplit('/').nth(1) == Some("examples") && value.get("$ref").is_none();
        let is_single = pointer.ends_with("/example");
        written += usize::from(is_named || is_single);
    });
    assert_eq!(
        checked, written,
        "an example of the document was not checked"
    );
}

#[test]
fn every_error_example_bears_the_name_of_its_code() {
    let document = document();
    for (status, response) in responses(&document) {
        if status != "200" {
            for (name, example) in object(&json_content(response)["examples"]) {
                assert_eq!(&example["value"]["code"], name, "status {status}");
            }
        }
    }
}

#[test]
fn the_request_schema_refuses_what_no_batch_may_be() {
    let items = |count: usize| json!({"items": vec![json!({"id": "a"}); count]});
    assert!(is_valid("ItemUpdateList", &items(1)));
    assert!(is_valid("ItemUpdateList", &items(100)));
    for (why, refused) in [
        ("no items", items(0)),
        ("101 items", items(101)),
        ("no list", json!({})),
        ("an item without id", json!({"items": [{"fieldData": {}}]})),
        (
            "a null locale",
            json!({"items": [{"id": "a", "cmsLocaleId": null}]}),
        ),
        (
            "a null flag",
            json!({"items": [{"id": "a", "isDraft": null}]}),
        ),
    ] {
        assert!(!is_valid("ItemUpdateList", &refused), "{why} is accepted");
    }
}

#[test]
fn the_response_schema_takes_both_shapes_and_missing_parts() {
    for (what, taken) in [
        ("a list without pagination", json!({"items": [{"id": "a"}]})),
        (
            "a list with pagination",
            json!({"items": [], "pagination": {"limit": 25, "offset": 0, "total": 0}}),
        ),
        ("a single item", json!({"id": "a", "fieldData": {}})),
        (
            "an item that was never published",
            json!({"items": [{"id": "a", "lastPublished": null}]}),
        ),
        (
            "an item of a site without localization",
            json!({"items": [{"id": "a", "cmsLocaleId": null}]}),
        ),
        (
            "unknown members",
            json!({"items": [{"id": "a", "new": 1, "fieldData": {"n": null}}], "new": 1}),
        ),
    ] {
        assert!(is_valid("UpdatedItems", &taken), "{what} is refused");
    }
    for (what, refused) in [
        ("nothing", json!({})),
        ("an item without id", json!({"items": [{}]})),
    ] {
        assert!(!is_valid("UpdatedItems", &refused), "{what} is accepted");
    }
}

#[test]
fn the_error_schema_takes_every_known_form_of_details() {
    for details in [
        json!([]),
        json!(["a reason"]),
        json!([{"field": "email", "message": "a reason"}]),
        json!([{"param": "slug", "description": "a reason"}]),
        json!(["a reason", {"param": "slug", "new": 1}]),
    ] {
        let error = json!({"code": "new_code", "message": "m", "externalReference": null, "details": details});
        assert!(is_valid("ApiError", &error), "{error} is refused");
    }
    assert!(is_valid("ApiError", &json!({})));
    assert!(!is_valid("ApiError", &json!({"details": [1]})));
}

fn is_valid(schema: &str, instance: &Value) -> bool {
    let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
    errors(&document(), &reference, instance).is_empty()
}

fn errors(document: &Value, schema: &Value, instance: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    without_nullable(&mut schema);
    let validator = jsonschema::draft202012::new(&schema).expect("the schema compiles");
    validator
        .iter_errors(instance)
        .map(|error| error.to_string())
        .collect()
}

/// JSON Schema has no `nullable`: the type becomes a union with null.
fn without_nullable(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.get("nullable") == Some(&Value::Bool(true)) {
                members.remove("nullable");
                let type_name = text(&members["type"]).to_owned();
                members.insert("type".to_owned(), json!([type_name, "null"]));
            }
            members.values_mut().for_each(without_nullable);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_nullable),
        _ => {}
    }
}
