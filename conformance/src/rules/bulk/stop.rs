//! Runs that stop after consecutive failures.

use proptest::prelude::*;

use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::{Case, Position, Trouble};
use crate::rules::bulk::fixture::play::play;
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![max_consecutive_failures()]
}

pub(crate) const LOAD: &str =
    "this suite: a client must not multiply the load of a service that fails";

/// An input of a number of full batches.
fn batches(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Position>> {
    generate::distinct(count.prop_map(|batches| batches * 100), 0)
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
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let batches = case.input.len() / 100;
                let good = played
                    .sent
                    .iter()
                    .filter(|sent| sent.status == Some(200))
                    .count();
                let failed = played.sent.len() - good;
                let limit = usize::try_from(case.max_consecutive_failures).unwrap_or(usize::MAX);
                // Requests in flight with the last successful one, and with the last one that counts.
                let beside = (case.concurrency - 1) * if good > 0 { 2 } else { 1 };
                let left = batches.saturating_sub(good);
                let (least, most) = (limit.min(left), (limit + beside).min(left));
                if !(least..=most).contains(&failed) {
                    return Err(format!(
                        "{failed} batches failed, and not {least} to {most}"
                    ));
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
