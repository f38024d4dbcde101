//! Isolation of the items that make a batch refused.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::requests::LIMIT;
use super::stop::LOAD;
use crate::client::bulk::ItemStatus;
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::{Bad, Case, Position, Trouble};
use crate::rules::bulk::fixture::play::{LegRecord, play};
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        isolation_is_right(),
        non_atomic_is_unknown(),
        splits_only_for_bad_items(),
    ]
}

/// Positions of bad items in a batch: none, one, a few, neighbours, every second, all.
fn places(form: u64, size: usize) -> BoxedStrategy<BTreeSet<usize>> {
    let place = 0..size.max(1);
    match form {
        0 => Just(BTreeSet::new()).boxed(),
        1 => place.prop_map(|place| BTreeSet::from([place])).boxed(),
        2 => vec(place, 2..8)
            .prop_map(|places| places.into_iter().collect())
            .boxed(),
        3 => (place, 2..30_usize)
            .prop_map(move |(first, count)| (first..size.min(first + count)).collect())
            .boxed(),
        4 => Just((0..size).step_by(2).collect()).boxed(),
        _ => Just((0..size).collect()).boxed(),
    }
}

fn isolation_is_right() -> Rule {
    const EDGES: [&str; 6] = [
        "none is bad",
        "one is",
        "a few are",
        "neighbours are",
        "every second item",
        "all are",
    ];
    Rule::new(
        "bulk/isolation-is-right",
        "of refused batches the bad items are rejected and all others updated; one bad item of 100 takes at most 10 \
         requests, and no batch more than 170",
        LIMIT,
        &EDGES,
        property(
            |case| {
                let form = case % 6;
                let size = match form {
                    // A mostly bad batch takes one request for each item.
                    4 | 5 => prop_oneof![8 => 2..30_usize, 1 => Just(100)].boxed(),
                    _ => {
                        prop_oneof![1 => Just(100), 1 => 1..120_usize, 1 => 201..240_usize].boxed()
                    }
                };
                let what = select(vec![Bad::Value, Bad::NoItem]);
                let faults = vec(
                    prop_oneof![
                        20 => Just(Trouble::None),
                        1 => (0..3_u64).prop_map(|wait| Trouble::Status(429, Some(wait))),
                    ],
                    0..20,
                );
                (size, what, 1..4_usize, faults)
                    .prop_flat_map(move |(size, what, concurrency, troubles)| {
                        places(form, size).prop_map(move |places| {
                            let slot = |number| Position::Update {
                                key: (number, number % 4),
                                pad: 0,
                            };
                            let mut case = Case {
                                concurrency,
                                ..Case::calm((0..size).map(slot).collect())
                            };
                            case.legs[0].troubles.clone_from(&troubles);
                            let keys = case.keys();
                            let bad = places.iter().filter_map(|place| keys.get(*place));
                            case.bad = bad.map(|key| (*key, what)).collect();
                            if case.bad.len() * 2 > size {
                                // Otherwise the run concludes that every request is refused.
                                case.max_consecutive_failures = u32::MAX;
                            }
                            case
                        })
                    })
                    .boxed()
            },
            |case| {
                let bad = case.keys().iter().filter(|key| case.is_bad(**key)).count();
                let size = case.input.len();
                let touched = [
                    bad == 0,
                    bad == 1,
                    (2..8).contains(&bad),
                    (8..30).contains(&bad),
                    bad * 2 >= size && bad < size,
                    bad == size,
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                for leg in &played.legs {
                    for (index, end) in leg.ends() {
                        let is_bad = case.key(index).is_some_and(|key| case.is_bad(key));
                        let right = match is_bad {
                            true => ItemStatus::Rejected,
                            false => ItemStatus::Updated,
                        };
                        if end != right {
                            return Err(format!("entry {index} is {end:?}, and not {right:?}"));
                        }
                    }
                }
                let bad = case.keys().iter().filter(|key| case.is_bad(**key)).count();
                let is_counted = |status| status != Some(429);
                let sent = played
                    .sent
                    .iter()
                    .filter(|sent| is_counted(sent.status))
                    .count();
                let batches = case.input.len().div_ceil(100);
                let most = match bad {
                    0 => batches,
                    1 if batches == 1 => 10,
                    // Two more requests may test whether items of other batches are refused as well.
                    1 => batches + 11,
                    _ => batches * 170,
                };
                if sent > most {
                    return Err(format!(
                        "{sent} requests for {bad} bad items, more than {most}"
                    ));
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

fn non_atomic_is_unknown() -> Rule {
    const EDGES: [&str; 4] = ["with a journal", "a value", "an item", "a locale"];
    Rule::new(
        "bulk/non-atomic-is-unknown",
        "if a refused request may have changed a part of its items and the run does not assume otherwise, all its \
         items are unknown unless it held a single one, and none of them is resent",
        "reference page of Update Items: it does not say what a refused request changes",
        &EDGES,
        property(
            |case| {
                let what = [Bad::Value, Bad::NoItem, Bad::NoVariant];
                let what = what[usize::try_from(case % 3).unwrap_or(0)];
                let size = prop_oneof![2 => 1..40_usize, 1 => 100..220_usize];
                let bad = vec(any::<u16>(), 1..4);
                (generate::input(size), bad, 1..4_usize, any::<bool>())
                    .prop_map(move |(input, bad, concurrency, journal)| {
                        let mut case = Case {
                            concurrency,
                            journal,
                            atomic: false,
                            assume_atomic: false,
                            ..Case::calm(input)
                        };
                        let keys = case.keys();
                        let places = bad
                            .iter()
                            .map(|place| usize::from(*place) % keys.len().max(1));
                        case.bad = places
                            .filter_map(|place| Some((*keys.get(place)?, what)))
                            .collect();
                        case
                    })
                    .boxed()
            },
            |case| {
                let is = |what| case.bad.iter().any(|(_, bad)| *bad == what);
                let touched = [
                    case.journal,
                    is(Bad::Value),
                    is(Bad::NoItem),
                    is(Bad::NoVariant),
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let ends = played.legs.first().map(LegRecord::ends).unwrap_or_default();
                let mut seen = BTreeSet::new();
                for sent in &played.sent {
                    for index in &sent.entries {
                        if !seen.insert(*index) {
                            return Err(format!("entry {index} is resent"));
                        }
                        let end = ends.get(index);
                        let expected = match sent.refused() {
                            false => ItemStatus::Updated,
                            // A single entry cannot be changed in part.
                            true if sent.entries.len() == 1 => ItemStatus::Rejected,
                            true => ItemStatus::Unknown,
                        };
                        if end != Some(&expected) {
                            return Err(format!(
                                "entry {index} is {end:?}, and its request got {:?}",
                                sent.status
                            ));
                        }
                    }
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

fn splits_only_for_bad_items() -> Rule {
    const EDGES: [&str; 4] = ["429", "5xx", "no response", "repeated keys"];
    Rule::new(
        "bulk/splits-only-for-bad-items",
        "a request that fails for any reason but its items is never sent in parts",
        LOAD,
        &EDGES,
        property(
            |case| {
                let troubles = vec(
                    prop_oneof![3 => generate::disturbance(), 1 => Just(Trouble::None)],
                    1..12,
                );
                (
                    generate::input(generate::size(case)),
                    troubles,
                    1..4_usize,
                    1..4_u32,
                    any::<bool>(),
                )
                    .prop_map(
                        |(input, troubles, concurrency, attempts, retry_ambiguous)| {
                            let mut case = Case {
                                concurrency,
                                attempts,
                                retry_ambiguous,
                                ..Case::calm(input)
                            };
                            case.legs[0].troubles = troubles;
                            case
                        },
                    )
                    .boxed()
            },
            |case| {
                let troubles = &case.legs[0].troubles;
                let status = |from: u16, to: u16| {
                    let is = |trouble: &Trouble| match trouble {
                        Trouble::Status(status, _) => (from..=to).contains(status),
                        _ => false,
                    };
                    troubles.iter().any(is)
                };
                let fault = |trouble: &Trouble| matches!(trouble, Trouble::Fault(_));
                let touched = [
                    status(429, 429),
                    status(500, 599),
                    troubles.iter().any(fault),
                    case.keys().len() < case.input.len(),
                ];
                among(&EDGES, &touched)
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
