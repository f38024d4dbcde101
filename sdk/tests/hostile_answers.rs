//! Answers that are made to do harm: a call ends by its time or at its bound, whatever the server goes on to send.

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
const TIME: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(60);

const IN_TIME: &str = "the response timed out";
const TOO_LARGE: &str = "the response is larger than max_response_bytes";

fn client(base_url: &str, timeout: Duration) -> Client {
    watched(base_url, timeout).0
}

/// A client, and the most that it reads of an answer.
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

/// The error of a typed call. A call that hangs is a failure, and not a test run that never ends.
async fn typed(client: &Client) -> Error {
    let (collection, batch) = (collection(), one());
    let call = client.update(collection, batch.clone()).send();
    patiently(call).await.expect_err("an answer that does harm")
}

/// The error of a raw call, with all its causes, as text.
async fn raw(client: &Client) -> String {
    let (raw, request) = (client.raw(), ItemUpdateList { items: Vec::new() });
    let called = patiently(raw.update_items(COLLECTION, None, &request)).await;
    let error = called.expect_err("an answer that does harm");
    let first: &(dyn StdError + 'static) = &error;
    let causes = successors(Some(first), |error| (*error).source());
    causes.map(|cause| format!("{cause}\n")).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether the client's clock ends a call is what is tried"
)]
async fn patiently<F: Future>(call: F) -> F::Output {
    let ended = tokio::time::timeout(LONG / 2, call).await;
    ended.expect("the call hangs")
}

/// A server that sends these parts to everybody who asks, one after the other, until nobody takes them.
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
    // The requests of these tests are small enough to come in one piece.
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

/// The start of a body that is said to be compressed.
fn compressed() -> impl Iterator<Item = Vec<u8>> {
    let head = head("content-encoding: gzip\r\nconnection: close\r\n\r\n");
    once(head).chain(once(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]))
}

/// A mebibyte of zeros, in about a kibibyte that ends on a whole byte and refers to nothing before it.
fn zeros() -> Vec<u8> {
    const LEN: usize = 1 << 20;
    let mut block = Vec::with_capacity(LEN);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; LEN], &mut block, FlushCompress::Full)
        .expect("it compresses");
    block
}

/// 10 GiB of zeros, which are 10 MB on the wire.
fn bomb() -> impl Iterator<Item = Vec<u8>> {
    compressed().chain(repeat_n(zeros(), 10 * 1024))
}

/// Compressed data without end that is nothing when it is expanded.
fn hot_air() -> impl Iterator<Item = Vec<u8>> {
    const EMPTY_BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];
    compressed().chain(repeat(EMPTY_BLOCK.repeat(10_000)))
}

async fn faulty(fault: Fault) -> FaultyServer {
    let server = faulty_site().await;
    server.otherwise(fault);
    server
}

#[tokio::test]
async fn an_answer_without_end_ends_when_the_time_of_the_try_is_over() {
    let silence = "the request timed out: no response arrived";
    let drip = Fault::Drip {
        pause: Duration::from_millis(1),
    };
    for (fault, said) in [
        (Fault::SilenceAfterActing, silence),
        (Fault::SilenceBeforeActing, silence),
        (Fault::HeadOnly, IN_TIME),
        (drip, IN_TIME),
    ] {
        let server = faulty(fault.clone()).await;
        let client = client(&server.base_url(), TIME);
        let error = typed(&client).await;
        assert_eq!(error.kind(), ErrorKind::Timeout, "{fault:?}: {error:?}");
        assert!(error.may_have_acted(), "{fault:?}");
        let error = raw(&client).await;
        assert!(error.contains(said), "{fault:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressed_data_that_are_nothing_end_when_the_time_of_the_try_is_over() {
    let client = client(&sends(hot_air).await, TIME);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    let error = raw(&client).await;
    assert!(error.contains(IN_TIME), "{error}");
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_read_up_to_the_bound() {
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
async fn ten_gibibytes_in_ten_megabytes_are_expanded_up_to_the_bound() {
    let (client, most) = watched(&sends(bomb).await, LONG);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{error:?}");
    let error = raw(&client).await;
    assert!(error.contains(TOO_LARGE), "{error}");
    assert_eq!(most.bytes(), BOUND);
}

#[tokio::test]
async fn a_refusal_without_end_is_told_as_the_refusal() {
    let server = faulty(Fault::Endless { chunk: 64 * 1024 }).await;
    let refusal = Reply::documented(400).expect("documented");
    server.core().script([refusal.clone(), refusal]);
    let (client, most) = watched(&server.base_url(), LONG);
    let error = typed(&client).await;
    assert_eq!(error.kind(), ErrorKind::BadRequest, "{error:?}");
    assert!(!error.may_have_acted() && !error.is_body_complete());
    assert!(
        most.bytes() < BOUND,
        "there is no need for more of a refusal"
    );
    let error = raw(&client).await;
    assert!(error.contains(TOO_LARGE), "{error}");
    assert_eq!(most.bytes(), BOUND);
}

#[tokio::test]
async fn a_head_without_end_is_no_answer() {
    let headers = || once(head("")).chain(repeat(b"x-more: and more\r\n".repeat(1_000)));
    let greetings = || repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000));
    let client_of_headers = client(&sends(headers).await, LONG);
    let error = typed(&client_of_headers).await;
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert!(error.may_have_acted());
    raw(&client_of_headers).await;

    let client_of_greetings = client(&sends(greetings).await, TIME);
    let error = typed(&client_of_greetings).await;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    raw(&client_of_greetings).await;
}
