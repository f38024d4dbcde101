//! A virtual time that a client, a server and a test share.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{Either, join_all, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use webflow_cms_reference::{
    Core, Counts, Fault, FaultyServer, Limiter, Model, RetryAfterForm, Settings, Variant,
    VirtualTime,
};

const SECOND: Duration = Duration::from_secs(1);
const COLLECTION: &str = "580e63fc8c9a982ac9b8b700";
const ITEM: &str = "66f6ed9576ddacf3149d5e01";

fn model() -> Model {
    Model::new().insert(COLLECTION, ITEM, None, Variant::named("a", "a"))
}

/// A minimal client in virtual time: reports its attempts and waits, and takes all time from the clock.
#[derive(Clone)]
struct Caller {
    time: VirtualTime,
    address: String,
    token: String,
    timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Response {
    Status(u16),
    /// The connection closed without a response.
    Closed,
    /// The timeout passed, with this part of the response read.
    TimedOut(Vec<u8>),
}

impl Caller {
    async fn attempt_once(&self) -> Response {
        let _attempt = self.time.attempt();
        let mut response = Vec::new();
        let timeout = self.time.sleep(self.timeout);
        let timed_out = {
            let exchange = pin!(self.exchange(&mut response));
            matches!(select(exchange, timeout).await, Either::Right(_))
        };
        if timed_out {
            return Response::TimedOut(response);
        }
        let status = response
            .get(9..12)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        status.map_or(Response::Closed, |status| {
            Response::Status(status.parse().unwrap())
        })
    }

    async fn exchange(&self, response: &mut Vec<u8>) {
        let body = format!(r#"{{"items":[{{"id":"{ITEM}","fieldData":{{"name":"b"}}}}]}}"#);
        let request = format!(
            "PATCH /v2/collections/{COLLECTION}/items HTTP/1.1\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len(),
        );
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        // A reset ends the response, too.
        let _ = stream.read_to_end(response).await;
    }

    async fn wait(&self, duration: Duration) {
        let _waiting = self.time.waiting();
        self.time.sleep(duration).await;
    }

    /// Retries until the response is a 200. Returns the time of the response.
    async fn call(&self, wait: Duration) -> Duration {
        self.time
            .caller(async {
                while self.attempt_once().await != Response::Status(200) {
                    self.wait(wait).await;
                }
                self.time.elapsed()
            })
            .await
    }
}

async fn world(change: impl FnOnce(&mut Settings)) -> (VirtualTime, FaultyServer, Caller) {
    let time = VirtualTime::new();
    let mut settings = Settings::default();
    change(&mut settings);
    let core = Core::with_time(model(), settings, time.clone());
    let server = FaultyServer::serve(core).await.unwrap();
    let caller = Caller {
        time: time.clone(),
        address: server.base_url().replace("http://", "").replace("/v2", ""),
        token: server.token(),
        timeout: 60 * SECOND,
    };
    (time, server, caller)
}

fn arrivals(server: &FaultyServer) -> Vec<Duration> {
    server
        .core()
        .read_log(|log| log.iter().map(|exchange| exchange.at).collect())
}

#[tokio::test]
async fn hours_of_waits_for_a_limit_pass_at_once_and_end_exactly() {
    let (time, server, caller) = world(|settings| {
        settings.limiter = Some(Limiter::sliding_window(1));
    })
    .await;
    let start = Instant::now();
    let mut ends = Vec::new();
    time.run(async {
        for _ in 0..=120 {
            ends.push(caller.call(60 * SECOND).await.as_secs());
        }
    })
    .await;
    assert_eq!(
        ends,
        (0..=120).map(|minute| minute * 60).collect::<Vec<_>>()
    );
    assert_eq!(arrivals(&server).len(), 241);
    assert!(start.elapsed() < 20 * SECOND, "{:?}", start.elapsed());
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn latency_before_and_after_the_core_acts_takes_exactly_its_time() {
    let (time, server, caller) = world(|_| {}).await;
    server.latency(|number| match number {
        0 => (3 * SECOND, 4 * SECOND),
        1 => (Duration::from_nanos(1), Duration::ZERO),
        _ => Default::default(),
    });
    let ends = time
        .run(async {
            [
                caller.call(SECOND).await,
                caller.call(SECOND).await,
                caller.call(SECOND).await,
            ]
        })
        .await;
    let last = 7 * SECOND + Duration::from_nanos(1);
    assert_eq!(ends, [7 * SECOND, last, last]);
    let log = server.log();
    let acted = log.iter().map(|exchange| exchange.acted_at.unwrap());
    assert_eq!(acted.collect::<Vec<_>>(), [3 * SECOND, last, last]);
    assert_eq!(arrivals(&server), [Duration::ZERO, 7 * SECOND, last]);
}

#[tokio::test]
async fn a_thousand_callers_at_once_each_end_when_their_own_delay_is_over() {
    let (time, server, caller) = world(|_| {}).await;
    server.latency(|number| (Duration::from_millis(number as u64 % 50), Duration::ZERO));
    let mut ends = time
        .run(async {
            let calls = (0..1_000).map(|_| {
                let caller = caller.clone();
                tokio::spawn(async move { caller.call(SECOND).await })
            });
            join_all(calls)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
        })
        .await;
    ends.sort_unstable();
    let expected = (0..1_000).map(|number| Duration::from_millis(number / 20));
    assert_eq!(ends, expected.collect::<Vec<_>>());
    assert_eq!(arrivals(&server), [Duration::ZERO; 1_000]);
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn a_silent_server_lets_a_timeout_come_at_its_instant() {
    let (time, server, mut caller) = world(|_| {}).await;
    caller.timeout = Duration::from_nanos(29_999_999_999);
    for fault in [
        Fault::SilenceBeforeActing,
        Fault::SilenceAfterActing,
        Fault::HeadOnly,
    ] {
        server.inject([fault.clone()]);
        let before = time.elapsed();
        let response = time.run(time.caller(caller.attempt_once())).await;
        assert_eq!(time.elapsed() - before, caller.timeout);
        let Response::TimedOut(read) = response else {
            panic!("{response:?}")
        };
        assert_eq!(
            read.starts_with(b"HTTP/1.1 200 OK\r\n"),
            fault == Fault::HeadOnly
        );
    }
    time.run(time.pause(SECOND)).await;
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn a_dripping_body_comes_byte_by_byte_as_time_passes() {
    let (time, server, mut caller) = world(|_| {}).await;
    caller.timeout = Duration::from_millis(10_500);
    server.inject([Fault::Drip { pause: SECOND }]);
    let response = time.run(time.caller(caller.attempt_once())).await;
    let Response::TimedOut(read) = response else {
        panic!("{response:?}")
    };
    let text = String::from_utf8(read).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.matches("1\r\n").count(), 10, "{body:?}");
    assert_eq!(time.elapsed(), caller.timeout);
}

#[tokio::test]
async fn a_response_and_a_timeout_of_one_instant_follow_the_order_of_their_timers() {
    let (time, server, mut caller) = world(|_| {}).await;
    caller.timeout = 2 * SECOND;
    server.latency(|number| match number {
        // The client sets its timeout before it sends, so its timer is the older one.
        0 => (2 * SECOND, Duration::ZERO),
        _ => (2 * SECOND - Duration::from_nanos(1), Duration::ZERO),
    });
    for _ in 0..20 {
        let first = time.run(time.caller(caller.attempt_once())).await;
        assert!(matches!(first, Response::TimedOut(_)), "{first:?}");
        let second = time.run(time.caller(caller.attempt_once())).await;
        assert_eq!(second, Response::Status(200));
        server.reset(model());
        server.latency(|number| match number {
            0 => (2 * SECOND, Duration::ZERO),
            _ => (2 * SECOND - Duration::from_nanos(1), Duration::ZERO),
        });
    }
}

#[tokio::test]
async fn an_abandoned_request_is_acted_on_in_its_time() {
    let (time, server, mut caller) = world(|_| {}).await;
    caller.timeout = SECOND;
    server.latency(|_| (5 * SECOND, 5 * SECOND));
    time.run(async {
        time.caller(caller.attempt_once()).await;
        assert_eq!(time.elapsed(), SECOND);
        time.pause(9 * SECOND).await;
    })
    .await;
    assert_eq!(server.log()[0].acted_at, Some(5 * SECOND));
    time.run(time.pause(SECOND)).await;
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn an_attempt_right_after_a_timeout_is_not_taken_for_the_abandoned_one() {
    let (time, server, mut caller) = world(|_| {}).await;
    caller.timeout = SECOND;
    server.latency(|number| match number % 3 {
        2 => (Duration::ZERO, Duration::ZERO),
        _ => (3 * SECOND, Duration::ZERO),
    });
    let ends = time
        .run(async { join_all((0..30).map(|_| caller.call(Duration::ZERO))).await })
        .await;
    assert!(ends.iter().all(|end| end.subsec_nanos() == 0), "{ends:?}");
    let whole = |at: &Duration| at.subsec_nanos() == 0;
    assert!(arrivals(&server).iter().all(whole));
}

#[tokio::test]
async fn a_call_that_is_dropped_in_any_phase_leaves_nothing_behind() {
    let (time, server, caller) = world(|settings| {
        settings.limiter = Some(Limiter::sliding_window(1));
    })
    .await;
    server.latency(|_| (3 * SECOND, 3 * SECOND));
    // Before the first poll, after it, while the request is held before and after the core acts, while it waits.
    time.run(async {
        drop(caller.call(10 * SECOND));
        assert_eq!(caller.call(10 * SECOND).now_or_never(), None);
        for seconds in [1, 4, 10, 17] {
            let call = pin!(caller.call(10 * SECOND));
            let pause = pin!(time.pause(seconds * SECOND));
            assert!(
                matches!(select(call, pause).await, Either::Right(_)),
                "{seconds}"
            );
        }
        time.pause(60 * SECOND).await;
    })
    .await;
    assert_eq!(time.counts(), Counts::default());
}

#[tokio::test]
async fn a_limit_can_change_at_an_instant() {
    let (time, server, caller) = world(|settings| {
        settings.limiter = Some(Limiter::fixed_window(1, Duration::ZERO));
        settings.retry_after_form = RetryAfterForm::Date;
    })
    .await;
    let raise = async {
        time.pause(10 * SECOND).await;
        server.core().set_limit(2);
    };
    let calls = async {
        caller.call(SECOND).await;
        caller.call(SECOND).await
    };
    let (end, ()) = time.run(async { tokio::join!(calls, raise) }).await;
    assert_eq!(end, 10 * SECOND);
}

#[tokio::test]
async fn the_same_run_has_the_same_instants() {
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (time, server, mut caller) = world(|settings| {
            settings.limiter = Some(Limiter::token_bucket(6));
        })
        .await;
        caller.timeout = 2 * SECOND;
        server.inject([
            Fault::SilenceAfterActing,
            Fault::None,
            Fault::ResetAfterActing,
            Fault::ClosedInHead,
        ]);
        server.latency(|number| (Duration::from_millis(700 * (number as u64 % 5)), SECOND / 7));
        let ends = time
            .run(async { join_all((0..12).map(|number| caller.call(number * SECOND / 3))).await })
            .await;
        runs.push((ends, arrivals(&server)));
    }
    assert_eq!(runs[0], runs[1]);
    assert_eq!(runs[0], runs[2]);
}
