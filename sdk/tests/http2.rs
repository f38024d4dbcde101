//! The ends of requests and connections over HTTP/2, which Webflow's servers use.

mod support;

use std::error::Error as StdError;
use std::io;
use std::iter::successors;

use support::{builder, collection, one};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use webflow_cms::{Error, ErrorKind, reqwest};

const TOKEN: &str = "b7c1d0e2f3a4";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const INTERNAL_ERROR: u8 = 2;
const CANCEL: u8 = 8;
/// The stream of the first request of a connection.
const FIRST: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let [_, high, middle, low] = length.to_be_bytes();
    let head = [high, middle, low, kind, flags, 0, 0, 0, stream];
    [&head, payload].concat()
}

/// Responds to a whole request with these bytes, and closes the connection.
async fn respond(mut stream: TcpStream, response: &[u8]) -> io::Result<()> {
    const PREFACE: usize = 24;
    const HEAD: usize = 9;
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    stream.read_exact(&mut [0; PREFACE]).await?;
    loop {
        let mut head = [0; HEAD];
        stream.read_exact(&mut head).await?;
        let [high, middle, low, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        let mut payload = vec![0; usize::try_from(length).expect("a frame")];
        stream.read_exact(&mut payload).await?;
        if kind == DATA && flags & END_STREAM != 0 {
            break;
        }
    }
    stream.write_all(response).await?;
    stream.shutdown().await?;
    // Closing with unread data would reset the connection.
    stream.read_to_end(&mut Vec::new()).await.map(|_| ())
}

async fn error_after(bytes: Vec<u8>) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base_url = format!("http://{}/v2", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client sees every failure.
            let _ = respond(stream, &bytes).await;
        }
    });
    let http = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let client = builder(&base_url, TOKEN).http(http).build();
    let error = client
        .expect("a client")
        .update(collection(), one())
        .await
        .expect_err("a fault");
    server.abort();
    error
}

fn ok_and_part_of_the_body() -> Vec<u8> {
    /// `:status: 200` in the static table of HPACK.
    const OK: u8 = 0x88;
    [
        frame(HEADERS, END_HEADERS, FIRST, &[OK]),
        frame(DATA, 0, FIRST, b"{\"items\":"),
    ]
    .concat()
}

#[tokio::test]
async fn a_stream_or_connection_that_the_server_ends_is_a_closed_connection() {
    let reset = |code| frame(RST_STREAM, 0, FIRST, &[0, 0, 0, code]);
    let go_away = |code| frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, code]);
    for (name, bytes, status) in [
        ("closed", Vec::new(), None),
        ("reset", reset(INTERNAL_ERROR), None),
        ("cancelled", reset(CANCEL), None),
        ("sent away", go_away(INTERNAL_ERROR), None),
        ("sent away in peace", go_away(0), None),
        ("closed in the body", ok_and_part_of_the_body(), Some(200)),
        (
            "reset in the body",
            [ok_and_part_of_the_body(), reset(INTERNAL_ERROR)].concat(),
            Some(200),
        ),
    ] {
        let error = error_after(bytes).await;
        assert_eq!(
            error.kind(),
            ErrorKind::ConnectionClosed,
            "{name}: {error:?}"
        );
        assert_eq!(error.status().map(|status| status.as_u16()), status);
        assert!(error.may_have_acted(), "{name}");
        // With status 200 the request is accepted.
        assert_eq!(error.is_retryable(), status.is_none(), "{name}");
        assert_eq!(error.was_accepted(), status.is_some(), "{name}");
    }
}

#[tokio::test]
async fn the_message_of_a_go_away_frame_is_redacted() {
    let words = format!("you sent {}", TOKEN.to_uppercase());
    let payload = [&[0; 7], &[INTERNAL_ERROR][..], words.as_bytes()].concat();
    let error = error_after(frame(GOAWAY, 0, 0, &payload)).await;
    assert_eq!(error.kind(), ErrorKind::ConnectionClosed, "{error:?}");
    let first: &(dyn StdError + 'static) = &error;
    let shown: String = successors(Some(first), |error| (*error).source())
        .map(|cause| format!("{cause} {cause:?} {cause:#?}\n"))
        .collect();
    assert!(shown.contains("you sent [redacted]"), "{shown}");
    assert!(!shown.contains(&TOKEN.to_uppercase()), "{shown}");
}

#[tokio::test]
async fn invalid_http_2_is_not_a_closed_connection() {
    // A settings frame of an invalid length.
    let error = error_after(frame(SETTINGS, 0, 0, &[0; 5])).await;
    assert_eq!(error.kind(), ErrorKind::Transport, "{error:?}");
    assert!(error.may_have_acted() && !error.is_retryable());
}
