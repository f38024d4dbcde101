//! What cannot be right is refused before anything is sent, with an error of its own that says what and where.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use support::{LAMP, builder, client, collection, lamp, one, shade, site};
use webflow_cms::error::InvalidInput;
use webflow_cms::model::Fields;
use webflow_cms::{
    Batch, Client, ClientBuilder, CmsLocaleId, CollectionId, Error, ErrorKind, ItemId, ItemUpdate,
    Token, UpdateResponse, reqwest,
};
use webflow_cms_reference::ReferenceServer;

type Answered = Result<UpdateResponse, Error>;

/// What was refused and the error's text, if nothing reached the server.
async fn refused(call: impl AsyncFnOnce(&ReferenceServer) -> Answered) -> (InvalidInput, String) {
    let server = site().await;
    let error = call(&server).await.expect_err("a refusal");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(!error.may_have_acted() && !error.is_retryable());
    assert!(server.log().is_empty(), "sent all the same: {error}");
    let input = error.invalid_input().expect("rejected input");
    (input.clone(), error.to_string())
}

async fn send(server: &ReferenceServer, updates: impl IntoIterator<Item = ItemUpdate>) -> Answered {
    let batch = Batch::new(updates)?;
    client(server).update(collection(), batch.clone()).await
}

async fn send_by(builder: ClientBuilder) -> Answered {
    builder.build()?.update(collection(), one()).await
}

fn numbered(count: u32) -> impl Iterator<Item = ItemUpdate> {
    (0..count).map(|number| ItemUpdate::new(ItemId::new(format!("{number:024x}")).expect("an id")))
}

#[tokio::test]
async fn valid_input_is_sent() {
    let server = site().await;
    send(&server, [lamp().draft(true), shade().archived(true)])
        .await
        .expect("an update");
    assert_eq!(server.log().len(), 1);
    assert!(server.log()[0].violations.is_empty());
}

#[tokio::test]
async fn a_batch_without_an_update_is_refused() {
    let (input, text) = refused(async |server| send(server, []).await).await;
    assert_eq!(input, InvalidInput::EmptyBatch);
    assert_eq!(text, "the batch has no item update");
}

#[tokio::test]
async fn a_batch_of_one_hundred_and_one_is_refused_with_its_size_and_the_limit() {
    let (input, text) = refused(async |server| send(server, numbered(101)).await).await;
    assert_eq!(input, InvalidInput::BatchTooLarge { len: 101 });
    assert_eq!(
        text,
        "the batch has 101 item updates, more than the maximum of 100; split it, or use `Client::bulk`"
    );
}

#[tokio::test]
async fn a_duplicate_item_and_locale_is_refused_with_both_positions() {
    let updates = [lamp().draft(true), shade(), lamp().archived(true)];
    let (input, text) = refused(async |server| send(server, updates).await).await;
    let InvalidInput::DuplicateKeys(duplicates) = input else {
        panic!("{input:?}");
    };
    let [duplicate] = &*duplicates else {
        panic!("{duplicates:?}");
    };
    assert_eq!((duplicate.first, duplicate.index), (0, 2));
    assert_eq!(duplicate.key, lamp().key());
    assert_eq!(
        text,
        format!(
            "the batch has the same item in the same locale more than once: \
             entry 2 repeats entry 0 (item {LAMP}, the primary locale)"
        )
    );
}

/// The kind and the text of a refused id.
fn id(input: InvalidInput) -> (&'static str, String) {
    match input {
        InvalidInput::Id(error) => (error.kind(), error.text().to_owned()),
        other => panic!("another input was rejected: {other}"),
    }
}

#[tokio::test]
async fn a_malformed_id_is_refused_and_shown() {
    for given in ["..", "a/b", "", "580e63fc8c9a982ac9b8b74"] {
        let of_collection = async |server: &ReferenceServer| {
            let collection = CollectionId::new(given)?;
            client(server).update(collection, one()).await
        };
        let (input, said) = refused(of_collection).await;
        assert_eq!(id(input), ("collection id", given.to_owned()));
        let not = format!("{given:?} is not 24 hexadecimal digits");
        assert_eq!(said, format!("collection id {not}"));

        let of_item = async |server: &_| send(server, [ItemUpdate::new(ItemId::new(given)?)]).await;
        let (input, said) = refused(of_item).await;
        assert_eq!(id(input), ("item id", given.to_owned()));
        assert_eq!(said, format!("item id {not}"));

        let of_locale =
            async |server: &_| send(server, [lamp().locale(CmsLocaleId::new(given)?)]).await;
        let (input, said) = refused(of_locale).await;
        assert_eq!(id(input), ("CMS locale id", given.to_owned()));
        assert_eq!(said, format!("CMS locale id {not}"));
    }
}

#[tokio::test]
async fn an_empty_locale_is_refused_and_is_not_the_primary_one() {
    let to_nowhere = async |server: &_| send(server, [lamp().locale("".parse()?)]).await;
    let (input, text) = refused(to_nowhere).await;
    assert_eq!(id(input), ("CMS locale id", String::new()));
    assert_eq!(text, "CMS locale id \"\" is not 24 hexadecimal digits");
}

#[tokio::test]
async fn an_empty_token_is_refused() {
    let (input, text) = refused(async |server| {
        let token = Token::new("")?;
        send_by(Client::builder(token).base_url(server.base_url())).await
    })
    .await;
    assert_eq!(input, InvalidInput::EmptyToken);
    assert_eq!(text, "the token is empty");
}

#[tokio::test]
async fn a_token_with_a_line_break_is_refused_and_not_shown() {
    let (input, text) = refused(async |server| {
        let token = Token::new("b7c1d0\r\ne2f3a4")?;
        send_by(Client::builder(token).base_url(server.base_url())).await
    })
    .await;
    assert_eq!(input, InvalidInput::InvalidToken { position: 6 });
    assert_eq!(
        text,
        "the token has a character that is not visible ASCII, at byte 6"
    );
    for part in ["b7c1d0", "e2f3a4"] {
        assert!(!text.contains(part) && !format!("{input:?}").contains(part));
    }
}

#[tokio::test]
async fn a_number_that_is_not_finite_is_refused_with_its_path() {
    #[derive(Serialize)]
    struct Lamp {
        sizes: Vec<BTreeMap<&'static str, f64>>,
    }
    let fields = Lamp {
        sizes: vec![BTreeMap::new(), BTreeMap::from([("width", f64::NAN)])],
    };
    let (input, text) = refused(async |server| send(server, [lamp().fields(&fields)?]).await).await;
    let path = "sizes[1].width".into();
    assert_eq!(input, InvalidInput::NotFinite { path });
    assert_eq!(
        text,
        "the number at \"sizes[1].width\" is not finite, which JSON cannot express"
    );
}

/// Updates of the lamp with one field, by every way in.
fn with_field(field: &str, value: &serde_json::Value) -> [Result<ItemUpdate, Error>; 4] {
    let fields = BTreeMap::from([(field, value)]);
    let line = format!("{{\"id\":\"{LAMP}\",\"fieldData\":{{\"{field}\":{value}}}}}");
    [
        lamp().field(field, value),
        lamp().fields(&fields),
        Fields::new(&fields).map(|fields| lamp().with_fields(fields)),
        ItemUpdate::from_json(&line),
    ]
}

#[tokio::test]
async fn a_field_of_an_undocumented_type_is_refused_from_every_source() {
    for (field, value, found) in [
        ("name", json!(5), "a number"),
        ("name", json!(null), "null"),
        ("slug", json!(["a"]), "an array"),
        ("slug", json!(true), "a boolean"),
    ] {
        for update in with_field(field, &value) {
            let (input, text) = refused(async |server| send(server, [update?]).await).await;
            let wrong = InvalidInput::WrongFieldType {
                field: field.into(),
                expected: "a string",
                found,
            };
            assert_eq!(input, wrong);
            assert_eq!(
                text,
                format!("the field {field:?} must be a string, but it is {found}")
            );
        }
    }
    let (input, _) =
        refused(async |server| send(server, [lamp().clear_field("name")?]).await).await;
    assert!(
        matches!(input, InvalidInput::WrongFieldType { found: "null", .. }),
        "{input:?}"
    );
}

#[tokio::test]
async fn a_field_that_the_document_does_not_name_accepts_any_value() {
    let server = site().await;
    for value in [
        json!(5),
        json!(null),
        json!(["a"]),
        json!({"a": {}}),
        json!(""),
    ] {
        for update in with_field("price", &value) {
            let update = update.expect("an update");
            send(&server, [update]).await.expect("an update");
            let sent = server.log().pop().and_then(|exchange| exchange.json);
            let sent = sent.expect("a JSON body");
            assert_eq!(sent["items"][0]["fieldData"]["price"], value);
        }
    }
}

#[tokio::test]
async fn a_field_that_many_parsers_cannot_read_is_refused_with_its_path() {
    let fields = |text: &str| serde_json::from_str::<Box<RawValue>>(text).expect("JSON");
    let half = fields(r#"{"body":["half \ud83d"]}"#);
    let (input, text) = refused(async |server| send(server, [lamp().fields(&half)?]).await).await;
    let path = "body[0]".into();
    assert_eq!(input, InvalidInput::UnpairedSurrogate { path });
    assert_eq!(
        text,
        "the string at \"body[0]\" has half of a surrogate pair, which is not valid Unicode"
    );

    let deep = "[".repeat(200) + &"]".repeat(200);
    let deep = fields(&format!(r#"{{"body":{deep}}}"#));
    let (input, text) = refused(async |server| send(server, [lamp().fields(&deep)?]).await).await;
    let (field, most) = ("body".into(), 123);
    assert_eq!(input, InvalidInput::NestedTooDeep { field, most });
    assert_eq!(
        text,
        "the field \"body\" is nested more than 123 levels deep, and many JSON parsers stop at 128"
    );
}

#[tokio::test]
async fn fields_that_are_not_an_object_are_refused() {
    let (input, text) = refused(async |server| send(server, [lamp().fields(&[1])?]).await).await;
    assert_eq!(input, InvalidInput::FieldsNotAnObject);
    assert_eq!(text, "the fields do not serialize to a JSON object");
}

#[tokio::test]
async fn a_duplicate_field_is_refused_with_its_name() {
    let (input, text) = refused(async |server| {
        let update = lamp().field("price", &1)?.clear_field("price")?;
        send(server, [update]).await
    })
    .await;
    let field = "price".into();
    assert_eq!(input, InvalidInput::DuplicateField { field });
    assert_eq!(text, "the field \"price\" is set more than once");
}

#[tokio::test]
async fn a_base_url_without_a_host_is_refused() {
    for base_url in ["http:///v2", "https:///v2", "http://"] {
        let call = async |server: &ReferenceServer| {
            send_by(builder(&server.base_url(), &server.token()).base_url(base_url)).await
        };
        let (input, text) = refused(call).await;
        assert!(matches!(input, InvalidInput::BaseUrl { .. }), "{base_url}");
        assert!(
            text.starts_with("the base URL ") && text.contains("has no host"),
            "{text}"
        );
    }
}

/// A client for the server by a name that is not this machine's own.
fn by_another_name(server: &ReferenceServer) -> ClientBuilder {
    let base_url = server.base_url().replace("127.0.0.1", "cms.example");
    let this_machine = SocketAddr::from(([127, 0, 0, 1], 0));
    let http = reqwest::Client::builder()
        .no_proxy()
        .resolve("cms.example", this_machine);
    builder(&base_url, &server.token()).http(http)
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused() {
    let (input, text) = refused(async |server| send_by(by_another_name(server)).await).await;
    let host = "cms.example".into();
    assert_eq!(input, InvalidInput::PlainHttp { host });
    assert_eq!(
        text,
        "the base URL is plain http to cms.example, which would expose the token to the network; \
         use https, or consent with `allow_plain_http(true)`"
    );
}

#[tokio::test]
async fn plain_http_to_another_machine_is_sent_with_consent() {
    let server = site().await;
    send_by(by_another_name(&server).allow_plain_http(true))
        .await
        .expect("an update");
    assert_eq!(server.log().len(), 1);
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
#[tokio::test]
async fn https_is_refused_in_a_build_without_tls() {
    let (input, text) = refused(async |server| {
        let base_url = server.base_url().replace("http://", "https://");
        send_by(builder(&base_url, &server.token())).await
    })
    .await;
    assert_eq!(input, InvalidInput::NoTls);
    assert_eq!(
        text,
        "the base URL is https, and this build has no TLS; enable the feature `rustls` or `native-tls`"
    );
}

#[tokio::test]
async fn a_timeout_of_zero_is_refused() {
    let limits: [fn(ClientBuilder) -> ClientBuilder; 2] = [
        |builder| builder.attempt_timeout(Duration::ZERO),
        |builder| builder.connect_timeout(Duration::ZERO),
    ];
    for limit in limits {
        let call = async |server: &ReferenceServer| {
            send_by(limit(builder(&server.base_url(), &server.token()))).await
        };
        let (input, text) = refused(call).await;
        assert_eq!(input, InvalidInput::ZeroTimeout);
        assert_eq!(text, "a timeout is zero; `Duration::MAX` means no limit");
    }
}

#[tokio::test]
async fn an_invalid_user_agent_is_refused() {
    let (input, text) = refused(async |server| {
        send_by(builder(&server.base_url(), &server.token()).user_agent("two\r\nlines")).await
    })
    .await;
    assert_eq!(input, InvalidInput::UserAgent);
    assert_eq!(text, "the user agent is not a valid header value");
}
