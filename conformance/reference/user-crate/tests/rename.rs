//! A test of that code against the reference server.

use user_crate::rename;
use webflow_cms::{Client, CollectionId, ItemId, Token};
use webflow_cms_reference::{ReferenceServer, Variant};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const ITEM: &str = "66f6ed9576ddacf3149d5ea6";

#[tokio::test]
async fn a_renamed_item_has_its_new_name_after_one_request_that_keeps_the_contract() {
    let server = ReferenceServer::builder()
        .item(COLLECTION, ITEM, None, Variant::named("Lamp", "lamp"))
        .start()
        .await;
    let client = Client::builder(Token::new(server.token()).expect("a token"))
        .base_url(server.base_url())
        .build()
        .expect("a client");

    let collection = CollectionId::new(COLLECTION).expect("a collection");
    let item = ItemId::new(ITEM).expect("an item");
    rename(&client, collection, item, "Star lamp")
        .await
        .expect("an update");

    let model = server.model();
    let variant = model.variant(COLLECTION, ITEM, None).expect("the item");
    assert_eq!(variant.field_data["name"], "Star lamp");
    assert_eq!(variant.field_data["slug"], "lamp");

    let log = server.log();
    let [exchange] = log.as_slice() else {
        panic!("one request was due: {log:?}");
    };
    assert_eq!(exchange.method.as_str(), "PATCH");
    assert_eq!(exchange.path, format!("/v2/collections/{COLLECTION}/items"));
    assert!(exchange.violations.is_empty(), "{:?}", exchange.violations);
    assert_eq!(exchange.applied, 1);
}
