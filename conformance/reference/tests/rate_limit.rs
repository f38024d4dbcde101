//! Responses of the rate limiter, and the time of the server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, header};
use serde_json::{Value, json};
use support::{A, B, C, rename_a, request, site};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use webflow_cms_reference::{
    Basis, Core, Fault, FaultyServer, Guard, Limiter, RateHeaders, ReferenceServer, Reply, Request,
    RetryAfterForm, Settings, Sleep, Time,
};

mod support;

/// A time that the test sets. It counts the requests that were read, and those that have ended.
#[derive(Clone, Debug, Default)]
struct ByHand(Arc<Mutex<Duration>>, Arc<Mutex<(u32, u32)>>);

struct Over(ByHand);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.1.lock().unwrap().1 += 1;
    }
}

impl ByHand {
    fn set(&self, milliseconds: u64) {
        *self.0.lock().unwrap() = Duration::from_millis(milliseconds);
    }
}

impl Time for ByHand {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }

    fn arrived(&self) -> Guard {
        self.1.lock().unwrap().0 += 1;
        Box::new(Over(self.clone()))
    }
}

fn limited(limiter: Limiter, change: impl FnOnce(&mut Settings)) -> (Core, ByHand) {
    let (site, time) = (site().build(), ByHand::default());
    let mut settings = Settings {
        limiter: Some(limiter),
        ..Settings::default()
    };
    change(&mut settings);
    (Core::with_time(site.model(), settings, time.clone()), time)
}

fn patch(core: &Core) -> Reply {
    send(core, &core.settings().token, &rename_a())
}

fn send(core: &Core, token: &str, body: &Value) -> Reply {
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {token}");
    headers.insert(header::AUTHORIZATION, bearer.parse().unwrap());
    headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    core.handle(Request {
        method: Method::PATCH,
        path: format!("/v2/collections/{C}/items"),
        query: None,
        headers,
        body: body.to_string().into(),
    })
}

/// The status and the rate headers: limit, remaining, wait.
fn seen(reply: &Reply) -> (u16, [Option<&str>; 3]) {
    let names = ["x-ratelimit-limit", "x-ratelimit-remaining", "retry-after"];
    let value = |name| Some(reply.headers.get(name)?.to_str().unwrap());
    (reply.status.as_u16(), names.map(value))
}

#[test]
fn a_request_too_many_gets_the_documented_429_and_every_response_the_numbers() {
    let (core, time) = limited(Limiter::sliding_window(2), |_| {});
    let healthy = patch(&core);
    assert_eq!(seen(&healthy), (200, [Some("2"), Some("1"), Some("60")]));
    time.set(5_000);
    assert_eq!(
        seen(&patch(&core)),
        (200, [Some("2"), Some("0"), Some("60")])
    );
    let refused = patch(&core);
    assert_eq!(seen(&refused), (429, [Some("2"), Some("0"), Some("55")]));
    assert_eq!(refused.body, Reply::documented(429).unwrap().body);
    assert_eq!(refused.basis, Basis::Documented);
}

#[test]
fn every_response_counts_down_to_the_end_of_a_window_that_began_with_the_first_request() {
    let (core, time) = limited(Limiter::window_from_first_request(4), |_| {});
    let refused = Reply::new(409).json(&json!({"code": "conflict"}));
    core.reset(core.model().reject_with(C, A, None, refused));
    let null = json!({"items": [{"id": A, "cmsLocaleId": null}]});
    let other = json!({"items": [{"id": B}]});
    let requests = [
        (17_000, "reference-token", &other, 200, "3", "60"),
        (17_400, "reference-token", &null, 400, "2", "60"),
        (30_000, "hunter2", &other, 401, "1", "47"),
        (75_999, "reference-token", &rename_a(), 409, "0", "2"),
        (76_001, "reference-token", &other, 429, "0", "1"),
        (77_000, "reference-token", &other, 200, "3", "60"),
    ];
    for (at, token, body, status, remaining, wait) in requests {
        time.set(at);
        let reply = send(&core, token, body);
        let reported = [Some("4"), Some(remaining), Some(wait)];
        assert_eq!(seen(&reply), (status, reported), "{at}");
    }
}

#[test]
fn only_a_refusal_tells_a_date_where_every_response_tells_a_wait() {
    let (core, _) = limited(Limiter::window_from_first_request(1), |settings| {
        settings.retry_after_form = RetryAfterForm::Date;
    });
    assert_eq!(seen(&patch(&core)).1[2], Some("60"));
    let refused = patch(&core);
    assert_eq!(seen(&refused).1[2], Some("Sun, 09 Sep 2001 01:47:40 GMT"));
}

#[test]
fn a_wait_is_reported_in_whole_seconds_rounded_up() {
    let (core, time) = limited(Limiter::sliding_window(1), |_| {});
    patch(&core);
    for (milliseconds, reported) in [(1, "60"), (1_000, "59"), (59_001, "1"), (59_999, "1")] {
        time.set(milliseconds);
        assert_eq!(seen(&patch(&core)).1[2], Some(reported), "{milliseconds}");
    }
    time.set(60_000);
    assert_eq!(seen(&patch(&core)).0, 200);
}

#[test]
fn a_wait_is_reported_as_a_date_that_is_not_too_early() {
    let (core, time) = limited(Limiter::sliding_window(1), |settings| {
        settings.retry_after_form = RetryAfterForm::Date;
    });
    time.set(700);
    patch(&core);
    time.set(1_300);
    let reply = patch(&core);
    assert_eq!(reply.headers["date"], "Sun, 09 Sep 2001 01:46:41 GMT");
    assert_eq!(
        reply.headers["retry-after"], "Sun, 09 Sep 2001 01:47:41 GMT",
        "60.7 seconds after the start"
    );
}

#[test]
fn a_header_that_is_left_out_stays_out() {
    let (core, _) = limited(Limiter::sliding_window(1), |settings| {
        settings.rate = RateHeaders {
            limit: Some(1_000),
            remaining: None,
            retry_after: None,
        };
    });
    assert_eq!(seen(&patch(&core)), (200, [Some("1"), None, None]));
    assert_eq!(seen(&patch(&core)), (429, [Some("1"), None, None]));
}

#[test]
fn the_limit_comes_before_the_script_and_before_the_model() {
    let (core, time) = limited(Limiter::sliding_window(1), |_| {});
    core.script([Reply::new(500), Reply::new(418)]);
    let statuses = [0, 1, 60_000, 120_000].map(|milliseconds| {
        time.set(milliseconds);
        patch(&core).status.as_u16()
    });
    assert_eq!(statuses, [500, 429, 418, 200]);
    let applied: Vec<_> = core.log().iter().map(|exchange| exchange.applied).collect();
    assert_eq!(applied, [0, 0, 0, 1]);
}

#[test]
fn the_limit_changes_when_it_is_set_and_starts_anew_with_a_reset() {
    let (core, _) = limited(Limiter::sliding_window(1), |_| {});
    let statuses = |count| {
        vec![(); count]
            .into_iter()
            .map(|()| patch(&core).status.as_u16())
    };
    assert_eq!(statuses(2).collect::<Vec<_>>(), [200, 429]);
    core.set_limit(3);
    assert_eq!(statuses(3).collect::<Vec<_>>(), [200, 200, 429]);
    core.reset(site().build().model());
    assert_eq!(statuses(2).collect::<Vec<_>>(), [200, 429]);
}

#[test]
fn the_log_tells_when_requests_came_and_when_the_core_acted() {
    let (core, time) = limited(Limiter::sliding_window(9), |_| {});
    for milliseconds in [250, 500] {
        time.set(milliseconds);
        patch(&core);
    }
    let times = |log: &[webflow_cms_reference::Exchange]| {
        log.iter()
            .map(|exchange| {
                (
                    exchange.at.as_millis(),
                    exchange.acted_at.map(|at| at.as_millis()),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(core.read_log(times), [(250, Some(250)), (500, Some(500))]);
}

#[tokio::test]
async fn both_faces_keep_the_limit() {
    let core = limited(Limiter::token_bucket(2), |_| {}).0;
    let healthy = ReferenceServer::serve(core.clone()).await;
    let faulty = FaultyServer::serve(core).await.unwrap();
    for (base_url, status) in [
        (healthy.base_url(), 200),
        (faulty.base_url(), 200),
        (healthy.base_url(), 429),
        (faulty.base_url(), 429),
    ] {
        let body = rename_a().to_string();
        let response = request(&base_url, &faulty.token(), body).send().await;
        assert_eq!(response.unwrap().status(), status);
    }
}

#[tokio::test]
async fn a_request_that_the_core_does_not_act_on_does_not_count() {
    let server = FaultyServer::serve(limited(Limiter::sliding_window(1), |_| {}).0)
        .await
        .unwrap();
    server.inject([Fault::ResetBeforeActing]);
    let send = || request(&server.base_url(), &server.token(), rename_a().to_string()).send();
    assert!(send().await.is_err());
    assert_eq!(send().await.unwrap().status(), 200);
    let acted: Vec<_> = server
        .log()
        .iter()
        .map(|exchange| exchange.acted_at)
        .collect();
    assert_eq!(acted, [None, Some(Duration::ZERO)]);
}

#[tokio::test]
async fn a_request_has_arrived_once_and_is_over_when_its_client_closes_the_connection() {
    let (core, time) = limited(Limiter::sliding_window(9), |_| {});
    let server = FaultyServer::serve(core).await.unwrap();
    server.inject([Fault::ResetBeforeReading, Fault::ResetAfterActing]);
    let send = || request(&server.base_url(), &server.token(), rename_a().to_string()).send();
    assert!(send().await.is_err());
    assert!(send().await.is_err());
    assert_eq!(*time.1.lock().unwrap(), (2, 2));

    let address = server.base_url().replace("http://", "").replace("/v2", "");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(
        *time.1.lock().unwrap(),
        (3, 2),
        "the response is through, the client still there"
    );
    drop(stream);
    while time.1.lock().unwrap().1 < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn latency_delays_the_model_and_then_the_response() {
    let server = FaultyServer::serve(site().build()).await.unwrap();
    let (before, after) = (Duration::from_millis(30), Duration::from_millis(50));
    server.latency(move |number| match number {
        0 => (Duration::ZERO, Duration::ZERO),
        _ => (before, after),
    });
    let send = || request(&server.base_url(), &server.token(), rename_a().to_string()).send();
    send().await.unwrap();
    let pending = tokio::spawn(send());
    while server.log().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(server.log()[1].acted_at.is_none());
    let body: Value = pending.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(body["items"][0]["id"], json!(A));
    let log = server.log();
    let [first, second] = log.as_slice() else {
        panic!("{log:?}")
    };
    assert!(first.acted_at.unwrap() - first.at < before);
    assert!(second.acted_at.unwrap() - second.at >= before);
    let now = server.core().time().elapsed();
    assert!(now - second.acted_at.unwrap() >= after);
}
