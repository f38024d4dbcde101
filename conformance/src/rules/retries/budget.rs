//! The retry budget that the calls of one client share.

use futures_util::future::join_all;
use proptest::prelude::*;
use webflow_cms_reference::Reply;

use crate::rule::{Rule, property};
use crate::rules::fixture::status;
use crate::rules::fixture::timed::fixture;

pub(super) fn rules() -> Vec<Rule> {
    vec![retry_budget()]
}

fn retry_budget() -> Rule {
    const EDGES: [&str; 4] = [
        "budget 0",
        "budget 1",
        "429 draws nothing",
        "more than enough",
    ];
    Rule::new(
        "retries/retry-budget",
        "calls of one client retry no more often than their retry budget allows, and a 429 does not draw on it",
        "this suite: a client must not multiply the load of a service that fails",
        &EDGES,
        property(
            |case| {
                let budget = match case % 4 {
                    0 => Just(0).boxed(),
                    1 => Just(1).boxed(),
                    2 => (1..5_u32).boxed(),
                    _ => Just(40).boxed(),
                };
                (Just(case % 4 == 2), budget, 1..6_usize).boxed()
            },
            |(too_many, budget, _)| match (too_many, budget) {
                (true, _) => vec![EDGES[2]],
                (_, 0) => vec![EDGES[0]],
                (_, 1) => vec![EDGES[1]],
                _ => vec![EDGES[3]],
            },
            |harness, (too_many, budget, calls)| {
                let fixture = fixture(harness, |settings| {
                    settings.retry_budget = Some(*budget);
                    settings.max_attempts = 4;
                })?;
                let status = if *too_many { 429 } else { 500 };
                fixture
                    .world
                    .script((0..calls * 4).map(|_| Reply::new(status)));
                let ended = fixture.run(join_all((0..*calls).map(|call| fixture.update(call))))?;
                for (outcome, _) in ended {
                    status::is_status(outcome.failure()?, status)?;
                }
                let bound = usize::try_from(*budget).unwrap_or(0);
                let again = if *too_many {
                    calls * 3
                } else {
                    (calls * 3).min(bound)
                };
                fixture.sent(calls + again)?;
                let left = fixture.client.retry_budget();
                let expected = if *too_many { bound } else { bound - again };
                if left.is_none() || left == u64::try_from(expected).ok() {
                    Ok(())
                } else {
                    Err(format!(
                        "{left:?} are left of a budget of {budget}, and not {expected}"
                    ))
                }
            },
        ),
    )
}
