//! The generated client, for what the rest of the crate does not offer: one to one with the document, and through the
//! same transport as all else.

mod support;

use std::time::Duration;

use futures_util::future::join;
use support::{
    COLLECTION, LAMP, builder, builder_in, client, collection, faulty_site, one, site, world,
};
use webflow_cms::raw::Transport;
use webflow_cms::raw::types::{ItemUpdate, ItemUpdateFieldData, ItemUpdateList, UpdatedItems};
use webflow_cms::raw::{self, ClientInfo as _};
use webflow_cms::{Client, ClientBuilder, RateLimiter, RetryPolicy, reqwest};
use webflow_cms_reference::World;
use webflow_cms_reference::{Fault, ReferenceServer, Reply};

const SECOND: Duration = Duration::from_secs(1);

fn request() -> ItemUpdateList {
    let mut fields = ItemUpdateFieldData {
        name: Some("Star lamp".to_owned()),
        slug: None,
        extra: serde_json::Map::new(),
    };
    fields.extra.insert("price".to_owned(), 120.into());
    ItemUpdateList {
        items: vec![ItemUpdate {
            id: LAMP.to_owned(),
            cms_locale_id: None,
            is_archived: None,
            is_draft: Some(true),
            field_data: Some(fields),
        }],
    }
}

/// The ways in which one comes by a raw client.
const WAYS: [fn(&Client) -> raw::Client; 3] = [
    Client::raw,
    |client| raw::Client::new(client.base_url(), client.raw().inner().clone()),
    |client| {
        let transport = client.raw().inner().clone();
        raw::Client::new_with_client(client.base_url(), reqwest::Client::new(), transport)
    },
];

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
    let UpdatedItems::Variant0(list) = response.expect("an update").into_inner() else {
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
async fn a_raw_error_response_keeps_its_status_and_code() {
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
async fn a_raw_response_above_the_size_limit_is_an_error_and_not_read_further() {
    let server = faulty_site().await;
    // Its body never ends.
    server.otherwise(Fault::Drip {
        pause: Duration::ZERO,
    });
    let raw = builder(&server.base_url(), &server.token())
        .max_response_bytes(16)
        .attempt_timeout(Duration::from_secs(20))
        .build()
        .expect("a client")
        .raw();
    let error = raw.update_items(COLLECTION, None, &request()).await;
    let raw::Error::ResponseBodyError(error) = error.expect_err("too long") else {
        panic!("not an error of the body");
    };
    assert!(!error.is_timeout(), "read until the timeout");
}

#[tokio::test]
async fn no_raw_client_follows_a_redirect() {
    let (server, elsewhere) = tokio::join!(site(), site());
    let there = elsewhere.base_url();
    let clients = WAYS.map(|way| way(&client(&server)));
    for (number, raw) in clients.iter().enumerate() {
        let location = format!("{there}/collections/{COLLECTION}/items");
        server.script([Reply::new(307).header("location", &location)]);
        let error = raw.update_items(COLLECTION, None, &request()).await;
        let error = error.expect_err("a redirect is not a success");
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

type Called = Result<raw::ResponseValue<UpdatedItems>, Box<raw::Error<raw::types::ApiError>>>;

/// Checks a property with each kind of raw client, each in a new world.
fn for_each_way(
    settings: impl Fn(ClientBuilder) -> ClientBuilder,
    property: impl Fn(&World, &Client, &raw::Client),
) {
    for way in WAYS {
        let world = world();
        let client = settings(builder_in(&world)).build().expect("a client");
        let raw = way(&client);
        property(&world, &client, &raw);
    }
}

/// Runs one call to its end.
fn call(world: &World, raw: &raw::Client) -> Called {
    let request = request();
    let call = raw.update_items(COLLECTION, None, &request);
    let called = world.run(world.time().caller(call));
    called.expect("time passes").map_err(Box::new)
}

/// Returns the arrival times of the requests.
fn arrivals(world: &World) -> Vec<Duration> {
    world.log().iter().map(|exchange| exchange.at).collect()
}

fn requesting_a_wait_of(seconds: u64) -> Reply {
    let reply = Reply::documented(429).expect("documented");
    reply.header("retry-after", &seconds.to_string())
}

#[test]
fn a_raw_call_is_retried_after_a_429_no_earlier_than_requested() {
    for_each_way(
        |builder| builder,
        |world, _, raw| {
            world.script([requesting_a_wait_of(7)]);
            call(world, raw).expect("an update");
            let [first, again] = *arrivals(world) else {
                panic!("two requests")
            };
            assert!((7 * SECOND..=8 * SECOND).contains(&(again - first)));
        },
    );
}

#[test]
fn a_raw_call_is_retried_after_an_ambiguous_failure() {
    for_each_way(
        |builder| builder,
        |world, _, raw| {
            world.script([Reply::new(500)]);
            call(world, raw).expect("an update");
            assert_eq!(arrivals(world).len(), 2, "after a 500");

            world.faults([Fault::ClosedInHead]);
            call(world, raw).expect("an update");
            assert_eq!(arrivals(world).len(), 4, "after an incomplete head");
        },
    );
}

#[test]
fn an_accepted_raw_call_is_not_retried() {
    for_each_way(
        |builder| builder,
        |world, _, raw| {
            world.faults([Fault::ClosedInBody { after: 3 }]);
            let error = call(world, raw).expect_err("an incomplete body");
            assert!(
                matches!(*error, raw::Error::ResponseBodyError(_)),
                "{error:?}"
            );
            assert_eq!(arrivals(world).len(), 1);
        },
    );
}

#[test]
fn a_raw_call_is_not_retried_after_an_ambiguous_failure_under_the_strict_policy() {
    let strict = RetryPolicy::new().retry_ambiguous(false);
    for_each_way(
        |builder| builder.retry(strict.clone()),
        |world, _, raw| {
            world.script([Reply::documented(500).expect("documented")]);
            let error = call(world, raw).expect_err("a failure");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(500));

            world.faults([Fault::ClosedInBody { after: 3 }]);
            let error = call(world, raw).expect_err("an incomplete body");
            assert!(
                matches!(*error, raw::Error::ResponseBodyError(_)),
                "{error:?}"
            );
            assert_eq!(arrivals(world).len(), 2);

            world.script([requesting_a_wait_of(1)]);
            call(world, raw).expect("the service did not act");
        },
    );
}

#[test]
fn a_raw_call_has_the_attempts_of_the_policy_and_fails_with_the_last_error() {
    for_each_way(
        |builder| builder.retry(RetryPolicy::new().max_attempts(3)),
        |world, _, raw| {
            world.script([500, 502, 503, 504].map(Reply::new));
            let error = call(world, raw).expect_err("a failure");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(503));
            assert_eq!(arrivals(world).len(), 3);
        },
    );
}

#[test]
fn the_attempt_timeout_of_a_raw_call_includes_the_body() {
    for_each_way(
        |builder| {
            builder
                .attempt_timeout(6 * SECOND)
                .retry(RetryPolicy::disabled())
        },
        |world, _, raw| {
            // The head takes some of the time.
            world.latency(|_| (Duration::ZERO, 2 * SECOND));
            let bodies = [Fault::HeadOnly, Fault::Drip { pause: SECOND }];
            for (number, fault) in (1..).zip(bodies) {
                world.faults([fault]);
                let error = call(world, raw).expect_err("an endless body");
                assert!(
                    matches!(*error, raw::Error::ResponseBodyError(_)),
                    "{error:?}"
                );
                assert_eq!(world.time().elapsed(), 6 * SECOND * number);
            }
        },
    );
}

#[test]
fn a_raw_call_ends_at_the_operation_timeout_with_an_error_that_names_it() {
    for_each_way(
        |builder| builder.operation_timeout(10 * SECOND),
        |world, _, raw| {
            world.faults([Fault::SilenceAfterActing]);
            let error = call(world, raw).expect_err("silence").to_string();
            assert!(error.contains("the request timed out"), "{error}");
            assert_eq!(world.time().elapsed(), 10 * SECOND);

            world.script([requesting_a_wait_of(60)]);
            let error = call(world, raw).expect_err("a longer wait than the timeout");
            assert_eq!(error.status().map(|status| status.as_u16()), Some(429));

            let error = call(world, raw)
                .expect_err("its turn is too late")
                .to_string();
            assert!(error.contains("the request was not sent"), "{error}");
            assert!(error.contains("the operation timeout"), "{error}");
            assert_eq!(world.time().elapsed(), 10 * SECOND);
            assert_eq!(arrivals(world).len(), 2);
        },
    );
}

#[test]
fn raw_and_typed_calls_pause_when_the_service_requests_a_wait_of_either() {
    let unlimited = || RateLimiter::with_initial_limit(u32::MAX).expect("a rate limiter");
    for raw_first in [true, false] {
        for_each_way(
            |builder| builder.rate_limiter(unlimited()),
            |world, client, raw| {
                world.script([requesting_a_wait_of(60)]);
                let (collection, batch, request) = (collection(), one(), request());
                let time = world.time();
                let later = |first: bool| time.pause(if first { Duration::ZERO } else { SECOND });
                let raw_call = async {
                    later(raw_first).await;
                    let call = raw.update_items(COLLECTION, None, &request);
                    time.caller(call).await.expect("an update");
                };
                let typed_call = async {
                    later(!raw_first).await;
                    let call = client.update(collection, batch.clone()).send();
                    time.caller(call).await.expect("an update");
                };
                world.run(join(raw_call, typed_call)).expect("time passes");
                let [first, then @ ..] = &*arrivals(world) else {
                    panic!("a request")
                };
                assert_eq!((*first, then.len()), (Duration::ZERO, 2));
                assert!(then.iter().all(|at| *at >= 60 * SECOND), "{then:?}");
            },
        );
    }
}
