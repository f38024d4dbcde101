//! The number and size of the requests of a run.

use proptest::prelude::*;

use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::Case;
use crate::rules::bulk::fixture::play::play;
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![fewest_requests()]
}

pub(crate) const LIMIT: &str = "reference page of Update Items: at most 100 items, and no word on \
                                which of them caused an error";

fn fewest_requests() -> Rule {
    const EDGES: [&str; 6] = [
        "none",
        "1",
        "99 to 101",
        "199 to 201",
        "a limit of bytes",
        "repeated keys",
    ];
    Rule::new(
        "bulk/fewest-requests",
        "distinct keys are sent in one request for each 100; no request holds more than 100 entries, a key twice or \
         more bytes than allowed, and under a limit of bytes no two consecutive requests would fit into one",
        LIMIT,
        &EDGES,
        property(
            |case| {
                let form = case % 4;
                let bytes = match form {
                    0 | 1 => Just(None).boxed(),
                    _ => (800..4_000_usize).prop_map(Some).boxed(),
                };
                let size = generate::edge_size(case / 4 * 2 + case % 2);
                let input = match form {
                    3 => generate::input(size).boxed(),
                    _ => generate::distinct(size, 60).boxed(),
                };
                let latency = prop_oneof![Just(0), any::<u64>()];
                (input, bytes, 1..6_usize, latency)
                    .prop_map(|(input, max_batch_bytes, concurrency, latency)| Case {
                        max_batch_bytes,
                        // Requests in flight are distinguished by their arrival.
                        concurrency,
                        latency,
                        ..Case::calm(input)
                    })
                    .boxed()
            },
            |case| {
                let size = case.input.len();
                let touched = [
                    size == 0,
                    size == 1,
                    (99..=101).contains(&size),
                    (199..=201).contains(&size),
                    case.max_batch_bytes.is_some(),
                    case.keys().len() < size,
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                invariants::limits(case, &played)?;
                let sent = &played.sent;
                let is_distinct = case.keys().len() == case.input.len();
                if is_distinct && case.max_batch_bytes.is_none() {
                    let least = case.input.len().div_ceil(100);
                    if sent.len() != least {
                        return Err(format!("{} requests are sent, and not {least}", sent.len()));
                    }
                } else if is_distinct && let Some(most) = case.max_batch_bytes {
                    let mut by_age: Vec<_> = sent.iter().collect();
                    by_age.sort_by_key(|sent| sent.entries.iter().min());
                    for pair in by_age.windows(2) {
                        // Two envelopes become one, plus a comma.
                        let joined = pair[0].bytes + pair[1].bytes - r#"{"items":[]}"#.len() + 1;
                        if joined <= most && pair[0].entries.len() + pair[1].entries.len() <= 100 {
                            return Err(format!(
                                "two consecutive requests would fit into {most} bytes"
                            ));
                        }
                    }
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
