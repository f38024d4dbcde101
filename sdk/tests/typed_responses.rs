//! Responses that are deserialized into the caller's types, and the settings of the client around them.

mod support;

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use support::{
    COLLECTION, FRENCH, LAMP, SHADE, builder, client, collection, faulty_site, lamp, one, shade,
    site,
};
use webflow_cms::response::Returned;
use webflow_cms::time::{Clock, Sleep};
use webflow_cms::{Batch, CmsLocaleId, ErrorKind};
use webflow_cms_reference::{Fault, Step};

#[derive(Debug, Deserialize, PartialEq)]
struct Product {
    name: String,
    price: f64,
}

fn both() -> Batch {
    Batch::new([lamp().draft(true), shade().draft(true)]).expect("a batch")
}

#[tokio::test]
async fn field_data_is_deserialized_into_a_type_of_the_caller() {
    let server = site().await;
    let batch = one();
    let response = client(&server)
        .update(collection(), batch.clone())
        .fields_as::<Product>()
        .await
        .expect("an update");
    let product = Product {
        name: "Lamp".to_owned(),
        price: 99.5,
    };
    assert_eq!(response.items()[0].field_data, Some(product));
}

#[tokio::test]
async fn ignored_field_data_is_skipped_and_every_entry_confirmed() {
    let server = site().await;
    let batch = both();
    let response = client(&server)
        .update(collection(), batch.clone())
        .fields_as::<IgnoredAny>()
        .await
        .expect("an update");
    assert_eq!(response.unconfirmed().count(), 0);
    assert_eq!(
        response.item_of(1).map(|item| item.id.as_str()),
        Some(SHADE)
    );
}

#[tokio::test]
async fn a_sent_field_that_the_response_lacks_is_missing() {
    let server = site().await;
    let update = lamp()
        .field("price", &120)
        .and_then(|update| update.field("name", "Star lamp"))
        .and_then(|update| update.clear_field("subtitle"))
        .expect("fields");
    let batch = Batch::new([shade().draft(true), update]).expect("a batch");
    let client = client(&server);
    let missing = async |change: fn(&mut Vec<Value>)| {
        server.script([Step::model_then(move |response| {
            response.edit_items(change)
        })]);
        let response = client.update(collection(), batch.clone()).await;
        let response = response.expect("an update");
        let missing = [0, 1, 2].map(|entry| response.missing_fields(entry).join(","));
        (missing, response.unconfirmed().count())
    };
    let expected = |fields: &str| [String::new(), fields.to_owned(), String::new()];
    assert_eq!(missing(|_| {}).await, (expected(""), 0));
    let without_price = |items: &mut Vec<Value>| {
        items[1]["fieldData"] = json!({"name": null, "more": 1});
        items.reverse();
    };
    assert_eq!(missing(without_price).await, (expected("price"), 0));
    assert_eq!(
        missing(|items| items[1]["fieldData"] = json!({})).await,
        (expected("price,name"), 0)
    );
    for without_fields in [
        |items: &mut Vec<Value>| items[1]["fieldData"] = json!(null),
        |items: &mut Vec<Value>| items[1]["fieldData"] = json!("odd"),
    ] {
        assert_eq!(missing(without_fields).await, (expected(""), 0));
    }
    let lost = |items: &mut Vec<Value>| items.truncate(1);
    assert_eq!(missing(lost).await, (expected(""), 1));
}

#[tokio::test]
async fn an_item_without_a_locale_confirms_the_entry_of_the_primary_locale() {
    let server = site().await;
    let primary = server
        .model()
        .primary_locale(COLLECTION)
        .map(CmsLocaleId::new);
    let primary = primary.expect("a locale").expect("an id");
    let french = CmsLocaleId::new(FRENCH).expect("an id");
    let updates = [
        lamp().locale(primary),
        shade().locale(primary),
        lamp().locale(french),
    ];
    let batch = Batch::new(updates.map(|update| update.draft(true))).expect("a batch");
    let returned = async |locale: Value| {
        server.script([Step::model_then(move |response| {
            response.edit_items(|items| {
                for item in items {
                    if item["cmsLocaleId"] != FRENCH {
                        item["cmsLocaleId"] = locale.clone();
                    }
                }
            })
        })]);
        let response = client(&server).update(collection(), batch.clone()).await;
        response.expect("an update").returned().to_vec()
    };
    let all = [Returned::Item(0), Returned::Item(1), Returned::Item(2)];
    assert_eq!(returned(json!(null)).await, all);
    let another = returned(json!("66f6e966c9e1dc700a857c09")).await;
    let missing = [Returned::Missing, Returned::Missing, Returned::Item(2)];
    assert_eq!(another, missing, "another locale is not this one");
}

#[tokio::test]
async fn an_item_that_does_not_match_the_type_is_named_and_the_response_is_kept() {
    let server = site().await;
    let batch = both();
    let error = client(&server)
        .update(collection(), batch.clone())
        .fields_as::<Product>()
        .await
        .expect_err("the price of the shade is a text");
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(error.may_have_acted() && !error.is_retryable());
    let text = error.to_string();
    let parts = [
        SHADE,
        " at position 1 ",
        "invalid type: string \"cheap\", expected f64",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains(LAMP), "{text}");

    let response = error.update_response().expect("the response");
    assert_eq!(response.unconfirmed().count(), 0);
    let shade = response
        .item_of(1)
        .and_then(|item| item.field_data.as_ref());
    let price = shade.and_then(|fields| fields.deserialize::<serde_json::Value>().ok());
    assert_eq!(price.expect("fields")["price"], "cheap");
}

#[tokio::test]
async fn the_user_agent_names_the_application_and_the_crate() {
    let server = site().await;
    let client = builder(&server.base_url(), &server.token())
        .user_agent("app/1.0")
        .build()
        .expect("a client");
    client.update(collection(), one()).await.expect("an update");
    let expected = format!("app/1.0 webflow-cms/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.log()[0].headers["user-agent"], *expected);
}

#[derive(Debug)]
struct Stopped(SystemTime);

impl Clock for Stopped {
    fn now(&self) -> SystemTime {
        self.0
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

#[tokio::test]
async fn a_retry_after_date_is_compared_with_the_clock_if_the_response_has_no_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let after = |seconds| httpdate::fmt_http_date(now + Duration::from_secs(seconds));
    let server = faulty_site().await;
    let client = builder(&server.base_url(), &server.token())
        .clock(Stopped(now))
        .build()
        .expect("a client");
    let wait = async |date: &str| {
        let head = format!(
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: {}\r\n{date}content-length: 0\r\n\r\n",
            after(90)
        );
        server.inject([Fault::Raw(head.into())]);
        let refused = client.update(collection(), one()).await;
        refused.expect_err("a refusal").retry_after()
    };
    assert_eq!(wait("").await, Some(Duration::from_secs(90)));
    let date = format!("date: {}\r\n", after(60));
    assert_eq!(wait(&date).await, Some(Duration::from_secs(30)));
}

#[cfg(feature = "gzip")]
mod gzip {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use webflow_cms::{Error, UpdateResponse};
    use webflow_cms_reference::{ReferenceServer, Reply};

    use super::*;

    const MEGABYTE: usize = 1 << 20;

    fn compressed(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    fn encoded(reply: Reply) -> Reply {
        let body = compressed(&reply.body);
        reply.header("content-encoding", "gzip").body(body)
    }

    async fn bounded(server: &ReferenceServer) -> Result<UpdateResponse, Error> {
        let client = builder(&server.base_url(), &server.token())
            .max_response_bytes(MEGABYTE)
            .build()?;
        client.update(collection(), one()).await
    }

    #[tokio::test]
    async fn a_compressed_response_is_accepted() {
        let server = site().await;
        server.script([Step::model_then(|response| encoded(response.reply))]);
        let response = bounded(&server).await.expect("an update");
        assert_eq!(response.items()[0].id.as_str(), LAMP);
        assert_eq!(server.log()[0].headers["accept-encoding"], "gzip");
    }

    #[tokio::test]
    async fn a_compressed_response_is_limited_by_its_decompressed_size() {
        let server = site().await;
        let list = format!(r#"{{"items":[],"more":"{}"}}"#, " ".repeat(10 * MEGABYTE));
        let bomb = encoded(Reply::new(200).body(list));
        assert!(bomb.body.len() < 16 * 1024, "{} bytes", bomb.body.len());
        server.script([bomb]);
        let error = bounded(&server).await.expect_err("too large");
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert!(error.may_have_acted());
        let text = error.to_string();
        assert!(
            text.ends_with("it is larger than max_response_bytes"),
            "{text}"
        );
        assert!(!error.is_body_complete());
    }
}
