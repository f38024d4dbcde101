//! Rules about the windows of the rate limit: requests use what is left, then wait for the next window.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use webflow_cms_reference::{Limiter, ModelResponse, Step};

use super::windows::{all_updated, latency};
use crate::client::{Options, Outcome, RateLimiter};
use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::timed::{Fixture, SECOND, client, entry, fixture, guarded, within};

const WINDOW: &str = "observed on the live service: a window of 60 seconds begins with the first request, and every \
                      response tells what is left and when it ends; other windows are assumed";
const MINUTE: Duration = Duration::from_secs(60);
const WINDOWS: [&str; 4] = [
    "window from the first request",
    "fixed window",
    "sliding window",
    "token bucket",
];
/// How many calls are made at once.
const CALLERS: usize = 4;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        within_the_limit(),
        beyond_the_limit(),
        used_before(),
        wrong_headers(),
    ]
}

fn limiter(kind: usize, limit: u32, phase: u64) -> Limiter {
    match kind {
        0 => Limiter::window_from_first_request(limit),
        1 => Limiter::fixed_window(limit, Duration::from_millis(phase)),
        2 => Limiter::sliding_window(limit),
        _ => Limiter::token_bucket(limit),
    }
}

fn kind(case: u64) -> usize {
    usize::try_from(case % 4).unwrap_or(0)
}

fn count(requests: u32) -> usize {
    usize::try_from(requests).unwrap_or(usize::MAX)
}

/// Makes so many calls, a few at a time, each in the order of its number.
async fn calls(fixture: &Fixture<'_>, requests: usize) -> Vec<(Outcome, Duration)> {
    let next = Cell::new(0);
    let caller = async || {
        let mut outcomes = Vec::new();
        while next.get() < requests {
            let call = next.replace(next.get() + 1);
            outcomes.push(fixture.update(call).await);
        }
        outcomes
    };
    let outcomes = join_all((0..CALLERS).map(|_| caller())).await;
    outcomes.into_iter().flatten().collect()
}

/// How long so many requests take, a few at a time, if nothing else is waited for.
fn latency_bound(seed: u64, requests: usize) -> Duration {
    let latency = latency(seed);
    let mut free = [Duration::ZERO; CALLERS];
    for number in 0..requests {
        let (there, back) = latency(number);
        if let Some(next) = free.iter_mut().min() {
            *next += there + back;
        }
    }
    free.into_iter().max().unwrap_or_default()
}

fn none_is_refused(fixture: &Fixture<'_>) -> Result<(), String> {
    match fixture.refusals().as_slice() {
        [] => Ok(()),
        refused => Err(format!("requests were refused at {refused:?}")),
    }
}

fn ended(outcomes: &[(Outcome, Duration)]) -> Duration {
    let ends = outcomes.iter().map(|(_, end)| *end);
    ends.max().unwrap_or_default()
}

fn within_the_limit() -> Rule {
    Rule::new(
        "rate-limit/within-the-limit",
        "requests up to the limit wait for nothing but their callers: together they take at most 1.1 times the time of \
         their latencies and half a second",
        WINDOW,
        &WINDOWS,
        property(
            |case| {
                (4..40_u32)
                    .prop_flat_map(move |limit| {
                        let requests = edges_first(case, &[limit, 1, limit - 1], 1..limit);
                        (Just(kind(case)), Just(limit), requests, any::<u64>())
                    })
                    .boxed()
            },
            |(kind, ..)| vec![WINDOWS[*kind]],
            |harness, (kind, limit, requests, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = RateLimiter::WithInitialLimit(60);
                })?;
                fixture.world.limit(limiter(*kind, *limit, 59_000));
                fixture.world.latency(latency(*seed));
                let requests = count(*requests);
                let outcomes = fixture.run(calls(&fixture, requests))?;
                let took = ended(&outcomes);
                all_updated(outcomes)?;
                none_is_refused(&fixture)?;
                let most = latency_bound(*seed, requests).mul_f64(1.1) + SECOND / 2;
                within("the time", took, Duration::ZERO, most)
            },
        ),
    )
}

fn beyond_the_limit() -> Rule {
    Rule::new(
        "rate-limit/beyond-the-limit",
        "requests beyond the limit wait for the windows that they need and at most 2 % longer, and none is refused",
        WINDOW,
        &WINDOWS,
        property(
            |case| {
                (4..12_u32, 1..=4_u32)
                    .prop_flat_map(move |(limit, windows)| {
                        let whole = limit * windows;
                        let requests = edges_first(case, &[whole + 1, whole], whole..whole + limit);
                        let seeds = (0..60_000_u64, any::<u64>());
                        (Just(kind(case)), Just(limit), requests, seeds)
                    })
                    .boxed()
            },
            |(kind, ..)| vec![WINDOWS[*kind]],
            |harness, (kind, limit, requests, (phase, seed))| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = RateLimiter::WithInitialLimit(60);
                })?;
                fixture.world.limit(limiter(*kind, *limit, *phase));
                fixture.world.latency(latency(*seed));
                let (windows, rest) = ((requests - 1) / limit, (requests - 1) % limit + 1);
                let outcomes = fixture.run(calls(&fixture, count(*requests)))?;
                let took = ended(&outcomes);
                all_updated(outcomes)?;
                none_is_refused(&fixture)?;
                // Which latencies the last ones have depends on the order of those before.
                let most = MINUTE * windows + latency_bound(*seed, count(rest)) + SECOND;
                within("the time", took, Duration::ZERO, most.mul_f64(1.02))
            },
        ),
    )
}

fn used_before() -> Rule {
    const EDGES: [&str; 3] = ["nothing is left", "one is left", "enough is left to begin"];
    Rule::new(
        "rate-limit/used-before",
        "a client that finds the window used up or nearly so is refused for the requests that it begins with, four at \
         the most, and for no other",
        WINDOW,
        &EDGES,
        property(
            |case| {
                let left = edges_first(case, &[0, 1, 4_u32], 0..12_u32);
                (12..30_u32, left, 0..30_000_u64, any::<u64>()).boxed()
            },
            |(_, left, ..)| match left {
                0 => vec![EDGES[0]],
                1 => vec![EDGES[1]],
                4.. => vec![EDGES[2]],
                _ => Vec::new(),
            },
            |harness, (limit, left, later, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = RateLimiter::WithInitialLimit(60);
                })?;
                fixture
                    .world
                    .limit(Limiter::window_from_first_request(*limit));
                let other = client(harness, |_| {})?;
                let used = (0..limit - left)
                    .map(|call| guarded(other.update(entry(count(call)), Options::default())));
                let time = fixture.world.time();
                fixture.run(async {
                    join_all(used).await;
                    time.pause(Duration::from_millis(*later)).await;
                })?;
                fixture.world.latency(latency(*seed));
                let outcomes = fixture.run(calls(&fixture, count(*limit)))?;
                all_updated(outcomes)?;
                let refused = fixture.refusals().len();
                let most = CALLERS.saturating_sub(count(*left));
                if refused > most {
                    return Err(format!(
                        "{refused} requests were refused, {most} at the most"
                    ));
                }
                Ok(())
            },
        ),
    )
}

fn wrong_headers() -> Rule {
    const EDGES: [&str; 4] = [
        "no headers",
        "the limit alone",
        "what is left never falls",
        "a limit twice as high",
    ];
    Rule::new(
        "rate-limit/wrong-headers",
        "where the rate headers are missing or wrong, no more requests are refused than were in flight at the first \
         refusal",
        "assumed: the headers are documented and observed, and a proxy may change them",
        &EDGES,
        property(
            |case| (Just(kind(case)), 0..4_usize, 8..24_u32, any::<u64>()).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, window, limit, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = RateLimiter::WithInitialLimit(limit / 2);
                    settings.max_attempts = 9;
                })?;
                fixture.world.limit(limiter(*window, *limit, 30_000));
                fixture.world.latency(latency(*seed));
                let (form, limit) = (*form, *limit);
                let requests = count(limit * 2 + 3);
                fixture.world.server().core().configure(|settings| {
                    if form == 0 {
                        settings.rate.limit = None;
                    }
                    if form < 2 {
                        settings.rate.remaining = None;
                    }
                });
                if form >= 2 {
                    let high = if form == 2 { limit } else { limit * 2 };
                    fixture.world.script((0..requests * 2).map(|_| {
                        Step::model_then(move |response: ModelResponse| {
                            let left = response.reply.headers.get("x-ratelimit-remaining");
                            let left = left.and_then(|left| left.to_str().ok()?.parse().ok());
                            let left = if form == 2 {
                                limit - 1
                            } else {
                                limit + left.unwrap_or(0)
                            };
                            response
                                .reply
                                .header("x-ratelimit-limit", &high.to_string())
                                .header("x-ratelimit-remaining", &left.to_string())
                        })
                    }));
                }
                let outcomes = fixture.run(calls(&fixture, requests))?;
                all_updated(outcomes)?;
                let refused = fixture.refusals().len();
                if refused > CALLERS {
                    return Err(format!(
                        "{refused} requests were refused, of {CALLERS} in flight"
                    ));
                }
                Ok(())
            },
        ),
    )
}
