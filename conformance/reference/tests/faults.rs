//! The faults of the faulty server, each as a client sees it.

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use support::{A, C, rename_a, request, site};
use webflow_cms_reference::{Fault, FaultyServer, ViolationKind};

mod support;

async fn faulty(faults: impl IntoIterator<Item = Fault>) -> FaultyServer {
    let server = FaultyServer::serve(site().build()).await.unwrap();
    server.inject(faults);
    server
}

async fn patch(server: &FaultyServer) -> reqwest::Result<Response> {
    request(&server.base_url(), &server.token(), rename_a().to_string())
        .send()
        .await
}

fn name_of_a(server: &FaultyServer) -> Value {
    server.model().variant(C, A, None).unwrap().field_data["name"].clone()
}

/// The kind of the innermost I/O error.
fn io_kind(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    let mut found = None;
    while let Some(error) = source {
        found = error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind)
            .or(found);
        source = error.source();
    }
    found
}

#[tokio::test]
async fn a_connection_without_a_fault_passes_the_response_through_and_reads_chunked_bodies() {
    let server = faulty([]).await;
    assert_eq!(
        patch(&server).await.unwrap().json::<Value>().await.unwrap()["items"][0]["id"],
        A
    );
    let text = rename_a().to_string();
    let (head, tail) = text.split_at(10);
    let raw = format!(
        "PATCH /v2/collections/x/../{C}/items HTTP/1.1\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{head}\r\n{:X};ext=1\r\n{tail}\r\n0\r\n\r\n",
        server.token(),
        head.len(),
        tail.len(),
    );
    let response = exchange_raw(&server, raw.as_bytes()).await;
    assert!(
        response.starts_with("HTTP/1.1 404 Not Found\r\n"),
        "{response}"
    );
    let log = server.log();
    assert_eq!(log[1].json, Some(rename_a()));
    assert_eq!(
        log[1].path,
        format!("/v2/collections/x/../{C}/items"),
        "the path comes as it was sent"
    );
    let kinds: Vec<_> = log[1]
        .violations
        .iter()
        .map(|violation| violation.kind)
        .collect();
    assert_eq!(kinds, [ViolationKind::Path]);

    exchange_raw(
        &server,
        b"GET http://localhost/v2/sites?a=b HTTP/1.1\r\n\r\n",
    )
    .await;
    let exchange = server.log().pop().unwrap();
    assert_eq!(
        (exchange.path.as_str(), exchange.query.as_deref()),
        ("/v2/sites", Some("a=b"))
    );
}

async fn exchange_raw(server: &FaultyServer, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = server.base_url().replace("http://", "").replace("/v2", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn resets_are_resets_and_only_the_last_of_them_acts() {
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    let server = faulty([
        Fault::ResetBeforeReading,
        Fault::ResetBeforeActing,
        Fault::ResetAfterActing,
    ])
    .await;

    assert!(matches!(
        io_kind(&patch(&server).await.unwrap_err()),
        Some(ConnectionReset | BrokenPipe)
    ));
    assert_eq!((server.unread(), server.log().len()), (1, 0));

    assert_eq!(
        io_kind(&patch(&server).await.unwrap_err()),
        Some(ConnectionReset)
    );
    assert_eq!((name_of_a(&server), server.log().len()), (json!("a"), 1));
    assert!(server.log()[0].reply.is_none());

    assert_eq!(
        io_kind(&patch(&server).await.unwrap_err()),
        Some(ConnectionReset)
    );
    assert_eq!((name_of_a(&server), server.log().len()), (json!("new"), 2));
    assert_eq!(
        server.log()[1].reply.as_ref().map(|reply| reply.status),
        Some(StatusCode::OK)
    );
    assert_eq!(server.pending_faults(), 0);
}

#[tokio::test]
async fn a_body_is_incomplete_wherever_the_connection_closes() {
    for after in [0, 1, 50, usize::MAX] {
        for fault in [
            Fault::ClosedInBody { after },
            Fault::ClosedInChunkedBody { after },
        ] {
            let server = faulty([fault.clone()]).await;
            let response = patch(&server).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            let error = response.bytes().await.unwrap_err();
            assert!(error.is_body() || error.is_decode(), "{fault:?}: {error:?}");
            assert_eq!(
                (name_of_a(&server), server.log()[0].fault.clone()),
                (json!("new"), fault)
            );
        }
    }
}

#[tokio::test]
async fn half_a_head_garbage_and_raw_bytes_are_sent_as_they_are() {
    let server = faulty([
        Fault::ClosedInHead,
        Fault::Garbage(b"SSH-2.0-nonsense\r\n".to_vec()),
        Fault::Raw(b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\n\r\nno".to_vec()),
    ])
    .await;
    assert!(patch(&server).await.is_err());
    assert_eq!(name_of_a(&server), "new");
    assert!(patch(&server).await.is_err());
    server.core().reset(site().build().model());
    let response = patch(&server).await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.text().await.unwrap().as_str()
        ),
        (503, "no")
    );
    assert_eq!(name_of_a(&server), "a");
}

#[tokio::test]
async fn silence_lasts_and_ends_with_the_server() {
    let limit = Duration::from_millis(100);
    for (fault, name) in [
        (Fault::SilenceBeforeActing, "a"),
        (Fault::SilenceAfterActing, "new"),
    ] {
        let server = faulty([fault]).await;
        let mut pending = tokio::spawn(
            request(&server.base_url(), &server.token(), rename_a().to_string()).send(),
        );
        while server.log().is_empty() || name_of_a(&server) != name {
            tokio::task::yield_now().await;
        }
        assert!(
            tokio::time::timeout(limit, &mut pending).await.is_err(),
            "no response is sent"
        );
        assert_eq!(name_of_a(&server), name);
        pending.abort();
    }

    let server = faulty([Fault::SilenceAfterActing]).await;
    let pending =
        tokio::spawn(request(&server.base_url(), &server.token(), rename_a().to_string()).send());
    while server.log().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(server);
    let response = tokio::time::timeout(Duration::from_secs(5), pending)
        .await
        .expect("the connection ends");
    assert!(response.unwrap().is_err());
}

#[tokio::test]
async fn a_reset_ends_open_connections() {
    let server = faulty([Fault::SilenceAfterActing]).await;
    let pending =
        tokio::spawn(request(&server.base_url(), &server.token(), rename_a().to_string()).send());
    while server.log().is_empty() {
        tokio::task::yield_now().await;
    }
    server.reset(site().build().model());
    let response = tokio::time::timeout(Duration::from_secs(5), pending)
        .await
        .expect("the connection ends");
    assert!(response.unwrap().is_err());
    assert!(patch(&server).await.is_ok(), "new connections are served");
}

#[tokio::test]
async fn a_head_alone_is_followed_by_nothing() {
    let server = faulty([Fault::HeadOnly]).await;
    let mut response = patch(&server).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let chunk = tokio::time::timeout(Duration::from_millis(100), response.chunk()).await;
    assert!(chunk.is_err(), "{chunk:?}");
}

#[tokio::test]
async fn a_drip_goes_on_after_the_body() {
    let pause = Duration::ZERO;
    let server = faulty([Fault::Drip { pause }]).await;
    let mut response = patch(&server).await.unwrap();
    let body = server.log()[0].reply.as_ref().unwrap().body.clone();
    let mut bytes = Vec::new();
    while bytes.len() < body.len() + 100 {
        bytes.extend_from_slice(&response.chunk().await.unwrap().expect("it has no end"));
    }
    assert!(bytes.starts_with(&body));
    assert!(bytes.ends_with(b"  "));
}

#[tokio::test]
async fn bodies_without_end_and_of_ten_gigabytes_come_as_fast_as_they_are_read() {
    const LENGTH: u64 = 10_000_000_000;
    const READ: usize = 3_000_000;
    let server = faulty([
        Fault::Endless { chunk: 7 },
        Fault::Endless { chunk: 100_000 },
        Fault::Oversized { length: LENGTH },
    ])
    .await;
    for announced in [None, None, Some(LENGTH)] {
        let mut response = patch(&server).await.unwrap();
        assert_eq!(
            (response.status(), response.content_length()),
            (StatusCode::OK, announced)
        );
        let mut bytes = Vec::new();
        while bytes.len() < READ {
            bytes.extend_from_slice(&response.chunk().await.unwrap().expect("it has no end"));
        }
        let body = server.log().pop().unwrap().reply.unwrap().body;
        let (start, rest) = bytes.split_at(body.len());
        assert_eq!(start, body);
        assert!(rest.iter().all(|byte| *byte == b' '));
    }
}

#[tokio::test]
async fn an_oversized_body_has_the_announced_length() {
    let server = faulty([
        Fault::Oversized { length: 200_000 },
        Fault::Oversized { length: 0 },
    ])
    .await;
    for least in [200_000, 1] {
        let bytes = patch(&server).await.unwrap().bytes().await.unwrap();
        let own = server.log().pop().unwrap().reply.unwrap().body.len();
        assert_eq!(bytes.len(), own.max(least));
    }
}

#[tokio::test]
async fn a_connection_that_sends_nothing_gives_its_fault_back() {
    let server = faulty([Fault::ClosedInHead]).await;
    assert_eq!(exchange_nothing(&server).await, "");
    assert_eq!(server.pending_faults(), 1);
    assert!(patch(&server).await.is_err());
    server.otherwise(Fault::ResetAfterActing);
    assert!(patch(&server).await.is_err());
    assert!(patch(&server).await.is_err());
    server.reset(site().build().model());
    assert!(patch(&server).await.is_ok());
}

async fn exchange_nothing(server: &FaultyServer) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = server.base_url().replace("http://", "").replace("/v2", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn cleared_faults_do_not_occur_and_a_long_body_is_refused_with_413() {
    let server = faulty([Fault::ResetBeforeActing]).await;
    server
        .core()
        .script([webflow_cms_reference::Reply::new(500)]);
    server.clear_pending();
    assert_eq!(
        (server.pending_faults(), server.core().pending_steps()),
        (0, 0)
    );
    let length = rename_a().to_string().len();
    for (most, status) in [(length, 200), (length - 1, 413)] {
        server
            .core()
            .configure(|settings| settings.max_body = Some(most));
        assert_eq!(patch(&server).await.unwrap().status(), status);
    }
    let applied: Vec<_> = server
        .log()
        .iter()
        .map(|exchange| exchange.applied)
        .collect();
    assert_eq!(applied, [1, 0]);
}
