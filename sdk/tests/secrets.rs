//! The token is in nothing that a program prints.

mod support;

use std::error::Error as StdError;
use std::fmt::Debug;
use std::iter::successors;
use std::time::Duration;

use support::{COLLECTION, builder, collection, faulty_site, one};
use tokio::net::TcpListener;
use webflow_cms::raw::ClientInfo as _;
use webflow_cms::raw::types::ItemUpdateList;
use webflow_cms::{Client, ErrorKind, Token, reqwest};
use webflow_cms_reference::Fault;

const TOKEN: &str = "b7c1d0e2f3a4958677";

fn shown(value: &dyn Debug) -> String {
    format!("{value:?}\n{value:#?}")
}

fn assert_secret(value: &dyn Debug) {
    let shown = shown(value);
    assert!(!shown.contains(TOKEN), "{shown}");
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error| (*error).source())
}

fn client_for(base_url: &str) -> Client {
    builder(base_url, TOKEN)
        .attempt_timeout(Duration::from_millis(200))
        .build()
        .expect("a client")
}

#[test]
fn debug_of_a_client_does_not_show_the_token() {
    let token = Token::new(TOKEN).expect("a token");
    assert_eq!(format!("{token:?}"), "Token([redacted])");
    assert_secret(&token);
    assert_secret(&builder("http://127.0.0.1/v2", TOKEN));

    let client = client_for("http://127.0.0.1/v2");
    let raw = client.raw();
    let batch = one();
    let request = client.update(collection(), batch.clone());
    let holders: [&dyn Debug; 4] = [&client, &raw, raw.inner(), &request];
    for holder in holders {
        assert!(shown(holder).contains("[redacted]"), "it has no token");
        assert_secret(holder);
    }
}

#[tokio::test]
async fn the_error_of_a_failed_transport_does_not_show_the_token() {
    let server = faulty_site().await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        format!("http://{}/v2", listener.local_addr().expect("an address"))
    };
    let faults = [
        (closed, Fault::None, ErrorKind::Connect),
        (
            server.base_url(),
            Fault::SilenceAfterActing,
            ErrorKind::Timeout,
        ),
        (
            server.base_url(),
            Fault::ResetAfterActing,
            ErrorKind::ConnectionClosed,
        ),
        (
            server.base_url(),
            Fault::Garbage(TOKEN.into()),
            ErrorKind::Transport,
        ),
    ];
    for (base_url, fault, kind) in faults {
        server.otherwise(fault);
        let client = client_for(&base_url);
        let error = client
            .update(collection(), one())
            .await
            .expect_err("a fault");
        assert_eq!(error.kind(), kind, "{error:?}");
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<reqwest::Error>());
        // The attempt timeout is not reqwest's, so the error has no source.
        assert_eq!(source.is_some(), kind != ErrorKind::Timeout, "{error:?}");
        for cause in causes(&error) {
            assert_secret(&cause);
            assert!(!cause.to_string().contains(TOKEN), "{cause}");
        }

        let request = ItemUpdateList { items: Vec::new() };
        let error = client.raw().update_items(COLLECTION, None, &request).await;
        assert_secret(&error.expect_err("a fault"));
    }
}
