//! The site that the tests of the reference server update.

use reqwest::Client;
use serde_json::{Value, json};
use webflow_cms_reference::{Builder, ReferenceServer, Variant};

pub(crate) const C: &str = "580e63fc8c9a982ac9b8b700";
pub(crate) const EN: &str = "66f6e966c9e1dc700a857c01";
pub(crate) const FR: &str = "66f6e966c9e1dc700a857c02";
pub(crate) const A: &str = "66f6ed9576ddacf3149d5e01";
pub(crate) const B: &str = "66f6ed9576ddacf3149d5e02";

pub(crate) fn site() -> Builder {
    ReferenceServer::builder()
        .collection(C, EN, &[FR])
        .item(C, A, None, Variant::named("a", "a"))
        .item(C, A, Some(FR), Variant::named("a-fr", "a-fr"))
        .item(C, B, None, Variant::named("b", "b"))
}

pub(crate) fn request(
    base_url: &str,
    token: &str,
    body: impl Into<reqwest::Body>,
) -> reqwest::RequestBuilder {
    Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .patch(format!("{base_url}/collections/{C}/items"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body)
}

pub(crate) fn rename_a() -> Value {
    json!({"items": [{"id": A, "fieldData": {"name": "new"}}]})
}
