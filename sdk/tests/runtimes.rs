//! A client on more than one Tokio runtime.

mod support;

use support::{COLLECTION, client, collection, one, site};
use tokio::runtime::{Builder, Runtime};
use webflow_cms::error::InvalidInput;
use webflow_cms::raw::types::ItemUpdateList;
use webflow_cms::{Client, Error, ErrorKind, UpdateResponse};
use webflow_cms_reference::ReferenceServer;

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

/// A server with a thread of its own.
fn served() -> (Runtime, ReferenceServer) {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(site());
    (runtime, server)
}

async fn update(client: &Client) -> Result<UpdateResponse, Error> {
    client.update(collection(), one()).await
}

#[test]
fn a_call_on_another_runtime_is_refused_while_the_first_one_exists() {
    let (_served, server) = served();
    let client = client(&server);
    let (first, second) = (runtime(), runtime());
    first.block_on(update(&client)).expect("an update");
    // Nobody drives the first runtime now, and its connection with it.
    let error = second
        .block_on(update(&client.clone()))
        .expect_err("another runtime");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.invalid_input(), Some(&InvalidInput::OtherRuntime));
    assert!(!error.may_have_acted());

    let request = ItemUpdateList { items: Vec::new() };
    let called = second.block_on(client.raw().update_items(COLLECTION, None, &request));
    let error = called.expect_err("another runtime").to_string();
    assert!(error.contains("make a client for each runtime"), "{error}");
    assert_eq!(server.log().len(), 1);

    first
        .block_on(update(&client))
        .expect("it goes on where it was");
    assert_eq!(server.log().len(), 2);
}

#[test]
fn a_client_can_be_used_on_another_runtime_after_the_first_one_has_ended() {
    let (_served, server) = served();
    let client = client(&server);
    for calls in 1..5 {
        let runtime = runtime();
        runtime.block_on(update(&client)).expect("an update");
        assert_eq!(server.log().len(), calls);
    }
}

#[test]
fn clients_of_two_runtimes_share_a_rate_limiter() {
    let (_served, server) = served();
    let (first, second) = (runtime(), runtime());
    let one = client(&server);
    let other = support::builder(&server.base_url(), &server.token())
        .rate_limiter(one.rate_limiter().clone())
        .build()
        .expect("a client");
    first.block_on(update(&one)).expect("an update");
    second.block_on(update(&other)).expect("an update");
    assert_eq!(server.log().len(), 2);
}
