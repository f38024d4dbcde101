//! The number of entries that a run reads ahead.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::Case;
use crate::rules::bulk::fixture::play::play;
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![bounded_read_ahead()]
}

fn bounded_read_ahead() -> Rule {
    const EDGES: [&str; 5] = [
        "1 request",
        "several",
        "by bytes",
        "by entries",
        "repeated keys",
    ];
    Rule::new(
        "bulk/bounded-read-ahead",
        "a run reads at most four batches ahead of those in flight",
        ACCOUNT,
        &EDGES,
        property(
            |case| {
                let by_bytes = case % 5 != 0;
                let (size, max_batch_bytes) = match by_bytes {
                    true => (60..200_usize, (500..1_500_usize).prop_map(Some).boxed()),
                    false => (520..650_usize, Just(None).boxed()),
                };
                let input = match case % 3 {
                    0 => generate::input(size).boxed(),
                    _ => generate::distinct(size, 0).boxed(),
                };
                let concurrency = match case % 2 {
                    0 => Just(1).boxed(),
                    _ => (2..5_usize).boxed(),
                };
                let troubles = vec(generate::disturbance(), 0..6);
                (input, max_batch_bytes, concurrency, any::<u64>(), troubles)
                    .prop_map(|(input, max_batch_bytes, concurrency, latency, troubles)| {
                        let mut case = Case {
                            max_batch_bytes,
                            concurrency,
                            latency,
                            attempts: 2,
                            ..Case::calm(input)
                        };
                        case.legs[0].troubles = troubles;
                        case
                    })
                    .boxed()
            },
            |case| {
                let touched = [
                    case.concurrency == 1,
                    case.concurrency > 1,
                    case.max_batch_bytes.is_some(),
                    case.max_batch_bytes.is_none(),
                    case.keys().len() < case.input.len(),
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let batches = case.concurrency + 4;
                // The entry that was read last may exceed the limit.
                let longest = (0..case.input.len()).map(|index| case.bytes(index)).max();
                for leg in &played.legs {
                    let (entries, bytes) = leg.most_ahead;
                    if entries > batches * 100 {
                        return Err(format!("{entries} entries are read and not finished"));
                    }
                    let most = case
                        .max_batch_bytes
                        .map(|most| most * batches + longest.unwrap_or(0));
                    if most.is_some_and(|most| bytes > most) {
                        return Err(format!("{bytes} bytes are read and not finished"));
                    }
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
