//! The generated client, for what the rest of the crate does not offer: one to one with the document, and through the
//! same transport as all else.

mod support;

use std::time::Duration;

use support::{COLLECTION, LAMP, builder, client, faulty_site, site};
use webflow_cms::raw::types::{
    ItemUpdate, ItemUpdateFieldData, UpdateItemsRequest, UpdateItemsResponse,
};
use webflow_cms::raw::{self, ClientInfo as _};
use webflow_cms::{Transport, reqwest};
use webflow_cms_conformance::reference::{Fault, ReferenceServer, Reply};

fn request() -> UpdateItemsRequest {
    let mut fields = ItemUpdateFieldData {
        name: Some("Star lamp".to_owned()),
        slug: None,
        extra: serde_json::Map::new(),
    };
    fields.extra.insert("price".to_owned(), 120.into());
    UpdateItemsRequest {
        items: vec![ItemUpdate {
            id: LAMP.to_owned(),
            cms_locale_id: None,
            is_archived: None,
            is_draft: Some(true),
            field_data: Some(fields),
        }],
    }
}

fn transport(server: &ReferenceServer) -> Transport {
    client(server).raw().inner().clone()
}

#[tokio::test]
async fn a_raw_request_carries_what_every_request_carries() {
    let server = site().await;
    let raw = client(&server).raw();
    raw.update_items(COLLECTION, None, &request())
        .await
        .expect("an update");

    let [exchange] = &*server.log() else {
        panic!("one request")
    };
    assert!(exchange.violations.is_empty(), "{exchange}");
    let header = |name| {
        exchange
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let bearer = format!("Bearer {}", server.token());
    assert_eq!(header("authorization"), Some(&*bearer));
    assert_eq!(header("accept"), Some("application/json"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("api-version"), None);
    assert_eq!(exchange.path, format!("/v2/collections/{COLLECTION}/items"));
    assert_eq!(exchange.query, None);
    assert_eq!(
        exchange.json,
        Some(serde_json::json!({"items": [
            {"id": LAMP, "isDraft": true, "fieldData": {"name": "Star lamp", "price": 120}}
        ]}))
    );
}

#[tokio::test]
async fn skip_invalid_files_is_a_query_parameter() {
    let server = site().await;
    for skip in [true, false] {
        let raw = client(&server).raw();
        raw.update_items(COLLECTION, Some(skip), &request())
            .await
            .expect("an update");
        let sent = server.log().pop().and_then(|exchange| exchange.query);
        assert_eq!(sent, Some(format!("skipInvalidFiles={skip}")));
    }
}

#[tokio::test]
async fn raw_types_read_a_list() {
    let server = site().await;
    let raw = client(&server).raw();
    let response = raw.update_items(COLLECTION, None, &request()).await;
    let UpdateItemsResponse::Variant0(list) = response.expect("an update").into_inner() else {
        panic!("not a list");
    };
    let item = &list.items[0];
    assert_eq!(item.id, LAMP);
    assert_eq!(item.is_draft, Some(true));
    let fields = item.field_data.as_ref().expect("fields");
    assert_eq!(fields.name.as_deref(), Some("Star lamp"));
    assert_eq!(fields.extra["price"], 120);
}

#[tokio::test]
async fn a_raw_refusal_keeps_its_status_and_code() {
    let server = site().await;
    server.script([Reply::documented(404).expect("documented")]);
    let raw = client(&server).raw();
    let error = raw.update_items(COLLECTION, None, &request()).await;
    let raw::Error::ErrorResponse(refusal) = error.expect_err("a refusal") else {
        panic!("not a documented error");
    };
    assert_eq!(refusal.status(), 404);
    assert_eq!(refusal.code.as_deref(), Some("resource_not_found"));
}

#[tokio::test]
async fn a_raw_answer_beyond_the_bound_is_an_error_and_not_read_on() {
    let server = faulty_site().await;
    // Its body never ends.
    server.otherwise(Fault::Drip {
        pause: Duration::ZERO,
    });
    let raw = builder(&server.base_url(), &server.token())
        .max_answer_bytes(16)
        .timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
        .raw();
    let error = raw.update_items(COLLECTION, None, &request()).await;
    let raw::Error::ResponseBodyError(error) = error.expect_err("too long") else {
        panic!("not an error of the body");
    };
    assert!(!error.is_timeout(), "read until the time ran out");
}

#[tokio::test]
async fn no_raw_client_follows_a_redirect() {
    let (server, elsewhere) = tokio::join!(site(), site());
    let (here, there) = (server.base_url(), elsewhere.base_url());
    let clients = [
        client(&server).raw(),
        raw::Client::new(&here, transport(&server)),
        raw::Client::new_with_client(&here, reqwest::Client::new(), transport(&server)),
    ];
    for (number, raw) in clients.iter().enumerate() {
        let location = format!("{there}/collections/{COLLECTION}/items");
        server.script([Reply::new(307).header("location", &location)]);
        let error = raw.update_items(COLLECTION, None, &request()).await;
        let error = error.expect_err("a redirect is no answer");
        assert!(
            matches!(error, raw::Error::UnexpectedResponse(_)),
            "{error:?}"
        );
        assert_eq!(error.status().map(|status| status.as_u16()), Some(307));
        assert_eq!(server.log().len(), number + 1);
        assert!(elsewhere.log().is_empty(), "client {number} followed");
    }
}

#[tokio::test]
async fn the_token_goes_to_no_other_server_than_the_clients_own() {
    let (server, elsewhere) = tokio::join!(site(), site());
    let raw = raw::Client::new(&elsewhere.base_url(), transport(&server));
    let error = raw.update_items(COLLECTION, None, &request()).await;
    let error = error.expect_err("another server");
    assert!(matches!(error, raw::Error::InvalidRequest(_)), "{error:?}");
    assert!(elsewhere.log().is_empty() && server.log().is_empty());
}
