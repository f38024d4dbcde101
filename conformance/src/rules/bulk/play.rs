//! Plays a case: lets the client run, leg after leg, and keeps what is known of it afterwards.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;

use super::case::{At, Case, Interrupt, Key, Tail};
use super::wire::{self, Sent};
use crate::client::bulk::{Counts, ItemReport, Job, Recorded, Run, Source};
use crate::client::{Entry, Options, Random};
use crate::harness::Harness;
use crate::rules::site;
use crate::rules::timed::{SECOND, client};
use webflow_cms_reference::VirtualTime;
use webflow_cms_reference::{Limiter, ResponseOrder};

/// How long a try may take, which is longer than any request is under way.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How long it is between two runs: what a dropped one has under way is over before the next one begins.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// All that is known of a case when it is over.
pub(super) struct Played {
    pub(super) legs: Vec<Ended>,
    pub(super) sent: Vec<Sent>,
    /// The position that was written last, for each key that there is.
    pub(super) marks: BTreeMap<Key, Option<usize>>,
    /// How many connections were reset before a request was read.
    pub(super) unread: usize,
}

/// What is known of a leg.
pub(super) struct Ended {
    pub(super) settled: Vec<ItemReport>,
    pub(super) counts: Counts,
    /// Whether it was dropped before its end.
    pub(super) dropped: bool,
    /// When it was cancelled or dropped.
    pub(super) interrupted_at: Option<Duration>,
    pub(super) ended: Duration,
    /// Its part of what was sent.
    pub(super) sent: Range<usize>,
    /// How many positions were taken from the source.
    pub(super) taken: usize,
    /// The most positions that were taken and not settled, and the most bytes of them.
    pub(super) most_ahead: (usize, usize),
    /// What the journal holds of each update, by its position.
    pub(super) journal: Option<BTreeMap<usize, Recorded>>,
}

/// Plays a case on a server with this limiter.
pub(super) fn play_under(
    harness: &Harness<'_>,
    case: &Case,
    limiter: Option<Limiter>,
) -> Result<Played, String> {
    let world = harness.world();
    let reported = |error: std::io::Error| error.to_string();
    world.reset(case.model()).map_err(reported)?;
    world.configure(|settings| {
        settings.max_body = case.max_body;
        settings.limiter = limiter;
        if case.reversed {
            settings.order = ResponseOrder::Reversed;
        }
    });
    if case.latency != 0 {
        let seed = case.latency;
        world.latency(move |number| {
            let number = u64::try_from(number).unwrap_or(0);
            let mut rng = fastrand::Rng::with_seed(seed ^ (number << 32));
            let mut part = || Duration::from_millis(rng.u64(0..=300));
            (part(), part())
        });
    }
    let client = client(harness, |session| {
        session.attempt_timeout = TIMEOUT;
        session.max_attempts = case.attempts;
        session.retry_ambiguous = case.again;
        session.backoff = (SECOND, 2 * SECOND);
        session.rate_limiter = case.rate_limiter;
        session.random = Random::Seeded(case.latency);
    })?;
    let bulk = client.bulk().ok_or("the client has no bulk run")?;
    // What no request can hold is in no journal.
    let entries: Vec<(u64, Entry)> = (0..case.input.len())
        .filter(|index| !case.is_too_long(*index))
        .filter_map(|index| Some((index as u64, case.entry(index).ok()?)))
        .collect();
    let path = harness.scratch().join("run.journal");
    // It is of the case before.
    let _ = std::fs::remove_file(&path);
    let sent = || world.server().core().read_log(<[_]>::len);
    let mut legs = Vec::new();
    for (number, leg) in case.legs.iter().enumerate() {
        let server = world.server();
        server.clear_pending();
        for (number, trouble) in leg.troubles.iter().enumerate() {
            let (fault, step) = trouble.plan(number);
            world.faults([fault]);
            world.script(step);
        }
        let gauge = Arc::new(Gauge::default());
        let journal = case.journal.then(|| path.clone());
        let first = sent();
        let run = bulk.start(Job {
            source: source(case, &gauge, &world.time()),
            options: Options::default(),
            concurrency: case.concurrency,
            max_batch_bytes: case.max_batch_bytes,
            assume_atomic: case.assume_atomic,
            max_consecutive_failures: case.max_consecutive_failures,
            continue_after_unknown: case.continue_after_unknown,
            continue_after_source_error: case.continue_after_source_error,
            journal,
            resend_unknown: leg.resend,
            accept_other_input: false,
        })?;
        let time = world.time();
        let seen = |settled: &ItemReport| {
            let index = usize::try_from(settled.index).unwrap_or(usize::MAX);
            gauge.entries.take(1);
            gauge.bytes.take(case.bytes(index));
        };
        let driven = AssertUnwindSafe(drive(run, leg.interrupt, &time, seen)).catch_unwind();
        let driven = world.run(driven).map_err(|stalled| stalled.to_string())?;
        let driven = driven.map_err(|_| "it panicked".to_owned())?;
        let ended = time.elapsed();
        world
            .run(time.pause(PAUSE))
            .map_err(|stalled| stalled.to_string())?;
        let journal = case.journal.then(|| bulk.read_journal(&path, &entries));
        let journal = journal
            .transpose()
            .map_err(|error| format!("the journal after leg {number}: {error}"))?;
        if let Some(others) = journal
            .as_ref()
            .map(|journal| journal.others)
            .filter(|others| *others > 0)
        {
            return Err(format!(
                "the journal after leg {number} holds {others} entries that are none"
            ));
        }
        legs.push(Ended {
            settled: driven.settled,
            counts: driven.counts,
            dropped: driven.dropped,
            interrupted_at: driven.interrupted_at,
            ended,
            sent: first..sent(),
            taken: gauge.taken.load(Ordering::Relaxed),
            most_ahead: (gauge.entries.most(), gauge.bytes.most()),
            journal: journal.map(|journal| {
                let positions = entries.iter().map(|(index, _)| *index as usize);
                positions.zip(journal.recorded).collect()
            }),
        });
    }
    let server = world.server();
    let sent = server.core().read_log(|log| {
        let address = |index| {
            let key = case.key(index)?;
            Some((site::item(key.0), site::locale(key.1)))
        };
        let read = log.iter().map(|exchange| wire::read(exchange, address));
        read.collect::<Result<Vec<_>, _>>()
    })?;
    let model = server.model();
    let mark = |key: Key| {
        let variant = model.variant(site::COLLECTION, &site::item(key.0), site::locale(key.1))?;
        let mark = variant
            .field_data
            .get("mark")
            .and_then(|mark| mark.as_u64());
        Some((key, mark.and_then(|mark| usize::try_from(mark).ok())))
    };
    Ok(Played {
        legs,
        sent,
        marks: case.keys().into_iter().filter_map(mark).collect(),
        unread: server.unread(),
    })
}

pub(super) fn play(harness: &Harness<'_>, case: &Case) -> Result<Played, String> {
    play_under(harness, case, None)
}

/// Counts what a run takes and has not handed out.
#[derive(Default)]
struct Gauge {
    taken: AtomicUsize,
    entries: Level,
    bytes: Level,
}

#[derive(Default)]
struct Level {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Level {
    fn add(&self, amount: usize) {
        let before = self.now.fetch_add(amount, Ordering::Relaxed);
        self.most.fetch_max(before + amount, Ordering::Relaxed);
    }

    fn take(&self, amount: usize) {
        self.now.fetch_sub(amount, Ordering::Relaxed);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

fn source(case: &Case, gauge: &Arc<Gauge>, time: &VirtualTime) -> Source {
    let (case, gauge, time) = (case.clone(), Arc::clone(gauge), time.clone());
    let lulls: BTreeMap<_, _> = case.lulls.iter().copied().collect();
    let next = move |index: usize| {
        let lull = match case.tail {
            Tail::Drips(lull) if index >= case.input.len() => Some(lull),
            _ => lulls.get(&index).copied(),
        };
        let lull = lull.map(|lull| time.pause(Duration::from_millis(lull)));
        let is_over = index >= case.input.len();
        let (entry, bytes, tail) = (case.entry(index), case.bytes(index), case.tail);
        let gauge = Arc::clone(&gauge);
        async move {
            if let Some(lull) = lull {
                lull.await;
            }
            match tail {
                Tail::Ends if is_over => return None,
                Tail::Silent if is_over => std::future::pending().await,
                _ => {}
            }
            gauge.taken.fetch_add(1, Ordering::Relaxed);
            gauge.entries.add(1);
            gauge.bytes.add(bytes);
            Some((entry, index + 1))
        }
    };
    Box::pin(futures_util::stream::unfold(0, next))
}

/// What is known of a run that is over.
pub(super) struct Driven {
    pub(super) settled: Vec<ItemReport>,
    pub(super) counts: Counts,
    pub(super) dropped: bool,
    pub(super) interrupted_at: Option<Duration>,
    /// Whether it says that it is complete.
    pub(super) is_complete: bool,
}

/// Polls a run to its end, or to where it is interrupt, and shows what comes out.
pub(super) async fn drive(
    mut run: Box<dyn Run>,
    interrupt: Option<(Interrupt, At)>,
    time: &VirtualTime,
    seen: impl Fn(&ItemReport),
) -> Driven {
    let mut alarm: Option<Pin<Box<dyn Future<Output = ()>>>> = match interrupt {
        Some((_, At::Milliseconds(after))) => {
            Some(Box::pin(time.pause(Duration::from_millis(after))))
        }
        _ => None,
    };
    let (mut settled, mut polls, mut interrupted_at) = (Vec::new(), 0, None);
    loop {
        let is_due = |polls| match interrupt {
            Some((_, At::Outcome(outcomes))) => settled.len() >= outcomes,
            Some((_, At::Poll(most))) => polls >= most,
            _ => false,
        };
        // None where the leg is to be cut.
        let next = poll_fn(|context| {
            if interrupted_at.is_none() {
                let rings = |alarm: &mut Pin<Box<dyn Future<Output = ()>>>| {
                    alarm.as_mut().poll(context).is_ready()
                };
                if is_due(polls) || alarm.as_mut().is_some_and(rings) {
                    return std::task::Poll::Ready(None);
                }
            }
            polls += 1;
            run.poll_next(context).map(Some)
        });
        match next.await {
            Some(Some(outcome)) => {
                seen(&outcome);
                settled.push(outcome);
            }
            ended => {
                let is_interrupted = ended.is_none();
                if is_interrupted {
                    alarm = None;
                    interrupted_at = Some(time.elapsed());
                    if matches!(interrupt, Some((Interrupt::Cancel, _))) {
                        run.cancel();
                        continue;
                    }
                }
                return Driven {
                    counts: run.counts(),
                    is_complete: !is_interrupted && run.is_complete(),
                    settled,
                    dropped: is_interrupted,
                    interrupted_at,
                };
            }
        }
    }
}
