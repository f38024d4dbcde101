//! The document as a whole: sound, of one version, and as the reference page has it.

mod support;

use support::{
    array, document, json_content, object, operation, referred_name, resolve, responses, text, walk,
};

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = 0;
    walk(&document, "", &mut |_, value| {
        if value.get("$ref").is_some_and(serde_json::Value::is_string) {
            references += 1;
            resolve(&document, value);
        }
    });
    assert!(references > 0, "the document has references");
}

#[test]
fn every_component_is_referred_to() {
    let document = document();
    let mut referred = Vec::new();
    walk(&document, "", &mut |_, value| {
        if let Some(reference) = value.get("$ref") {
            referred.push(text(reference));
        }
    });
    for (kind, components) in object(&document["components"]) {
        for name in object(components)
            .keys()
            .filter(|_| kind != "securitySchemes")
        {
            let reference = format!("#/components/{kind}/{name}");
            assert!(
                referred.contains(&reference.as_str()),
                "nothing refers to {reference}"
            );
        }
    }
}

/// Generators name the types of an operation after it, and have words of their own for the rest.
#[test]
fn no_schema_takes_a_name_that_generators_give_to_something_else() {
    let document = document();
    let operation = text(&operation(&document)["operationId"]).replace('-', "");
    let of_the_operation = [
        "",
        "body",
        "data",
        "error",
        "errors",
        "operation",
        "params",
        "request",
        "requestbody",
        "response",
        "responses",
        "result",
    ]
    .map(|ending| format!("{operation}{ending}"));
    let of_the_language = [
        "any",
        "array",
        "box",
        "client",
        "date",
        "default",
        "error",
        "exception",
        "file",
        "list",
        "map",
        "model",
        "none",
        "object",
        "option",
        "record",
        "request",
        "response",
        "responsevalue",
        "result",
        "set",
        "string",
        "type",
        "unknown",
        "vec",
    ];
    for name in object(&document["components"]["schemas"]).keys() {
        let lower = name.to_lowercase();
        assert!(
            !of_the_operation.contains(&lower),
            "{name} is what generators call a part of the operation"
        );
        assert!(
            !of_the_language.contains(&lower.as_str()),
            "{name} is a word of the languages that clients are made in"
        );
    }
}

/// Some generators put all components into one namespace, some number what comes twice.
#[test]
fn no_two_components_share_a_name() {
    let document = document();
    let mut names: Vec<_> = object(&document["components"])
        .iter()
        .filter(|(kind, _)| *kind != "examples")
        .flat_map(|(_, components)| object(components).keys())
        .map(|name| name.to_lowercase())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}

/// What has no name of its own gets one from the generator, with a number behind it.
#[test]
fn every_object_is_a_schema_with_a_name() {
    let document = document();
    walk(
        &document["components"]["schemas"],
        "",
        &mut |pointer, value| {
            let top = pointer.matches('/').count() == 1;
            let is_object = value.get("type").is_some_and(|kind| kind == "object");
            assert!(top || !is_object, "{pointer} has no name");
        },
    );
}

#[test]
fn what_only_the_service_sets_is_read_only_in_the_answer() {
    let document = document();
    let item = object(&document["components"]["schemas"]["CollectionItem"]["properties"]);
    let read_only: Vec<_> = item
        .iter()
        .filter(|(_, schema)| schema["readOnly"] == true)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        read_only,
        ["createdOn", "id", "lastPublished", "lastUpdated"]
    );
}

#[test]
fn openapiv3_reads_the_document() {
    let parsed: openapiv3::OpenAPI =
        serde_json::from_value(document()).expect("openapiv3 reads the document");
    let operations: Vec<_> = parsed
        .operations()
        .map(|(path, method, _)| (path, method))
        .collect();
    assert_eq!(
        operations,
        [("/collections/{collection_id}/items", "patch")]
    );
}

#[test]
fn the_document_keeps_to_openapi_3_0() {
    let document = document();
    assert_eq!(document["openapi"], "3.0.3");
    walk(
        &document["components"]["schemas"],
        "",
        &mut |pointer, value| {
            let in_properties = pointer.ends_with("/properties");
            if let Some(schema) = value.as_object().filter(|_| !in_properties) {
                assert!(
                    !schema.get("type").is_some_and(|t| t.is_array()),
                    "{pointer}: a list of types is OpenAPI 3.1"
                );
                for keyword in [
                    "const",
                    "examples",
                    "$defs",
                    "if",
                    "prefixItems",
                    "patternProperties",
                ] {
                    assert!(
                        !schema.contains_key(keyword),
                        "{pointer}: `{keyword}` is OpenAPI 3.1"
                    );
                }
                assert!(
                    !schema.contains_key("$ref") || schema.len() == 1,
                    "{pointer}: what stands beside $ref is lost"
                );
            }
        },
    );
}

#[test]
fn the_operation_is_the_one_of_the_reference_page() {
    let document = document();
    let operation = operation(&document);
    assert_eq!(operation["operationId"], "update-items");
    assert_eq!(operation["x-required-scope"], "cms:write");
    assert_eq!(document["servers"][0]["url"], "https://api.webflow.com/v2");
    assert_eq!(array(&document["servers"]).len(), 1);
    let scheme = &document["components"]["securitySchemes"]["bearerAuth"];
    assert_eq!(
        (text(&scheme["type"]), text(&scheme["scheme"])),
        ("http", "bearer")
    );
}

#[test]
fn exactly_the_six_documented_statuses_are_there() {
    let document = document();
    let statuses: Vec<_> = responses(&document)
        .into_iter()
        .map(|(status, _)| status)
        .collect();
    assert_eq!(statuses, ["200", "400", "401", "404", "429", "500"]);
}

#[test]
fn a_batch_holds_one_to_one_hundred_items() {
    let document = document();
    let items = &document["components"]["schemas"]["ItemUpdateList"]["properties"]["items"];
    assert_eq!(items["minItems"], 1);
    assert_eq!(items["maxItems"], 100);
}

#[test]
fn every_error_has_the_one_error_schema() {
    let document = document();
    for (status, response) in responses(&document) {
        let expected = if status == "200" {
            "UpdatedItems"
        } else {
            "ApiError"
        };
        assert_eq!(
            referred_name(&json_content(response)["schema"]),
            Some(expected),
            "status {status}"
        );
    }
}

#[test]
fn every_answer_carries_the_rate_limit_headers() {
    let document = document();
    for (status, response) in responses(&document) {
        let mut names: Vec<_> = object(&response["headers"])
            .keys()
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining"],
            "status {status}"
        );
    }
}

/// The descriptions become the rustdoc of generated types, so they must read well there.
#[test]
fn every_schema_and_property_is_described_for_rustdoc() {
    let document = document();
    let mut described = 0;
    walk(&document["components"], "", &mut |pointer, value| {
        let in_examples = pointer.starts_with("/examples") || pointer.contains("/value/");
        let is_description =
            pointer.ends_with("/description") && !pointer.ends_with("/properties/description");
        if is_description && !in_examples {
            described += 1;
            check_description(pointer, text(value));
        }
    });
    for (name, schema) in object(&document["components"]["schemas"]) {
        require_descriptions(name, schema);
    }
    assert!(described > 50, "only {described} descriptions were found");
}

fn require_descriptions(name: &str, schema: &serde_json::Value) {
    assert!(
        schema.get("description").is_some(),
        "{name} has no description"
    );
    for (property, schema) in schema.get("properties").map(object).into_iter().flatten() {
        require_descriptions(&format!("{name}.{property}"), schema);
    }
    for branch in schema.get("oneOf").map(array).into_iter().flatten() {
        if referred_name(branch).is_none() {
            require_descriptions(&format!("an alternative of {name}"), branch);
        }
    }
}

fn check_description(pointer: &str, description: &str) {
    assert!(
        description.ends_with('.'),
        "{pointer}: a description is made of sentences"
    );
    assert!(
        description.matches(". ").count() <= 1,
        "{pointer}: two sentences are the most"
    );
    assert!(
        !description.contains("  ") && !description.contains('\n'),
        "{pointer}: one line, single spaces"
    );
    let prose: String = description.split('`').step_by(2).collect();
    for taken in ["http", "[", "]", "<", ">"] {
        assert!(
            !prose.contains(taken),
            "{pointer}: rustdoc takes `{taken}` for markup"
        );
    }
}
