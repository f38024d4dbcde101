//! TLS: the token is sent only to a server with a trusted certificate.
#![cfg(feature = "rustls")]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::CertifiedKey;
use support::{LAMP, builder, collection, one};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use webflow_cms::error::RetryStopped;
use webflow_cms::reqwest::{self, Certificate};
use webflow_cms::{Client, ErrorKind, RetryPolicy};

const TOKEN: &str = "b7c1d0e2f3a4958677";

/// A server with its own certificate, and the requests that it received.
struct Server {
    address: SocketAddr,
    certificate: Certificate,
    connections: Arc<AtomicUsize>,
    requests: UnboundedReceiver<String>,
}

impl Server {
    async fn start() -> Self {
        let (certificate, acceptor) = identity();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (log, requests) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                // A client that does not trust the certificate ends the handshake.
                if let Ok(request) = respond(&acceptor, stream).await {
                    log.send(request).expect("a test that listens");
                }
            }
        });
        Self {
            address,
            certificate,
            connections,
            requests,
        }
    }

    fn client_that_trusts(&self, certificate: &Certificate) -> Client {
        let http = reqwest::Client::builder().no_proxy();
        builder(&format!("https://{}/v2", self.address), TOKEN)
            .http(http.tls_certs_only([certificate.clone()]))
            .build()
            .expect("a client")
    }
}

fn identity() -> (Certificate, TlsAcceptor) {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a usable certificate");
    let certificate = Certificate::from_der(cert.der()).expect("a certificate");
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

/// Reads a request, responds with a list of one item, and returns the request.
async fn respond(acceptor: &TlsAcceptor, stream: TcpStream) -> std::io::Result<String> {
    let mut stream = acceptor.accept(stream).await?;
    let mut request = Vec::new();
    while !request.ends_with(b"]}") {
        if stream.read_buf(&mut request).await? == 0 {
            break;
        }
    }
    let body = format!(r#"{{"items":[{{"id":"{LAMP}"}}]}}"#);
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await?;
    Ok(String::from_utf8_lossy(&request).into_owned())
}

#[tokio::test]
async fn an_update_is_sent_over_tls_to_a_trusted_server() {
    let mut server = Server::start().await;
    let client = server.client_that_trusts(&server.certificate);
    let response = client.update(collection(), one()).await.expect("an update");
    assert_eq!(response.items()[0].id.as_str(), LAMP);
    assert_eq!(response.unconfirmed().count(), 0);

    let request = server.requests.recv().await.expect("a request");
    let authorization = format!("authorization: Bearer {TOKEN}\r\n");
    assert!(request.contains(&authorization), "{request}");
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_with_an_invalid_certificate() {
    let mut server = Server::start().await;
    let (another, _) = identity();
    let batch = one();
    let error = server
        .client_that_trusts(&another)
        .update(collection(), batch.clone())
        .await
        .expect_err("no trust");
    assert_eq!(error.kind(), ErrorKind::InvalidCertificate, "{error:?}");
    assert!(!error.may_have_acted());
    assert!(!format!("{error:?} {error:#?}").contains(TOKEN));

    // The server takes one connection after the other, so what comes first is all that came.
    server
        .client_that_trusts(&server.certificate)
        .update(collection(), batch.clone())
        .await
        .expect("an update");
    assert!(server.requests.recv().await.is_some());
    assert!(server.requests.try_recv().is_err(), "sent without trust");
}

#[tokio::test]
async fn a_server_with_an_invalid_certificate_is_not_retried() {
    let server = Server::start().await;
    let (another, _) = identity();
    let batch = one();
    let moment = Duration::from_millis(1);
    let error = server
        .client_that_trusts(&another)
        .update(collection(), batch.clone())
        .retry(
            RetryPolicy::new()
                .backoff(moment, moment)
                .expect("a policy"),
        )
        .await
        .expect_err("no trust");
    assert_eq!(error.retry_stopped(), Some(RetryStopped::NotRetryable));
    assert!(!error.is_retryable());
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}
