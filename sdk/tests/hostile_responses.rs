//! Hostile responses: a call ends at its timeout or its size limit, whatever the server sends.

mod support;

use std::error::Error as StdError;
use std::iter::{once, repeat, repeat_n, successors};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flate2::{Compress, Compression, FlushCompress};
use support::{COLLECTION, builder, collection, faulty_site, one};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use webflow_cms::observe::{AttemptEnded, Observer};
use webflow_cms::raw::types::ItemUpdateList;
use webflow_cms::{Client, Error, ErrorKind};
use webflow_cms_reference::{Fault, FaultyServer, Reply};

const BOUND: u64 = 1 << 20;
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

const TIMED_OUT: &str = "the response timed out";
const TOO_LARGE: &str = "the response is larger than max_response_bytes";

fn client(base_url: &str, timeout: Duration) -> Client {
    watched(base_url, timeout).0
}

/// Makes a client, and a counter of the most bytes that it reads of a response.
fn watched(base_url: &str, timeout: Duration) -> (Client, Most) {
    let most = Most::default();
    let client = builder(base_url, "reference-token")
        .max_response_bytes(usize::try_from(BOUND).expect("a mebibyte"))
        .attempt_timeout(timeout)
        .observer(most.clone())
        .build()
        .expect("a client");
    (client, most)
}

#[derive(Clone, Debug, Default)]
struct Most(Arc<AtomicU64>);

impl Observer for Most {
    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.0.fetch_max(ended.bytes_received, Ordering::Relaxed);
    }
}

impl Most {
    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Returns the error of a typed call. A call that hangs fails the test.
async fn typed(client: &Client) -> Error {
    let (collection, batch) = (collection(), one());
    let call = client.update(collection, batch.clone()).send();
    within_a_minute(call).await.expect_err("a hostile response")
}

/// Returns the error of a raw call with all its causes, as text.
async fn raw(client: &Client) -> String {
    let (raw, request) = (client.raw(), ItemUpdateList { items: Vec::new() });
    let called = within_a_minute(raw.update_items(COLLECTION, None, &request)).await;
    let error = called.expect_err("a hostile response");
    let first: &(dyn StdError + 'static) = &error;
    let causes = successors(Some(first), |error| (*error).source());
    causes.map(|cause| format!("{cause}\n")).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test checks that the client's own timeout ends a call"
)]
async fn within_a_minute<F: Future>(call: F) -> F::Output {
    let ended = tokio::time::timeout(LONG / 2, call).await;
    ended.expect("the call hangs")
}

/// Starts a server that sends these parts in response to each request, until the client closes the connection.
async fn sends<P>(parts: impl Fn() -> P + Send + Sync + 'static) -> String
where
    P: Iterator<Item = Vec<u8>> + Send + 'static,
{
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(send(stream, parts()));
        }
    });
    format!("http://{address}/v2")
}

async fn send(mut stream: TcpStream, parts: impl Iterator<Item = Vec<u8>>) {
    // The requests of these tests are small enough for one read.
    let _ = stream.read(&mut [0; 64 * 1024]).await;
    for part in parts {
        if stream.write_all(&part).await.is_err() {
            return;
        }
    }
    let _ = stream.read(&mut [0; 1]).await;
}

fn head(more: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{more}").into_bytes()
}

/// The head and the beginning of a compressed body.
fn compressed() -> impl Iterator<Item = Vec<u8>> {
    let head = head("content-encoding: gzip\r\nconnection: close\r\n\r\n");
    once(head).chain(once(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]))
}

/// 1 MiB of zeros in about 1 KiB, which ends on a whole byte and refers to nothing before it.
fn zeros() -> Vec<u8> {
    const LEN: usize = 1 << 20;
    let mut block = Vec::with_capacity(LEN);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; LEN], &mut block, FlushCompress::Full)
        .expect("it compresses");
    block
}

/// 10 GiB of zeros in 10 MB.
fn bomb() -> impl Iterator<Item = Vec<u8>> {
    compressed().chain(repeat_n(zeros(), 10 * 1024))
}

/// Endless compressed data that decompresses to nothing.
fn empty_blocks() -> impl Iterator<Item = Vec<u8>> {
    const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];
    compressed().chain(repeat(EMPTY_BLOCK.repeat(10_000)))
}

async fn faulty(fault: Fault) -> FaultyServer {
    let server = faulty_site().await;
    server.otherwise(fault);
    server
}

#[tokio::test]
async fn an_endless_response_ends_at_the_attempt_timeout() {
    let silence = "the request timed out: no response arrived";
    let drip = Fault::Drip {
        pause: Duration::from_millis(1),
    };
    for (fault, text) in [
        (Fault::SilenceAfterActing, silence),
        (Fault::SilenceBeforeActing, silence),
        (Fault::HeadOnly, TIMED_OUT),
        (drip, TIMED_OUT),
    ] {
        let server = faulty(fault.clone()).await;
        let client = client(&server.base_url(), SHORT);
        let error = typed(&client).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{fault:?}: {error:?}");
        assert!(error.may_have_acted(), "{fault:?}");
        let error = raw(&client).await;
        assert!(error.contains(text), "{fault:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_compressed_data_ends_at_the_attempt_timeout() {
    let client = client(&sends(empty_blocks).await, SHORT);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let error = raw(&client).await;
    assert!(error.contains(TIMED_OUT), "{error}");
}

#[tokio::test]
async fn a_response_is_read_up_to_the_size_limit() {
    for fault in [
        Fault::Oversized {
            length: 10_000_000_000,
        },
        Fault::Endless { chunk: 64 * 1024 },
        Fault::Endless { chunk: 100 },
    ] {
        let server = faulty(fault.clone()).await;
        let (client, most) = watched(&server.base_url(), LONG);
        let error = typed(&client).await;
        assert_eq!(
            error.kind(),
            ErrorKind::InvalidResponse,
            "{fault:?}: {error:?}"
        );
        assert!(error.may_have_acted(), "{fault:?}");
        let error = raw(&client).await;
        assert!(error.contains(TOO_LARGE), "{fault:?}: {error}");
        assert_eq!(most.bytes(), BOUND, "{fault:?}");
    }
}

#[tokio::test]
async fn ten_gibibytes_in_ten_megabytes_are_decompressed_up_to_the_size_limit() {
    let (client, most) = watched(&sends(bomb).await, LONG);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
    let error = raw(&client).await;
    assert!(error.contains(TOO_LARGE), "{error}");
    assert_eq!(most.bytes(), BOUND);
}

#[tokio::test]
async fn an_endless_error_response_is_reported_by_its_status() {
    let server = faulty(Fault::Endless { chunk: 64 * 1024 }).await;
    let refusal = Reply::documented(400).expect("documented");
    server.core().script([refusal.clone(), refusal]);
    let (client, most) = watched(&server.base_url(), LONG);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
    assert!(!error.may_have_acted() && !error.is_body_complete());
    assert!(
        most.bytes() < BOUND,
        "the limit of an error response is lower"
    );
    let error = raw(&client).await;
    assert!(error.contains(TOO_LARGE), "{error}");
    assert_eq!(most.bytes(), BOUND);
}

#[tokio::test]
async fn an_endless_head_ends_the_attempt() {
    let headers = || once(head("")).chain(repeat(b"x-more: and more\r\n".repeat(1_000)));
    let greetings = || repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000));
    let client_of_headers = client(&sends(headers).await, LONG);
    let error = typed(&client_of_headers).await;
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert!(error.may_have_acted());
    raw(&client_of_headers).await;

    let client_of_greetings = client(&sends(greetings).await, SHORT);
    let error = typed(&client_of_greetings).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    raw(&client_of_greetings).await;
}
