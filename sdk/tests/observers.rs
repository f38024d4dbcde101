//! What an observer hears of a client: every call, try and wait, from its start to its end.

mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join_all, select};
use support::{SdkTime, builder_in, collection, one, world};
use webflow_cms::observe::{
    AttemptEnd, AttemptEnded, AttemptStarted, CallEnded, CallStarted, Observer, WaitCause,
    WaitEnded, WaitStarted,
};
use webflow_cms::{Client, ClientBuilder, ErrorKind, RateLimiter};
use webflow_cms_reference::World;
use webflow_cms_reference::{Fault, Reply};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Heard {
    CallStarted(CallStarted),
    CallEnded(CallEnded),
    AttemptStarted(AttemptStarted),
    AttemptEnded(AttemptEnded),
    WaitStarted(WaitStarted),
    WaitEnded(WaitEnded),
}

/// Takes down what it hears, after it has told the time of it.
#[derive(Clone, Debug)]
struct Listener {
    time: SdkTime,
    heard: Arc<Mutex<Vec<Heard>>>,
    panics: bool,
}

impl Listener {
    fn new(world: &World) -> Self {
        Self {
            time: SdkTime(world.time()),
            heard: Arc::default(),
            panics: false,
        }
    }

    fn heard(&self, heard: Heard) {
        self.heard.lock().expect("no panic").push(heard);
        assert!(!self.panics, "an observer that panics");
    }

    fn all(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic").clone()
    }

    fn attempts(&self) -> Vec<AttemptEnded> {
        let ended = |heard| match heard {
            Heard::AttemptEnded(ended) => Some(ended),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    fn waits(&self) -> Vec<WaitEnded> {
        let ended = |heard| match heard {
            Heard::WaitEnded(ended) => Some(ended),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    /// What has begun and not ended: calls, tries and waits, by what they are told by.
    fn open(&self) -> BTreeMap<String, i32> {
        let mut open = BTreeMap::new();
        for heard in self.all() {
            let (what, more) = match heard {
                Heard::CallStarted(CallStarted { call, .. }) => (format!("call {call}"), 1),
                Heard::CallEnded(CallEnded { call, .. }) => (format!("call {call}"), -1),
                Heard::AttemptStarted(started) => (tried(started.number, started.bytes_sent), 1),
                Heard::AttemptEnded(ended) => (tried(ended.number, ended.bytes_sent), -1),
                Heard::WaitStarted(WaitStarted { cause, .. }) => (format!("wait {cause:?}"), 1),
                Heard::WaitEnded(WaitEnded { cause, .. }) => (format!("wait {cause:?}"), -1),
            };
            let count = open.entry(what).or_insert(0);
            *count += more;
            assert!(*count >= 0, "an end without a start");
        }
        open.retain(|_, count| *count != 0);
        open
    }
}

fn tried(number: u32, bytes: u64) -> String {
    format!("try {number} of {bytes} bytes")
}

impl Observer for Listener {
    fn call_started(&self, started: &CallStarted) {
        self.time.call_started(started);
        self.heard(Heard::CallStarted(started.clone()));
    }

    fn call_ended(&self, ended: &CallEnded) {
        self.time.call_ended(ended);
        self.heard(Heard::CallEnded(ended.clone()));
    }

    fn attempt_started(&self, started: &AttemptStarted) {
        self.time.attempt_started(started);
        self.heard(Heard::AttemptStarted(started.clone()));
    }

    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.time.attempt_ended(ended);
        self.heard(Heard::AttemptEnded(ended.clone()));
    }

    fn wait_started(&self, started: &WaitStarted) {
        self.time.wait_started(started);
        self.heard(Heard::WaitStarted(started.clone()));
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        self.time.wait_ended(ended);
        self.heard(Heard::WaitEnded(ended.clone()));
    }
}

fn client(
    world: &World,
    listener: &Listener,
    settings: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Client {
    let builder = builder_in(world)
        .observer(listener.clone())
        .randomness(|| 0.0);
    settings(builder).build().expect("a client")
}

#[test]
fn tries_and_waits_add_up_to_what_went_over_the_wire_and_to_the_time_that_passed() {
    let world = world();
    world.script([
        Reply::new(500),
        Reply::new(429).header("retry-after", "7"),
        Reply::new(502).body("bad gateway"),
    ]);
    world.faults([Fault::None, Fault::None, Fault::ClosedInBody { after: 3 }]);
    world.latency(|_| (SECOND / 4, SECOND / 4));
    let listener = Listener::new(&world);
    let client = client(&world, &listener, |builder| {
        builder.rate_limiter(RateLimiter::fixed(60).expect("a pace"))
    });
    let (collection, batch, time) = (collection(), one(), world.time());
    let call = time.caller(client.update(collection, batch.clone()).send());
    let response = world.run(call).expect("time passes").expect("an update");
    let again = time.caller(client.update(collection, batch.clone()).send());
    world.run(again).expect("time passes").expect("an update");
    assert_eq!(response.attempts(), 4);

    let (attempts, waits, log) = (listener.attempts(), listener.waits(), world.log());
    let ends: Vec<_> = attempts
        .iter()
        .map(|ended| (ended.number, ended.end))
        .collect();
    assert_eq!(
        ends,
        [
            (1, AttemptEnd::Failed(ErrorKind::ServerError)),
            (2, AttemptEnd::Failed(ErrorKind::TooManyRequests)),
            (3, AttemptEnd::Failed(ErrorKind::ServerError)),
            (4, AttemptEnd::Succeeded),
            (1, AttemptEnd::Succeeded),
        ]
    );
    assert_eq!(attempts.len(), log.len());
    for (ended, exchange) in attempts.iter().zip(&log) {
        let sent = u64::try_from(exchange.body.len()).expect("a small number");
        assert_eq!(ended.bytes_sent, sent, "{ended:?}");
        let reply = exchange.reply.as_ref().expect("an answer");
        let received = match &exchange.fault {
            Fault::ClosedInBody { after } => *after,
            _ => reply.body.len(),
        };
        assert_eq!(usize::try_from(ended.bytes_received), Ok(received));
        assert_eq!(ended.status, Some(reply.status));
        assert_eq!(ended.took, SECOND / 2, "{ended:?}");
    }
    let causes: Vec<_> = waits.iter().map(|ended| ended.cause).collect();
    use WaitCause::{Backoff, RateLimit as Turn, RetryAfter};
    assert_eq!(causes, [Backoff, Turn, RetryAfter, Backoff, Turn]);
    let waited: Duration = waits.iter().map(|ended| ended.waited).sum();
    let tried: Duration = attempts.iter().map(|ended| ended.took).sum();
    assert_eq!(waited + tried, time.elapsed(), "{waits:?}");
    assert_eq!(listener.open(), BTreeMap::new());
}

#[test]
fn each_start_has_its_end_when_calls_are_dropped_wherever_they_are() {
    let world = world();
    world.latency(|_| (SECOND, SECOND));
    world.script((0..4).map(|_| Reply::new(500)));
    let listener = Listener::new(&world);
    let client = client(&world, &listener, |builder| {
        builder.rate_limiter(RateLimiter::fixed(20).expect("a pace"))
    });
    let (collection, batch, time) = (collection(), one(), world.time());
    let calls =
        || join_all((0..4).map(|_| time.caller(client.update(collection, batch.clone()).send())));
    // One call is under way then, or waits before its next try, or for its turn; the others wait for theirs.
    for half_seconds in [1, 3, 5, 9, 14] {
        let pause = time.pause(half_seconds * SECOND / 2);
        let dropped = async { drop(select(pin!(calls()), pin!(pause)).await) };
        world.run(dropped).expect("time passes");
        assert_eq!(
            listener.open(),
            BTreeMap::new(),
            "after {half_seconds} half seconds"
        );
    }
    let ends: Vec<_> = listener.attempts().iter().map(|ended| ended.end).collect();
    assert!(ends.contains(&AttemptEnd::Dropped), "{ends:?}");
    assert!(
        listener
            .waits()
            .iter()
            .any(|ended| ended.cause == WaitCause::Backoff),
        "none was dropped in a wait before a try"
    );
}

#[test]
fn an_observer_that_panics_loses_nothing() {
    let world = world();
    world.script([Reply::new(500), Reply::new(429).header("retry-after", "7")]);
    let listener = Listener {
        panics: true,
        ..Listener::new(&world)
    };
    let client = client(&world, &listener, |builder| builder);
    let (collection, batch, time) = (collection(), one(), world.time());
    let call = time.caller(client.update(collection, batch.clone()).send());
    let response = world.run(call).expect("time passes").expect("an update");
    assert_eq!(response.attempts(), 3);
    assert_eq!(listener.attempts().len(), 3);
    assert_eq!(listener.open(), BTreeMap::new());
    assert_eq!(client.rate_limiter().waiting(), 0);
}
