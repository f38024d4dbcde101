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

use super::case::{At, Case, Cut, Key, Leg};
use super::wire::{self, Sent};
use crate::VirtualTime;
use crate::bench::Bench;
use crate::client::bulk::{Counts, Job, Journal, Recorded, Run, Settled};
use crate::client::{Entry, Options, Random};
use crate::reference::{AnswerOrder, Limiter};
use crate::rules::site;
use crate::rules::stage::{SECOND, client};

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
    pub(super) settled: Vec<Settled>,
    pub(super) counts: Counts,
    /// Whether it was dropped before its end.
    pub(super) dropped: bool,
    /// When it was cancelled or dropped.
    pub(super) cut_at: Option<Duration>,
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
    bench: &Bench<'_>,
    case: &Case,
    limiter: Option<Limiter>,
) -> Result<Played, String> {
    let world = bench.world();
    let told = |error: std::io::Error| error.to_string();
    world.reset(case.model()).map_err(told)?;
    world.configure(|settings| {
        settings.max_body = case.max_body;
        settings.limiter = limiter;
        if case.reversed {
            settings.order = AnswerOrder::Reversed;
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
    let client = client(bench, |session| {
        session.timeout = TIMEOUT;
        session.max_tries = case.tries;
        session.if_may_have_acted = case.again;
        session.backoff = (SECOND, 2 * SECOND);
        session.pace = case.pace;
        session.random = Random::Seeded(case.latency);
    })?;
    let bulk = client.bulk().ok_or("the client has no bulk run")?;
    let entries: Vec<(u64, Entry)> = (0..case.input.len())
        .filter_map(|index| Some((index as u64, case.entry(index).ok()?)))
        .collect();
    let path = bench.scratch().join("run.journal");
    // It is of the case before.
    let _ = std::fs::remove_file(&path);
    let sent = || world.server().core().read_log(<[_]>::len);
    let mut legs = Vec::new();
    for (number, leg) in case.legs.iter().enumerate() {
        let server = world.server();
        server.calm();
        for trouble in &leg.troubles {
            let (fault, step) = trouble.plan();
            world.faults([fault]);
            world.script(step);
        }
        let gauge = Arc::new(Gauge::default());
        let journal = match number {
            _ if !case.journal => None,
            0 => Some(Journal::Create(path.clone())),
            _ => Some(Journal::Resume(path.clone())),
        };
        let first = sent();
        let run = bulk.start(Job {
            source: source(case, &gauge),
            options: Options::default(),
            concurrency: case.concurrency,
            max_bytes: case.max_bytes,
            assume_atomic: case.assume_atomic,
            stop_after: case.stop_after,
            after_unknown: case.after_unknown,
            after_source_error: case.after_source_error,
            journal,
            resend_in_doubt: leg.resend,
        })?;
        let time = world.time();
        let driven = AssertUnwindSafe(drive(run, case, leg, &time, &gauge)).catch_unwind();
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
        legs.push(Ended {
            settled: driven.settled,
            counts: driven.counts,
            dropped: driven.dropped,
            cut_at: driven.cut_at,
            ended,
            sent: first..sent(),
            taken: gauge.taken.load(Ordering::Relaxed),
            most_ahead: (gauge.entries.most(), gauge.bytes.most()),
            journal: journal.map(|journal| {
                let positions = entries.iter().map(|(index, _)| *index as usize);
                positions.zip(journal).collect()
            }),
        });
    }
    let server = world.server();
    let sent = server.core().read_log(|log| {
        let read = log.iter().map(|exchange| wire::read(case, exchange));
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

pub(super) fn play(bench: &Bench<'_>, case: &Case) -> Result<Played, String> {
    play_under(bench, case, None)
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

fn source(case: &Case, gauge: &Arc<Gauge>) -> crate::client::bulk::Source {
    let (case, gauge) = (case.clone(), Arc::clone(gauge));
    let positions = 0..case.input.len();
    Box::new(positions.map(move |index| {
        gauge.taken.fetch_add(1, Ordering::Relaxed);
        gauge.entries.add(1);
        gauge.bytes.add(case.bytes(index));
        case.entry(index)
    }))
}

struct Driven {
    settled: Vec<Settled>,
    counts: Counts,
    dropped: bool,
    cut_at: Option<Duration>,
}

/// Polls a run to its end, or to where it is cut.
async fn drive(
    mut run: Box<dyn Run>,
    case: &Case,
    leg: &Leg,
    time: &VirtualTime,
    gauge: &Gauge,
) -> Driven {
    let mut alarm: Option<Pin<Box<dyn Future<Output = ()>>>> = match leg.cut {
        Some((_, At::Milliseconds(after))) => {
            Some(Box::pin(time.pause(Duration::from_millis(after))))
        }
        _ => None,
    };
    let (mut settled, mut polls, mut cut_at) = (Vec::new(), 0, None);
    loop {
        let is_due = |polls| match leg.cut {
            Some((_, At::Outcome(outcomes))) => settled.len() >= outcomes,
            Some((_, At::Poll(most))) => polls >= most,
            _ => false,
        };
        // None where the leg is to be cut.
        let next = poll_fn(|context| {
            if cut_at.is_none() {
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
                let index = usize::try_from(outcome.index).unwrap_or(usize::MAX);
                gauge.entries.take(1);
                gauge.bytes.take(case.bytes(index));
                settled.push(outcome);
            }
            ended => {
                let is_cut = ended.is_none();
                if is_cut {
                    alarm = None;
                    cut_at = Some(time.elapsed());
                    if matches!(leg.cut, Some((Cut::Cancel, _))) {
                        run.cancel();
                        continue;
                    }
                }
                return Driven {
                    counts: run.counts(),
                    settled,
                    dropped: is_cut,
                    cut_at,
                };
            }
        }
    }
}
