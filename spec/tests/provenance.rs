//! The document and PROVENANCE.md state the same things.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::{
    array, document, json_content, object, operation, referred_name, resolve, responses, text,
};

const PROVENANCE: &str = include_str!("../PROVENANCE.md");

#[test]
fn every_statement_of_the_document_has_a_row() {
    let rows = rows();
    let missing: Vec<_> = statements(&document())
        .into_keys()
        .filter(|key| !rows.contains_key(key))
        .collect();
    assert!(
        missing.is_empty(),
        "PROVENANCE.md has no row for {missing:#?}"
    );
}

#[test]
fn every_row_is_about_something_in_the_document() {
    let statements = statements(&document());
    let stray: Vec<_> = rows()
        .into_keys()
        .filter(|key| !statements.contains_key(key))
        .collect();
    assert!(stray.is_empty(), "the document has nothing for {stray:#?}");
}

#[test]
fn every_row_says_what_the_document_says() {
    let rows = rows();
    for (key, statement) in statements(&document()) {
        if let Some(row) = rows.get(&key) {
            assert_eq!(row.statement, statement, "{key}");
        }
    }
}

#[test]
fn every_row_names_its_basis_and_source() {
    for (key, row) in rows() {
        for basis in row.basis.split("; ") {
            let known = ["documented", "inferred", "assumed"].contains(&basis);
            let date = basis.strip_prefix("observed ").unwrap_or_default();
            let dated = date.len() >= 7 && date.chars().all(|c| c.is_ascii_digit() || c == '-');
            assert!(known || dated, "{key}: `{basis}` is no basis");
        }
        assert!(!row.source.is_empty(), "{key} has no source");
    }
}

#[test]
fn every_departure_that_a_row_names_is_explained_and_named() {
    let section = PROVENANCE
        .split("\n## ")
        .find(|section| section.starts_with("Where this document departs"))
        .expect("there is a section on departures");
    let explained: BTreeSet<_> = section
        .lines()
        .filter_map(|line| line.split_once(". ")?.0.parse::<u32>().ok())
        .collect();
    let named: BTreeSet<_> = rows()
        .values()
        .flat_map(|row| row.source.split("Departure ").skip(1))
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()
                .unwrap_or_default()
        })
        .map(|number| number.parse::<u32>().expect("a departure has a number"))
        .collect();
    assert_eq!(named, explained);
}

struct Row {
    statement: String,
    basis: String,
    source: String,
}

/// The rows of all tables whose first column is `key`.
fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    let mut in_table = false;
    for line in PROVENANCE.lines() {
        let Some(line) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix(" |"))
        else {
            in_table &= line.starts_with("|--");
            continue;
        };
        let cells: Vec<_> = line.split(" | ").collect();
        if cells[0] == "key" {
            in_table = true;
        } else if in_table {
            let [key, statement, basis, source] = cells[..] else {
                panic!("four columns, not: {line}")
            };
            let [key, statement] = [key, statement].map(|cell| cell.replace('`', ""));
            let row = Row {
                statement,
                basis: basis.to_owned(),
                source: source.to_owned(),
            };
            assert!(
                rows.insert(key.clone(), row).is_none(),
                "{key} has two rows"
            );
        }
    }
    rows
}

/// What the document states, by row key, in the words of the table's second column.
fn statements(document: &Value) -> BTreeMap<String, String> {
    let mut statements = BTreeMap::new();
    add_operation(document, &mut statements);
    add_responses(document, &mut statements);
    for (name, schema) in object(&document["components"]["schemas"]) {
        statements.insert(name.clone(), kind(schema));
        add_properties(name, schema, &mut statements);
        for branch in schema.get("oneOf").map(array).into_iter().flatten() {
            add_properties(name, branch, &mut statements);
        }
    }
    statements
}

fn add_operation(document: &Value, statements: &mut BTreeMap<String, String>) {
    let mut add = |key: &str, statement: String| statements.insert(key.to_owned(), statement);
    for (path, item) in object(&document["paths"]) {
        add("operation.path", path.clone());
        for method in object(item).keys() {
            add("operation.method", method.to_uppercase());
        }
    }
    add(
        "operation.servers",
        text(&document["servers"][0]["url"]).to_owned(),
    );
    for scheme in object(&document["security"][0]).keys() {
        let scheme = &document["components"]["securitySchemes"][scheme];
        add(
            "operation.security",
            format!("{} {}", text(&scheme["type"]), text(&scheme["scheme"])),
        );
    }
    let own_words = [
        "summary",
        "description",
        "externalDocs",
        "parameters",
        "responses",
    ];
    for (key, value) in operation(document)
        .iter()
        .filter(|(key, _)| !own_words.contains(&key.as_str()))
    {
        let statement = match value {
            Value::String(text) => text.clone(),
            body => format!(
                "{}, {}",
                kind(&json_content(body)["schema"]),
                presence(body["required"] == true)
            ),
        };
        add(&format!("operation.{key}"), statement);
    }
    for parameter in array(&operation(document)["parameters"]) {
        let parameter = resolve(document, parameter);
        let key = format!("{}.{}", text(&parameter["in"]), text(&parameter["name"]));
        add(
            &key,
            format!(
                "{}, {}",
                kind(&parameter["schema"]),
                presence(parameter["required"] == true)
            ),
        );
    }
    for (name, example) in object(&json_content(&operation(document)["requestBody"])["examples"]) {
        add(
            &format!("example.request.{name}"),
            gist(&resolve(document, example)["value"]),
        );
    }
}

fn add_responses(document: &Value, statements: &mut BTreeMap<String, String>) {
    let mut headers = BTreeMap::<&str, (String, Vec<&str>)>::new();
    for (status, response) in responses(document) {
        statements.insert(
            format!("status.{status}"),
            kind(&json_content(response)["schema"]),
        );
        for (name, header) in object(&response["headers"]) {
            let schema = kind(&resolve(document, header)["schema"]);
            headers
                .entry(name)
                .or_insert((schema, Vec::new()))
                .1
                .push(status);
        }
        for (name, example) in object(&json_content(response)["examples"]) {
            let gist = gist(&resolve(document, example)["value"]);
            statements.insert(format!("example.{status}.{name}"), gist);
        }
    }
    for (name, (schema, statuses)) in headers {
        statements.insert(
            format!("header.{name}"),
            format!("{schema}, on {}", statuses.join(", ")),
        );
    }
}

fn add_properties(name: &str, schema: &Value, statements: &mut BTreeMap<String, String>) {
    let required: Vec<_> = schema
        .get("required")
        .map(array)
        .into_iter()
        .flatten()
        .map(text)
        .collect();
    for (property, schema) in schema.get("properties").map(object).into_iter().flatten() {
        let presence = presence(required.contains(&property.as_str()));
        statements.insert(
            format!("{name}.{property}"),
            format!("{}, {presence}", kind(schema)),
        );
    }
}

/// A schema in words: its type and every constraint on it.
fn kind(schema: &Value) -> String {
    if let Some(name) = referred_name(schema) {
        return name.to_owned();
    }
    if let Some([only]) = schema.get("allOf").map(array) {
        return kind(only);
    }
    if let Some(branches) = schema.get("oneOf").map(array) {
        return format!(
            "one of {}",
            branches.iter().map(kind).collect::<Vec<_>>().join(", ")
        );
    }
    let mut words = text(&schema["type"]).to_owned();
    for (keyword, value) in object(schema).iter().collect::<BTreeMap<_, _>>() {
        match keyword.as_str() {
            "type" | "description" | "properties" | "required" | "minItems" => {}
            "additionalProperties" => words.insert_str(0, "open "),
            "items" => words.push_str(&format!(" of {}", kind(value))),
            "maxItems" => words.push_str(&format!(", {} to {value}", schema["minItems"])),
            "nullable" => words.push_str(", nullable"),
            "readOnly" => words.push_str(", read-only"),
            "format" => words.push_str(&format!(", format {}", text(value))),
            "default" => words.push_str(&format!(", default {value}")),
            "x-known-values" => words.push_str(&format!(", {} known values", array(value).len())),
            other => panic!("a statement has no words for `{other}` yet"),
        }
    }
    words
}

fn presence(required: bool) -> &'static str {
    if required { "required" } else { "optional" }
}

/// What an example shows: an error's message, or how many items.
fn gist(example: &Value) -> String {
    match example.get("message") {
        Some(message) => text(message).to_owned(),
        None => format!("{} items", array(&example["items"]).len()),
    }
}
