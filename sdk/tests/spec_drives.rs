//! What the OpenAPI document says is what the crate says and sends.

mod support;

#[path = "../build/opaque.rs"]
mod opaque;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use support::{FRENCH, client, collection, lamp, one, site};
use webflow_cms::model::CollectionItem;
use webflow_cms::spec::{BASE_URL, DOCUMENTED_STATUSES, REQUIRED_SCOPE};
use webflow_cms::{Batch, CmsLocaleId, ErrorKind};
use webflow_cms_reference::Reply;

fn document() -> Value {
    webflow_cms_spec::document().expect("a readable document")
}

fn operation(document: &Value) -> &Value {
    &document["paths"]["/collections/{collection_id}/items"]["patch"]
}

fn properties(schema: &str) -> Map<String, Value> {
    let document = document();
    let properties = document["components"]["schemas"][schema]["properties"].as_object();
    properties.expect("properties").clone()
}

fn keys(object: &Map<String, Value>) -> BTreeSet<&str> {
    object.keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_complete_update_sends_every_property_of_the_document_and_no_other() {
    let server = site().await;
    let update = lamp()
        .locale(CmsLocaleId::new(FRENCH).expect("an id"))
        .archived(false)
        .draft(true)
        .field("name", "Lampe")
        .expect("a field");
    let batch = Batch::new([update]).expect("a batch");
    client(&server)
        .update(collection(), batch.clone())
        .await
        .expect("an update");

    let sent = server.log().pop().and_then(|exchange| exchange.json);
    let sent = sent.expect("a JSON body");
    let body = sent.as_object().expect("an object");
    let entry = sent["items"][0].as_object().expect("an object");
    assert_eq!(keys(body), keys(&properties("ItemUpdateList")));
    assert_eq!(keys(entry), keys(&properties("ItemUpdate")));
}

/// An item with every property of the document, and one that it does not know.
fn whole_item() -> Map<String, Value> {
    let of_type = |schema: &Value| match schema["type"].as_str() {
        Some("string") => json!("2026-09-15T10:00:00.000Z"),
        Some("boolean") => json!(true),
        Some(other) => panic!("no example for the type {other}"),
        None => json!({"name": "Lamp", "price": 99.5}),
    };
    let mut item: Map<_, _> = properties("CollectionItem")
        .iter()
        .map(|(name, schema)| (name.clone(), of_type(schema)))
        .collect();
    item.insert("undocumented".to_owned(), json!([1, {"a": null}]));
    item
}

fn read(item: &Map<String, Value>) -> Result<CollectionItem, serde_json::Error> {
    serde_json::from_str(&Value::Object(item.clone()).to_string())
}

#[test]
fn a_complete_item_survives_a_round_trip() {
    let item = whole_item();
    let read = read(&item).expect("an item");
    assert_eq!(keys(&read.extra), BTreeSet::from(["undocumented"]));
    assert_eq!(
        serde_json::to_value(read).expect("JSON"),
        Value::Object(item)
    );
}

#[test]
fn optional_properties_of_an_item_may_be_absent_or_null() {
    let required = &document()["components"]["schemas"]["CollectionItem"]["required"];
    let required: Vec<String> = serde_json::from_value(required.clone()).expect("names");
    for name in properties("CollectionItem").keys() {
        let optional = !required.contains(name);
        let mut item = whole_item();
        item.insert(name.clone(), Value::Null);
        assert_eq!(read(&item).is_ok(), optional, "{name} is null");
        item.remove(name);
        assert_eq!(read(&item).is_ok(), optional, "{name} is absent");
    }
}

#[test]
fn limit_server_and_scope_are_those_of_the_document() {
    let document = document();
    let items = &properties("ItemUpdateList")["items"];
    assert_eq!(items["maxItems"], Batch::MAX_ITEMS);
    assert_eq!(document["servers"][0]["url"], BASE_URL);
    assert_eq!(operation(&document)["x-required-scope"], REQUIRED_SCOPE);
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn the_default_base_url_is_the_server_of_the_document() {
    use webflow_cms::{Client, Token};

    let client = Client::new(Token::new("b7c1d0e2f3a4").expect("a token")).expect("a client");
    assert_eq!(client.base_url(), document()["servers"][0]["url"]);
}

#[tokio::test]
async fn every_error_status_of_the_document_has_its_own_kind() {
    let document = document();
    let responses = operation(&document)["responses"]
        .as_object()
        .expect("responses");
    let documented: Vec<u16> = responses
        .keys()
        .map(|status| status.parse().expect("a status"))
        .collect();
    assert_eq!(DOCUMENTED_STATUSES, documented);

    let server = site().await;
    let (client, batch) = (client(&server), one());
    let mut kinds = vec![ErrorKind::UnexpectedStatus];
    for status in documented.into_iter().filter(|status| *status != 200) {
        server.script([Reply::documented(status).expect("an example")]);
        let error = client
            .update(collection(), batch.clone())
            .await
            .expect_err("a refusal");
        assert_eq!(error.status().map(|status| status.as_u16()), Some(status));
        assert!(
            !kinds.contains(&error.kind()),
            "{status} is {:?} too",
            error.kind()
        );
        kinds.push(error.kind());
    }
}

#[test]
fn the_client_that_carries_bytes_differs_only_in_bodies_and_schemas() {
    let mut original = document();
    let mut opaque = opaque::bodies(&original).expect("an opaque document");
    let binary = json!({"schema": {"type": "string", "format": "binary"}});
    let mut bodies = 0;
    take_contents(&mut opaque, &mut |content| {
        assert_eq!(content, json!({"application/octet-stream": binary}));
        bodies += 1;
    });
    take_contents(&mut original, &mut |_| bodies -= 1);
    assert_eq!(bodies, 0, "a body was lost or added");
    let components = original["components"].as_object_mut().expect("components");
    components.remove("schemas");
    components.remove("examples");
    assert_eq!(opaque, original);
}

/// Takes every `content` out of a document.
fn take_contents(value: &mut Value, taken: &mut impl FnMut(Value)) {
    match value {
        Value::Object(members) => {
            members.remove("content").into_iter().for_each(&mut *taken);
            members
                .values_mut()
                .for_each(|member| take_contents(member, taken));
        }
        Value::Array(elements) => elements
            .iter_mut()
            .for_each(|element| take_contents(element, taken)),
        _ => {}
    }
}
