//! Interrupted and resumed runs.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::client::bulk::{ItemStatus, NotAttemptedReason};
use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::{At, Bad, Case, Interrupt, Leg, Trouble};
use crate::rules::bulk::fixture::play::{Played, play};
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![resume()]
}

fn resume() -> Rule {
    const EDGES: [&str; 5] = [
        "between outcomes",
        "at a poll",
        "at a time",
        "twice",
        "unknown is not resent",
    ];
    Rule::new(
        "bulk/resume",
        "a run that is interrupted anywhere and resumed leaves the site in the same state as an uninterrupted one, if \
         unknown items are resent",
        ACCOUNT,
        &EDGES,
        property(
            |case| {
                let at = move || match case % 3 {
                    0 => (0..100_usize).prop_map(At::Outcome).boxed(),
                    1 => (1..60_usize).prop_map(At::Poll).boxed(),
                    _ => (0..6_000_u64).prop_map(At::Milliseconds).boxed(),
                };
                let interrupt = move || {
                    let troubles = vec(
                        prop_oneof![3 => Just(Trouble::None), 2 => generate::disturbance()],
                        0..8,
                    );
                    (troubles, at(), any::<bool>()).prop_map(|(troubles, at, resend)| Leg {
                        troubles,
                        interrupt: Some((Interrupt::Drop, at)),
                        resend,
                    })
                };
                let resend = case % 4 != 3;
                let input = generate::input(prop_oneof![4 => 10..50_usize, 1 => 100..140_usize]);
                let client = (1..5_usize, any::<u64>(), 1..3_u32);
                let bytes = prop_oneof![1 => Just(None), 1 => (800..3_000_usize).prop_map(Some)];
                (
                    input,
                    vec(interrupt(), 1..4),
                    client,
                    bytes,
                    vec(any::<u16>(), 0..3),
                )
                    .prop_map(move |(input, mut legs, client, max_batch_bytes, bad)| {
                        legs.push(Leg {
                            resend,
                            ..Leg::default()
                        });
                        let (concurrency, latency, attempts) = client;
                        let mut case = Case {
                            concurrency,
                            latency,
                            attempts,
                            max_batch_bytes,
                            legs,
                            journal: true,
                            ..Case::calm(input)
                        };
                        let keys = case.keys();
                        let keys = bad.iter().map(|bad| keys.get(usize::from(*bad) % 60));
                        let keys = keys.flatten();
                        case.bad = keys.map(|key| (*key, Bad::Value)).collect();
                        case
                    })
                    .boxed()
            },
            |case| {
                let first = case.legs[0].interrupt;
                let touched = [
                    matches!(first, Some((_, At::Outcome(_)))),
                    matches!(first, Some((_, At::Poll(_)))),
                    matches!(first, Some((_, At::Milliseconds(_)))),
                    case.legs.len() > 2,
                    case.legs.last().is_some_and(|leg| !leg.resend),
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                if case.legs.last().is_some_and(|leg| leg.resend) {
                    as_if_uninterrupted(case, &played)?;
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

/// Checks that each key has its last update, or none if the service rejects it.
fn as_if_uninterrupted(case: &Case, played: &Played) -> Result<(), String> {
    let too_long = |index: usize| case.is_too_long(index);
    for key in case.keys() {
        let of_key = |index: &usize| case.key(*index) == Some(key) && !too_long(*index);
        let expected = match case.is_bad(key) {
            true => None,
            false => (0..case.input.len()).rev().find(of_key),
        };
        let holds = played.marks.get(&key).copied().flatten();
        if holds != expected {
            return Err(format!("{key:?} holds {holds:?}, and not {expected:?}"));
        }
    }
    let Some(last) = played.legs.last() else {
        return Ok(());
    };
    let good = |index: &usize| case.key(*index).is_some_and(|key| !case.is_bad(key));
    let mut blocked = BTreeSet::new();
    for (index, end) in last.ends().into_iter().filter(|(index, _)| good(index)) {
        let is_done = matches!(end, ItemStatus::Updated | ItemStatus::AlreadyUpdated);
        let is_long =
            too_long(index) && matches!(end, ItemStatus::Rejected | ItemStatus::AlreadyRejected);
        if !is_done && !is_long {
            blocked.insert((index, end));
        }
    }
    match blocked.first() {
        None => Ok(()),
        Some((_, ItemStatus::NotAttempted(NotAttemptedReason::Source))) => Ok(()),
        Some((index, end)) => Err(format!("entry {index} is {end:?} in the end")),
    }
}
