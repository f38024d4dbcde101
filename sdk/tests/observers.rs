//! The events of an observer: every call, attempt and wait, from its start to its end.

mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join, join_all, select};
use support::{SdkTime, builder_in, collection, one, world};
use webflow_cms::observe::{
    AttemptEnd, AttemptEnded, AttemptStarted, CallEnded, CallStarted, JournalWriteEnded,
    JournalWriteStarted, Observer, WaitCause, WaitEnded, WaitStarted,
};
use webflow_cms::{Client, ClientBuilder, ErrorKind, RateLimiter};
use webflow_cms_reference::{Fault, Reply, World};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
enum Seen {
    CallStarted(CallStarted),
    CallEnded(CallEnded),
    AttemptStarted(AttemptStarted),
    AttemptEnded(AttemptEnded),
    WaitStarted(WaitStarted),
    WaitEnded(WaitEnded),
    WriteStarted,
    WriteEnded,
}

/// Records the events, after it has passed them to the virtual time.
#[derive(Clone, Debug)]
struct Listener {
    time: SdkTime,
    events: Arc<Mutex<Vec<Seen>>>,
    panics: bool,
}

impl Listener {
    fn new(world: &World) -> Self {
        Self {
            time: SdkTime(world.time()),
            events: Arc::default(),
            panics: false,
        }
    }

    fn record(&self, event: Seen) {
        self.events.lock().expect("no panic").push(event);
        assert!(!self.panics, "an observer that panics");
    }

    fn all(&self) -> Vec<Seen> {
        self.events.lock().expect("no panic").clone()
    }

    fn attempts(&self) -> Vec<AttemptEnded> {
        let ended = |event| match event {
            Seen::AttemptEnded(ended) => Some(ended),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    fn waits(&self) -> Vec<WaitEnded> {
        let ended = |event| match event {
            Seen::WaitEnded(ended) => Some(ended),
            _ => None,
        };
        self.all().into_iter().filter_map(ended).collect()
    }

    /// Counts the calls, attempts and waits that have started and not ended.
    fn open(&self) -> BTreeMap<String, i32> {
        let mut open = BTreeMap::new();
        for event in self.all() {
            let (what, more) = match event {
                Seen::CallStarted(CallStarted { call, .. }) => (format!("call {call}"), 1),
                Seen::CallEnded(CallEnded { call, .. }) => (format!("call {call}"), -1),
                Seen::AttemptStarted(started) => (attempt(started.number, started.bytes_sent), 1),
                Seen::AttemptEnded(ended) => (attempt(ended.number, ended.bytes_sent), -1),
                Seen::WaitStarted(WaitStarted { cause, .. }) => (format!("wait {cause:?}"), 1),
                Seen::WaitEnded(WaitEnded { cause, .. }) => (format!("wait {cause:?}"), -1),
                Seen::WriteStarted => ("write".to_owned(), 1),
                Seen::WriteEnded => ("write".to_owned(), -1),
            };
            let count = open.entry(what).or_insert(0);
            *count += more;
            assert!(*count >= 0, "an end without a start");
        }
        open.retain(|_, count| *count != 0);
        open
    }
}

fn attempt(number: u32, bytes: u64) -> String {
    format!("attempt {number} of {bytes} bytes")
}

impl Observer for Listener {
    fn call_started(&self, started: &CallStarted) {
        self.time.call_started(started);
        self.record(Seen::CallStarted(started.clone()));
    }

    fn call_ended(&self, ended: &CallEnded) {
        self.time.call_ended(ended);
        self.record(Seen::CallEnded(ended.clone()));
    }

    fn attempt_started(&self, started: &AttemptStarted) {
        self.time.attempt_started(started);
        self.record(Seen::AttemptStarted(started.clone()));
    }

    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.time.attempt_ended(ended);
        self.record(Seen::AttemptEnded(ended.clone()));
    }

    fn wait_started(&self, started: &WaitStarted) {
        self.time.wait_started(started);
        self.record(Seen::WaitStarted(started.clone()));
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        self.time.wait_ended(ended);
        self.record(Seen::WaitEnded(ended.clone()));
    }

    fn journal_write_started(&self, started: &JournalWriteStarted) {
        self.time.journal_write_started(started);
        self.record(Seen::WriteStarted);
    }

    fn journal_write_ended(&self, ended: &JournalWriteEnded) {
        self.time.journal_write_ended(ended);
        self.record(Seen::WriteEnded);
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
fn attempts_and_waits_add_up_to_the_traffic_and_the_elapsed_time() {
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
        builder.rate_limiter(RateLimiter::fixed(60).expect("a rate limiter"))
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
        let reply = exchange.reply.as_ref().expect("a response");
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
    let attempted: Duration = attempts.iter().map(|ended| ended.took).sum();
    assert_eq!(waited + attempted, time.elapsed(), "{waits:?}");
    assert_eq!(listener.open(), BTreeMap::new());
}

#[test]
fn each_start_event_has_its_end_event_when_calls_are_dropped_at_any_time() {
    let world = world();
    world.latency(|_| (SECOND, SECOND));
    world.script((0..4).map(|_| Reply::new(500)));
    let listener = Listener::new(&world);
    let client = client(&world, &listener, |builder| {
        builder.rate_limiter(RateLimiter::fixed(20).expect("a rate limiter"))
    });
    let (collection, batch, time) = (collection(), one(), world.time());
    let calls =
        || join_all((0..4).map(|_| time.caller(client.update(collection, batch.clone()).send())));
    // One call is in an attempt, in its back-off, or waits for the rate limiter. The others wait for the rate limiter.
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
        "none was dropped in a back-off"
    );
}

#[test]
fn a_panic_of_an_observer_does_not_affect_the_call() {
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

#[test]
fn a_run_is_at_work_while_it_writes_to_its_journal() {
    let world = world();
    let listener = Listener::new(&world);
    let client = client(&world, &listener, |builder| builder);
    let folder = tempfile::tempdir().expect("a folder");
    let bulk = client.bulk(collection()).fsync(true);
    let bulk = bulk.journal(folder.path().join("run.journal"));
    let run = bulk.run(one().into_updates()).expect("a run");
    let time = world.time();
    let ended = async {
        let report = run.finish().await;
        (report.is_complete(), time.elapsed())
    };
    // Time would pass at once if nobody seemed to be at work.
    let other = time.pause(3_600 * SECOND);
    let ((is_complete, ended), ()) = world.run(join(ended, other)).expect("time passes");
    assert!(is_complete && ended < SECOND, "{ended:?}");
    let seen = listener.all();
    let place = |is: fn(&Seen) -> bool| {
        let places = seen.iter().enumerate().filter(|(_, event)| is(event));
        places.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let started = place(|event| matches!(event, Seen::WriteStarted));
    let ended = place(|event| matches!(event, Seen::WriteEnded));
    let sent = place(|event| matches!(event, Seen::AttemptStarted(_)));
    let received = place(|event| matches!(event, Seen::AttemptEnded(_)));
    let ([start, settle], [started, settled]) = (&started[..], &ended[..]) else {
        panic!("{seen:?}");
    };
    assert!(start < started && *started < sent[0], "{seen:?}");
    assert!(received[0] < *settle && settle < settled, "{seen:?}");
}
