//! The client's own back-off between attempts.

use std::time::Duration;

use proptest::prelude::*;
use webflow_cms_reference::Reply;

use super::retry_after::SDKS;
use crate::client::Random;
use crate::rule::{Rule, property};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::timed::{SECOND, fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![backoff_doubles(), backoff_jitter()]
}

fn backoff_doubles() -> Rule {
    const EDGES: [&str; 3] = ["shortest", "longest", "between"];
    Rule::new(
        "retries/backoff-doubles",
        "if the service asks for no wait, the client backs off: from half to the whole of a time that doubles with \
         each failure up to a maximum",
        SDKS,
        &EDGES,
        property(
            |case| {
                let random = match case % 3 {
                    0 => Just(0.0).boxed(),
                    1 => Just(1.0).boxed(),
                    _ => (0.01..0.99).boxed(),
                };
                (random, 100..3_000_u64, 1..40_u64).boxed()
            },
            |(random, ..)| match *random {
                0.0 => vec![EDGES[0]],
                1.0 => vec![EDGES[1]],
                _ => vec![EDGES[2]],
            },
            |harness, (random, first, factor)| {
                let first = Duration::from_millis(*first);
                let longest = first * u32::try_from(*factor).unwrap_or(1);
                let fixture = fixture(harness, |settings| {
                    settings.random = Random::Always(*random);
                    settings.backoff = (first, longest);
                    settings.max_attempts = 7;
                })?;
                fixture.world.script((0..7).map(|_| Reply::new(500)));
                fixture.call()?.0.failure()?;
                let arrivals = fixture.sent(7)?;
                for (number, pair) in (0..).zip(arrivals.windows(2)) {
                    let whole = (first * 2_u32.pow(number)).min(longest);
                    within("a wait", pair[1] - pair[0], whole / 2, whole)?;
                }
                Ok(())
            },
        ),
    )
}

fn backoff_jitter() -> Rule {
    const EDGES: [&str; 2] = ["own wait", "the service's wait"];
    Rule::new(
        "retries/backoff-jitter",
        "calls that fail at the same moment do not retry at the same moment, and none retries early",
        SDKS,
        &EDGES,
        property(
            |case| (Just(index(case, 2)), 8..24_usize, any::<u64>()).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, callers, seed)| {
                let fixture = fixture(harness, |settings| settings.random = Random::Seeded(*seed))?;
                let wait = if *form == 0 { SECOND / 2 } else { 60 * SECOND };
                fixture.world.script((0..*callers).map(|_| match form {
                    0 => Reply::new(500),
                    _ => Reply::new(429).header("retry-after", "60"),
                }));
                let calls = (0..*callers).map(|call| fixture.update(call));
                for (outcome, _) in fixture.run(futures_util::future::join_all(calls))? {
                    outcome.updated()?;
                }
                let mut again = fixture.sent(callers * 2)?.split_off(*callers);
                again.sort_unstable();
                within("the first retry", again[0], wait, wait + SECOND)?;
                let spread = again[callers - 1] - again[0];
                again.dedup();
                if again.len() > callers / 2 && spread > SECOND / 10 {
                    Ok(())
                } else {
                    Err(format!(
                        "{callers} calls retry at {} moments over {spread:?}",
                        again.len()
                    ))
                }
            },
        ),
    )
}
