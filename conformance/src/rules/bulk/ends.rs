//! How runs end: by what the service says, or by being cancelled.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::case::{At, Case, Interrupt, Leg, Position, Trouble};
use super::play::{TIMEOUT, play};
use super::{invariants, make};
use crate::client::RateLimiter;
use crate::rule::{Rule, property};
use crate::rules::timed::within;

const LOAD: &str = "this suite: a client must not multiply the load of a service that fails";

pub(super) fn rules() -> Vec<Rule> {
    vec![
        never_splits_for_others(),
        max_consecutive_failures(),
        cancel_accounts(),
    ]
}

fn never_splits_for_others() -> Rule {
    const EDGES: [&str; 4] = ["429", "5xx", "no response", "keys that come again"];
    Rule::new(
        "bulk/splits-only-for-bad-items",
        "a request that fails for any reason but its items is never sent in parts",
        LOAD,
        &EDGES,
        property(
            |case| {
                let troubles = vec(
                    prop_oneof![3 => make::disturbance(), 1 => Just(Trouble::None)],
                    1..12,
                );
                (
                    make::input(make::size(case)),
                    troubles,
                    1..4_usize,
                    1..4_u32,
                    any::<bool>(),
                )
                    .prop_map(|(input, troubles, concurrency, attempts, again)| {
                        let mut case = Case {
                            concurrency,
                            attempts,
                            again,
                            ..Case::calm(input)
                        };
                        case.legs[0].troubles = troubles;
                        case
                    })
                    .boxed()
            },
            |case| {
                let troubles = &case.legs[0].troubles;
                let status = |from: u16, to: u16| {
                    let is = |trouble: &Trouble| matches!(trouble, Trouble::Status(status, _) if (from..=to).contains(status));
                    troubles.iter().any(is)
                };
                let fault = |trouble: &Trouble| matches!(trouble, Trouble::Fault(_));
                let touched = [
                    status(429, 429),
                    status(500, 599),
                    troubles.iter().any(fault),
                    case.keys().len() < case.input.len(),
                ];
                super::among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let mut whole: BTreeMap<usize, &[usize]> = BTreeMap::new();
                for sent in &played.sent {
                    for index in &sent.entries {
                        match whole.insert(*index, &sent.entries) {
                            Some(before) if before != sent.entries => {
                                return Err(format!(
                                    "entry {index} was sent among {} and then among {}",
                                    before.len(),
                                    sent.entries.len()
                                ));
                            }
                            _ => {}
                        }
                    }
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

/// An input of so many batches.
fn batches(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Position>> {
    make::distinct(count.prop_map(|batches| batches * 100), 0)
}

fn max_consecutive_failures() -> Rule {
    const EDGES: [&str; 4] = ["1 batch", "2 batches", "unknown", "not sent"];
    Rule::new(
        "bulk/max-consecutive-failures",
        "the run stops after the maximum of consecutive batches without an update: no later, and no sooner",
        LOAD,
        &EDGES,
        property(
            |case| {
                let status = [500_u16, 429][usize::try_from(case / 2 % 2).unwrap_or(0)];
                let limit = match case % 4 {
                    0 | 3 => Just(1).boxed(),
                    1 => Just(2).boxed(),
                    _ => (3..5_u32).boxed(),
                };
                (batches(2..7), limit, 0..3_usize, 1..4_usize)
                    .prop_map(
                        move |(input, max_consecutive_failures, good, concurrency)| {
                            let mut case = Case {
                                concurrency,
                                max_consecutive_failures,
                                attempts: 1,
                                ..Case::calm(input)
                            };
                            let troubles = &mut case.legs[0].troubles;
                            troubles.extend(std::iter::repeat_n(Trouble::None, good));
                            let bad = Trouble::Status(status, None);
                            troubles.extend(std::iter::repeat_n(bad, case.input.len()));
                            case
                        },
                    )
                    .boxed()
            },
            |case| {
                let last = case.legs[0].troubles.last();
                let touched = [
                    case.max_consecutive_failures == 1,
                    case.max_consecutive_failures == 2,
                    last == Some(&Trouble::Status(500, None)),
                    last == Some(&Trouble::Status(429, None)),
                ];
                super::among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let batches = case.input.len() / 100;
                let good = played
                    .sent
                    .iter()
                    .filter(|sent| sent.status == Some(200))
                    .count();
                let in_vain = played.sent.len() - good;
                let limit = usize::try_from(case.max_consecutive_failures).unwrap_or(usize::MAX);
                // Those that are under way with the last good one, and those with the last one that counts.
                let beside = (case.concurrency - 1) * if good > 0 { 2 } else { 1 };
                let left = batches.saturating_sub(good);
                let (least, most) = (limit.min(left), (limit + beside).min(left));
                if !(least..=most).contains(&in_vain) {
                    return Err(format!(
                        "{in_vain} batches are sent in vain, and not {least} to {most}"
                    ));
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

fn cancel_accounts() -> Rule {
    const EDGES: [&str; 4] = [
        "between outcomes",
        "at a poll",
        "at a time",
        "while a wait is on",
    ];
    Rule::new(
        "bulk/cancel-reports-every-item",
        "once a run is cancelled no request is sent, and all items are reported within the attempt timeout",
        "this suite: a caller must know when its call ends",
        &EDGES,
        property(
            |case| {
                let at = match case % 4 {
                    0 => (0..200_usize).prop_map(At::Outcome).boxed(),
                    1 => (0..80_usize).prop_map(At::Poll).boxed(),
                    _ => (0..15_000_u64).prop_map(At::Milliseconds).boxed(),
                };
                let long = (5..100_u64).prop_map(|wait| Trouble::Status(429, Some(wait)));
                let troubles = vec(
                    prop_oneof![3 => Just(Trouble::None), 1 => make::disturbance(), 1 => long],
                    0..8,
                );
                let rate_limiter = select(vec![
                    RateLimiter::Unlimited,
                    RateLimiter::Fixed(20),
                    RateLimiter::WithInitialLimit(60),
                ]);
                let input = make::input(prop_oneof![2 => 20..60_usize, 1 => 200..400_usize]);
                let bytes = prop_oneof![1 => Just(None), 2 => (300..2_000_usize).prop_map(Some)];
                (
                    input,
                    at,
                    troubles,
                    rate_limiter,
                    bytes,
                    any::<u64>(),
                    any::<bool>(),
                )
                    .prop_map(
                        |(input, at, troubles, rate_limiter, max_batch_bytes, latency, journal)| {
                            Case {
                                rate_limiter,
                                max_batch_bytes,
                                latency,
                                journal,
                                legs: vec![Leg {
                                    troubles,
                                    interrupt: Some((Interrupt::Cancel, at)),
                                    resend: false,
                                }],
                                ..Case::calm(input)
                            }
                        },
                    )
                    .boxed()
            },
            |case| {
                let leg = &case.legs[0];
                let waits = |trouble: &Trouble| matches!(trouble, Trouble::Status(429, Some(wait)) if *wait >= 5);
                let touched = [
                    matches!(leg.interrupt, Some((_, At::Outcome(_)))),
                    matches!(leg.interrupt, Some((_, At::Poll(_)))),
                    matches!(leg.interrupt, Some((_, At::Milliseconds(_)))),
                    leg.troubles.iter().any(waits),
                ];
                super::among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                if let Some(leg) = played.legs.first()
                    && let Some(interrupt) = leg.interrupted_at
                {
                    if let Some(late) = played.sent.iter().find(|sent| sent.at > interrupt) {
                        return Err(format!("cancelled at {interrupt:?}, sent at {:?}", late.at));
                    }
                    within("the end", leg.ended, interrupt, interrupt + TIMEOUT)?;
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
