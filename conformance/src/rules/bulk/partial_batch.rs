//! Batches that are sent before they are full.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::{At, Case, Interrupt, Leg, Position, Tail};
use crate::rules::bulk::fixture::invariants;
use crate::rules::bulk::fixture::play::play;
use crate::rules::fixture::edges::among;
use crate::rules::fixture::timed::{SECOND, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![partial_batch_is_sent()]
}

/// How long a batch waits for more entries.
const LINGER: Duration = Duration::from_secs(5);

fn partial_batch_is_sent() -> Rule {
    const EDGES: [&str; 4] = [
        "a pause",
        "a short pause",
        "a full batch",
        "a source that does not end",
    ];
    Rule::new(
        "bulk/partial-batch-is-sent",
        "a batch that is not full is sent when the source has been silent for 5 seconds, and not before",
        ACCOUNT,
        &EDGES,
        property(
            |case| {
                let part = (
                    prop_oneof![3 => 1..60_usize, 1 => select(vec![99_usize, 100, 101, 200, 250])],
                    vec(1..4_900_u64, 0..3),
                    5_100..1_000_000_u64,
                );
                let tail = if case % 2 == 0 {
                    Tail::Silent
                } else {
                    Tail::Ends
                };
                (vec(part, 1..4), 1..5_usize)
                    .prop_map(move |(parts, concurrency)| slow_case(parts, tail, concurrency))
                    .boxed()
            },
            |case| {
                let is = |lull: std::ops::Range<u64>| {
                    case.lulls.iter().any(|(_, length)| lull.contains(length))
                };
                let touched = [
                    is(5_000..u64::MAX),
                    is(0..5_000),
                    case.input.len() >= 100,
                    case.tail == Tail::Silent,
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let mut given = Duration::ZERO;
                let mut requests = played.sent.iter();
                let mut next = 0;
                for (end, lull) in pauses(case) {
                    // Of each part, full batches are sent when they are full, and the rest after the silence.
                    let mut left = end - next;
                    while left > 0 {
                        let Some(sent) = requests.next() else {
                            return Err(format!("the {left} entries before {end} are not sent"));
                        };
                        let size = left.min(100);
                        if sent.entries.len() != size {
                            return Err(format!(
                                "{} entries are sent in place of {size} before {end}",
                                sent.entries.len()
                            ));
                        }
                        let last = lulls_until(case, next, next + size - 1);
                        let (least, most) = match size {
                            100 => (given, given + last + SECOND),
                            _ if lull.is_none() => (given, given + last + SECOND),
                            _ => (given + last + LINGER, given + last + LINGER + SECOND / 10),
                        };
                        within("a request", sent.at, least, most)?;
                        given += last;
                        next += size;
                        left -= size;
                    }
                    given += lull.unwrap_or_default();
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

/// Parts of some entries, each with short silences inside and a long one after it.
fn slow_case(parts: Vec<(usize, Vec<u64>, u64)>, tail: Tail, concurrency: usize) -> Case {
    let mut lulls = Vec::new();
    let mut size = 0;
    let count = parts.len();
    for (number, (entries, short, long)) in parts.into_iter().enumerate() {
        let step = entries / (short.len() + 1);
        for (place, lull) in short.into_iter().enumerate() {
            if step > 0 {
                lulls.push((size + step * (place + 1), lull));
            }
        }
        size += entries;
        if number + 1 < count {
            lulls.push((size, long));
        }
    }
    lulls.retain(|(place, _)| *place < size);
    let slot = |number| Position::Update {
        key: (number, number % 4),
        pad: 0,
    };
    let end = Duration::from_millis(lulls.iter().map(|(_, lull)| lull).sum()) + 60 * SECOND;
    let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
    Case {
        lulls,
        tail,
        concurrency,
        legs: vec![Leg {
            interrupt: (tail != Tail::Ends).then_some((Interrupt::Cancel, At::Milliseconds(end))),
            ..Leg::default()
        }],
        ..Case::calm((0..size).map(slot).collect())
    }
}

/// The end of each part, with the silence after it. `None` if the source ends.
fn pauses(case: &Case) -> Vec<(usize, Option<Duration>)> {
    let long = case.lulls.iter().filter(|(_, lull)| *lull >= 5_000);
    let mut pauses: Vec<_> = long
        .map(|(place, lull)| (*place, Some(Duration::from_millis(*lull))))
        .collect();
    let for_ever = (case.tail != Tail::Ends).then_some(3_600 * SECOND);
    pauses.push((case.input.len(), for_ever));
    pauses
}

/// Total of the short silences before the entries after the first of these, up to the last one.
fn lulls_until(case: &Case, first: usize, last: usize) -> Duration {
    let short = case
        .lulls
        .iter()
        .filter(|(place, lull)| *lull < 5_000 && (first..=last).contains(place));
    Duration::from_millis(short.map(|(_, lull)| lull).sum())
}
