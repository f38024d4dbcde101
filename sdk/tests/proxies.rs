//! Plain http goes through no proxy without consent: a proxy would see the token.

mod support;

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use support::{builder, collection, one, site};
use webflow_cms::{ClientBuilder, reqwest};

const TOKEN: &str = "3f9a41c0d27be8156a0c9d4e7b2f1358";

/// Tells a test that it is the process with a proxy in its environment: the base URL, and whether there is consent.
const CHILD: &str = "WEBFLOW_CMS_BEHIND_A_PROXY";
const CONSENT: &str = "WEBFLOW_CMS_CONSENT";
const NAME: &str = "a_proxy_of_the_environment_is_not_used_for_plain_http_without_consent";

/// A proxy that records the requests, and responds with status 502.
struct Proxy {
    address: SocketAddr,
    received: Arc<Mutex<String>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(String::new()));
        let log = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut bytes = [0; 64 * 1024];
                let read = stream.read(&mut bytes).unwrap_or(0);
                log.lock()
                    .expect("no panic")
                    .push_str(&String::from_utf8_lossy(&bytes[..read]));
                let _ = stream.write_all(
                    b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                );
            }
        });
        Self { address, received }
    }

    fn received(&self) -> String {
        self.received.lock().expect("no panic").clone()
    }
}

async fn status(builder: ClientBuilder) -> u16 {
    let client = builder.build().expect("a client");
    match client.update(collection(), one()).await {
        Ok(response) => response.status().as_u16(),
        Err(error) => error.status().map_or(0, |status| status.as_u16()),
    }
}

#[tokio::test]
async fn a_proxy_of_the_settings_is_not_used_for_plain_http_without_consent() {
    let (server, proxy) = (site().await, Proxy::start());
    let settings = || {
        let through = reqwest::Proxy::all(format!("http://{}", proxy.address)).expect("a proxy");
        builder(&server.base_url(), &server.token()).http(reqwest::Client::builder().proxy(through))
    };
    assert_eq!(status(settings()).await, 200);
    assert_eq!((server.log().len(), proxy.received()), (1, String::new()));

    assert_eq!(status(settings().allow_plain_http(true)).await, 502);
    assert!(
        proxy.received().contains(&server.token()),
        "the test sees what a proxy sees"
    );
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used_for_plain_http_without_consent() {
    if let Ok(base_url) = env::var(CHILD) {
        let consent = env::var(CONSENT).is_ok();
        // The settings as they are: the environment is asked.
        let settings = builder(&base_url, TOKEN).http(reqwest::Client::builder());
        let status = status(settings.allow_plain_http(consent)).await;
        assert_eq!(status, if consent { 502 } else { 401 });
        return;
    }
    let (server, proxy) = (site().await, Proxy::start());
    let child = |consent: bool| {
        let mut child = Command::new(env::current_exe().expect("this program"));
        child.args(["--exact", NAME]).env(CHILD, server.base_url());
        for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD", CONSENT] {
            child.env_remove(name);
        }
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            child.env(name, format!("http://{}", proxy.address));
        }
        if consent {
            child.env(CONSENT, "1");
        }
        child
    };
    let run = async |mut child: Command| {
        let output = tokio::task::spawn_blocking(move || child.output());
        let output = output.await.expect("no panic").expect("a child");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    };
    run(child(false)).await;
    assert_eq!((server.log().len(), proxy.received()), (1, String::new()));
    run(child(true)).await;
    assert!(
        proxy.received().contains(TOKEN),
        "the test sees what a proxy sees"
    );
}

#[tokio::test]
async fn localhost_is_this_machine_whatever_the_resolver_returns() {
    let server = site().await;
    let base_url = server.base_url().replace("127.0.0.1", "localhost");
    // Nobody listens there.
    let elsewhere = SocketAddr::from(([127, 0, 0, 2], 0));
    let settings = || {
        let http = reqwest::Client::builder().no_proxy();
        builder(&base_url, &server.token()).http(http.resolve("localhost", elsewhere))
    };
    assert_eq!(status(settings()).await, 200);
    assert_eq!(status(settings().allow_plain_http(true)).await, 0);
}
