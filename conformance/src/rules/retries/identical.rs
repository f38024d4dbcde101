//! Retries that repeat the first request byte for byte.

use proptest::collection::vec;
use proptest::prelude::*;
use webflow_cms_reference::{Fault, Reply, Step};

use crate::client::Options;
use crate::rule::{Rule, property};
use crate::rules::fixture::ambiguous::{AMBIGUOUS, ambiguous};
use crate::rules::fixture::edges::{index, joined};
use crate::rules::fixture::request::{is_addressed, same, skip, skip_edge};
use crate::rules::fixture::timed::fixture_with;
use crate::rules::fixture::{members, site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![retries_are_byte_identical()]
}

const SAME: &str = "this suite: a retry is the same request";

/// The number of a 429 among the failures; lower numbers are the ambiguous ones.
const TOO_MANY: usize = AMBIGUOUS.len();

fn retries_are_byte_identical() -> Rule {
    const EDGES: [&str; 8] = [
        "429",
        "a failed service",
        "a connection that breaks",
        "no response in time",
        "fails more than once",
        "no option",
        "option true",
        "option false",
    ];
    const ALL: [&str; EDGES.len() + members::EDGES.len()] = joined(EDGES, members::EDGES);
    Rule::new(
        "retries/retries-are-byte-identical",
        "a retry is the first request to the byte: method, path, query, body, and the headers `Accept`, \
         `Authorization`, `Content-Type`, `Content-Length` and `User-Agent`",
        SAME,
        &ALL,
        property(
            |case| {
                let first = index(case, TOO_MANY + 1);
                let more = vec(0..=TOO_MANY, index(case / 2, 3));
                let skip = skip(index(case / 3, 3));
                let entries = members::entries(1..14_usize);
                (Just(first), more, Just(skip), entries)
                    .prop_map(|(first, more, skip, entries)| {
                        let failures: Vec<_> = std::iter::once(first).chain(more).collect();
                        (failures, skip, entries)
                    })
                    .boxed()
            },
            |(failures, skip, entries)| {
                let any = |kinds: std::ops::RangeInclusive<usize>| {
                    failures.iter().any(|failure| kinds.contains(failure))
                };
                let touched = [
                    any(TOO_MANY..=TOO_MANY),
                    any(0..=4),
                    any(5..=7),
                    any(8..=8),
                    failures.len() > 1,
                ];
                let touched = EDGES.into_iter().zip(touched);
                let touched = touched.filter(|(_, is)| *is).map(|(edge, _)| edge);
                touched
                    .chain([skip_edge(*skip)])
                    .chain(members::touched(entries))
                    .collect()
            },
            |harness, (failures, skip, entries)| {
                let fixture = fixture_with(harness, site::model_of(entries), |_| {})?;
                for failure in failures {
                    let (step, fault) = attempt(*failure);
                    fixture.world.faults([fault]);
                    fixture.world.script(step);
                }
                let options = Options {
                    skip_invalid_files: *skip,
                    ..Options::default()
                };
                let call = fixture.update_with(entries.clone(), options);
                fixture.run(call)?.0.updated()?;
                fixture.sent(failures.len() + 1)?;
                let log = fixture.world.log();
                let first = log.first().ok_or("nothing was sent")?;
                wire::carries(first, entries)?;
                for exchange in &log {
                    is_addressed(exchange, *skip)?;
                    same(first, exchange)?;
                }
                Ok(())
            },
        ),
    )
}

/// The step of the server and the fault of the connection for an attempt that fails.
fn attempt(failure: usize) -> (Option<Step>, Fault) {
    if failure == TOO_MANY {
        let reply = Reply::new(429).header("retry-after", "2");
        return (Some(reply.into()), Fault::None);
    }
    match ambiguous(failure) {
        Ok(reply) => (Some(reply.into()), Fault::None),
        Err(fault) => (fault.acts().then_some(Step::Model), fault),
    }
}
