//! Requests under a rate limit, for each window algorithm.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use webflow_cms_reference::Limiter;

use crate::client::{Options, Outcome, RateLimiter};
use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::timed::{SECOND, client, entry, fixture, guarded, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![every_window_algorithm(), shares(), limit_decrease()]
}

pub(crate) const RATES: &str =
    "reference page of the rate limits; the window algorithm is not documented";

/// The limiter of each window algorithm, by number.
pub(crate) fn limiter(kind: usize, limit: u32, phase: u64) -> Limiter {
    match kind {
        0 => Limiter::fixed_window(limit, Duration::from_millis(phase)),
        1 => Limiter::sliding_window(limit),
        _ => Limiter::token_bucket(limit),
    }
}

const WINDOWS: [&str; 3] = ["fixed window", "sliding window", "token bucket"];

/// A latency of 50 to 500 ms in two parts, by seed and number.
pub(super) fn latency(seed: u64) -> impl Fn(usize) -> (Duration, Duration) + Send + Sync + 'static {
    move |number| {
        let mut rng = fastrand::Rng::with_seed(seed ^ u64::try_from(number).unwrap_or(0));
        let whole = rng.u64(50..=500);
        let there = rng.u64(0..=whole);
        (
            Duration::from_millis(there),
            Duration::from_millis(whole - there),
        )
    }
}

pub(crate) fn all_updated(outcomes: Vec<(Outcome, Duration)>) -> Result<(), String> {
    outcomes
        .into_iter()
        .try_for_each(|(outcome, _)| outcome.updated().map(|_| ()))
}

fn every_window_algorithm() -> Rule {
    Rule::new(
        "rate-limit/every-window-algorithm",
        "at the rate of the limit, also after an idle time, no request is refused by a fixed window of any phase, a \
         sliding window or a token bucket; and however low the initial rate was before the first response named the \
         limit, the requests take at most 2 % longer than the minimum",
        RATES,
        &WINDOWS,
        property(
            |case| {
                (
                    Just(usize::try_from(case % 3).unwrap_or(0)),
                    edges_first(case, &[1_u32, 2, 6, 12], 1..16_u32),
                    0..60_000_u64,
                    any::<u64>(),
                    (any::<bool>(), any::<bool>()),
                    prop_oneof![Just(0), 1..200_000_u64],
                )
                    .boxed()
            },
            |(kind, ..)| vec![WINDOWS[*kind]],
            |harness, (kind, limit, phase, seed, (together, known), idle)| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter =
                        RateLimiter::WithInitialLimit(if *known { *limit } else { 1 });
                })?;
                fixture.world.limit(limiter(*kind, *limit, *phase));
                fixture.world.latency(latency(*seed));
                let requests = usize::try_from(limit * 2 + 3).unwrap_or(0);
                let half = usize::try_from(*limit).unwrap_or(0);
                let (time, idle) = (fixture.world.time(), Duration::from_millis(*idle));
                let ended = fixture.run(async {
                    let mut outcomes = Vec::new();
                    for part in [0..half, half..requests] {
                        if part.start > 0 {
                            time.pause(idle).await;
                        }
                        let calls = part.map(|call| fixture.update(call));
                        if *together {
                            outcomes.extend(join_all(calls).await);
                            continue;
                        }
                        for call in calls {
                            outcomes.push(call.await);
                        }
                    }
                    outcomes
                })?;
                all_updated(ended)?;
                let arrivals = fixture.sent(requests)?;
                let gaps = u32::try_from(requests - 1).unwrap_or(0);
                let least = 60 * SECOND * gaps / *limit;
                let took = arrivals.iter().max().copied().unwrap_or_default();
                within(
                    "the time",
                    took,
                    Duration::ZERO,
                    least.mul_f64(1.02) + SECOND + idle,
                )
            },
        ),
    )
}

fn shares() -> Rule {
    const EDGES: [&str; 2] = ["2 processes", "3 processes"];
    Rule::new(
        "rate-limit/shares",
        "clients that each have a share of one token's limit are never refused",
        RATES,
        &EDGES,
        property(
            |case| {
                (
                    Just(2 + usize::try_from(case % 2).unwrap_or(0)),
                    6..14_u32,
                    0..3_usize,
                    0..60_000_u64,
                    any::<u64>(),
                )
                    .boxed()
            },
            |(clients, ..)| vec![EDGES[clients - 2]],
            |harness, (clients, limit, kind, phase, seed)| {
                let fixture = fixture(harness, |_| {})?;
                fixture.world.limit(limiter(*kind, *limit, *phase));
                fixture.world.latency(latency(*seed));
                #[expect(clippy::cast_precision_loss, reason = "2 or 3")]
                let share = 1.0 / *clients as f64;
                let clients = (0..*clients)
                    .map(|_| {
                        client(harness, |settings| {
                            settings.rate_limiter = RateLimiter::Share(share);
                        })
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                let each = usize::try_from(*limit).unwrap_or(0);
                // The first response names the limit. Before it, no client knows that 60 is too much.
                let outcomes = fixture.run(join_all(clients.iter().map(|client| async {
                    let mut outcomes =
                        vec![guarded(client.update(entry(0), Options::default())).await];
                    let rest = (1..each)
                        .map(|call| guarded(client.update(entry(call), Options::default())));
                    outcomes.extend(join_all(rest).await);
                    outcomes
                })))?;
                for outcome in outcomes.into_iter().flatten() {
                    outcome.updated()?;
                }
                match fixture.refusals().as_slice() {
                    [] => Ok(()),
                    refused => Err(format!("requests were refused at {refused:?}")),
                }
            },
        ),
    )
}

fn limit_decrease() -> Rule {
    Rule::new(
        "rate-limit/limit-decrease",
        "when the limit decreases, only requests that were in flight at the first 429 are refused",
        RATES,
        &WINDOWS,
        property(
            |case| {
                (
                    Just(usize::try_from(case % 3).unwrap_or(0)),
                    6..16_u32,
                    0..60_000_u64,
                    any::<u64>(),
                )
                    .boxed()
            },
            |(kind, ..)| vec![WINDOWS[*kind]],
            |harness, (kind, limit, phase, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = RateLimiter::WithInitialLimit(*limit);
                })?;
                fixture.world.limit(limiter(*kind, *limit, *phase));
                fixture.world.latency(latency(*seed));
                let requests = usize::try_from(limit * 2).unwrap_or(0);
                let time = fixture.world.time();
                let server = fixture.world.server();
                let fall = async {
                    time.pause(60 * SECOND).await;
                    server.core().set_limit(limit / 2);
                };
                let calls = join_all((0..requests).map(|call| fixture.update(call)));
                let (ended, ()) = fixture.run(async { futures_util::join!(calls, fall) })?;
                all_updated(ended)?;
                let refused = fixture.refusals();
                let Some(first) = refused.iter().min() else {
                    return Ok(());
                };
                // A request that arrives within a second of it was in flight when the client got the response.
                match refused.iter().find(|at| **at > *first + SECOND) {
                    None => Ok(()),
                    Some(late) => Err(format!("refused at {first:?}, and also at {late:?}")),
                }
            },
        ),
    )
}
