//! Waits that the service asks for, shared by all calls with the token.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;
use webflow_cms_reference::Reply;

use super::windows::{RATES, all_updated, limiter};
use crate::client::RateLimiter;
use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::status;
use crate::rules::fixture::timed::{NEARLY_UNLIMITED, SECOND, busiest_minute, fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        pause_is_shared(),
        no_burst_after_a_pause(),
        retry_after_on_success(),
    ]
}

fn pause_is_shared() -> Rule {
    const EDGES: [&str; 5] = [
        "429",
        "503",
        "others are queued",
        "the first call does not retry",
        "a shorter wait comes later",
    ];
    Rule::new(
        "rate-limit/pause-is-shared",
        "when the service asks one call to wait, no other call with the token is sent before the wait is over, not \
         even one that was already queued",
        RATES,
        &EDGES,
        property(
            |case| {
                (
                    Just(usize::try_from(case % 5).unwrap_or(0)),
                    any::<bool>(),
                    2..110_u64,
                    proptest::collection::vec(1..120_000_u64, 1..8),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, too_many, wait, starts)| {
                let fixture = fixture(harness, |settings| {
                    // One request per second.
                    settings.rate_limiter = if *form == 2 {
                        RateLimiter::Fixed(60)
                    } else {
                        NEARLY_UNLIMITED
                    };
                    settings.max_attempts = if *form == 3 { 1 } else { 5 };
                })?;
                let status = match form {
                    0 => 429,
                    1 => 503,
                    _ => [503, 429][usize::from(*too_many)],
                };
                // Number of calls in flight before the first response.
                let asked = if *form == 4 { 2_usize } else { 1 };
                for wait in [*wait, *wait / 2].iter().take(asked) {
                    let reply = Reply::new(status).header("retry-after", &wait.to_string());
                    fixture.world.script([reply]);
                }
                let time = fixture.world.time();
                let later = async |start: &u64| {
                    if *form != 2 {
                        time.pause(Duration::from_millis(*start)).await;
                    }
                    fixture.update(1).await
                };
                let first = join_all((0..asked).map(|_| fixture.update(0)));
                let rest = join_all(starts.iter().map(later));
                let (first, rest) = fixture.run(async { futures_util::join!(first, rest) })?;
                all_updated(rest)?;
                let again = if *form == 3 {
                    status::is_status(first[0].0.failure()?, status)?;
                    0
                } else {
                    all_updated(first)?;
                    asked
                };
                let arrivals = fixture.sent(starts.len() + asked + again)?;
                let wait = Duration::from_secs(*wait);
                match arrivals[asked..].iter().find(|at| **at < wait) {
                    None => Ok(()),
                    Some(early) => Err(format!("a request was sent at {early:?}, before {wait:?}")),
                }
            },
        ),
    )
}

fn no_burst_after_a_pause() -> Rule {
    const EDGES: [&str; 4] = ["1 caller", "2 callers", "as many as the limit", "one more"];
    Rule::new(
        "rate-limit/no-burst-after-a-pause",
        "calls that all get a 429 retry no earlier than asked and no faster than the limit, and all succeed",
        RATES,
        &EDGES,
        property(
            |case| {
                let limit = 4..12_u32;
                (limit, 0..3_usize, any::<u64>())
                    .prop_flat_map(move |(limit, kind, seed)| {
                        let size = usize::try_from(limit).unwrap_or(0);
                        let callers = edges_first(case, &[1, 2, size, size + 1], 1..20_usize);
                        (Just(limit), Just(kind), callers, Just(seed))
                    })
                    .boxed()
            },
            |(limit, _, callers, _)| {
                let limit = usize::try_from(*limit).unwrap_or(0);
                let touched = [
                    *callers == 1,
                    *callers == 2,
                    *callers == limit,
                    *callers == limit + 1,
                ];
                let edges = EDGES.into_iter().zip(touched);
                edges
                    .filter(|(_, touched)| *touched)
                    .map(|(edge, _)| edge)
                    .collect()
            },
            |harness, (limit, kind, callers, seed)| {
                let fixture =
                    fixture(harness, |settings| settings.rate_limiter = NEARLY_UNLIMITED)?;
                fixture.world.limit(limiter(*kind, *limit, *seed % 60_000));
                // The others are sent before the first response arrives.
                fixture.world.latency(|_| (Duration::ZERO, SECOND / 10));
                fixture.world.script((0..*callers).map(|_| {
                    Reply::new(429)
                        .header("retry-after", "60")
                        .header("x-ratelimit-limit", &limit.to_string())
                }));
                // Requests that the limiter refuses take no step of the script.
                let size = usize::try_from(*limit).unwrap_or(0);
                let calls = (0..*callers).map(|call| fixture.update(call));
                let ended = fixture.run(join_all(calls))?;
                all_updated(ended)?;
                let arrivals = fixture.arrivals();
                let again: Vec<_> = arrivals
                    .iter()
                    .copied()
                    .filter(|at| *at > Duration::ZERO)
                    .collect();
                if arrivals.len() - again.len() != *callers {
                    return Err(format!(
                        "the first volley was {} requests",
                        arrivals.len() - again.len()
                    ));
                }
                let busiest = busiest_minute(&again);
                if busiest > size {
                    return Err(format!(
                        "{busiest} requests came within a minute, and the limit is {limit}"
                    ));
                }
                Ok(())
            },
        ),
    )
}

fn retry_after_on_success() -> Rule {
    const EDGES: [&str; 2] = ["no rate limiter", "a rate limiter"];
    Rule::new(
        "rate-limit/retry-after-on-success",
        "a success with `Retry-After`, as Webflow sends it, delays nothing",
        "observed on the live service: a healthy 200 carries Retry-After: 60",
        &EDGES,
        property(
            |case| (Just(case % 2 == 1), 2..12_usize).boxed(),
            |(limited, _)| vec![EDGES[usize::from(*limited)]],
            |harness, (limited, calls)| {
                let limiter = if *limited {
                    RateLimiter::Fixed(600)
                } else {
                    RateLimiter::Unlimited
                };
                let fixture = fixture(harness, |settings| settings.rate_limiter = limiter)?;
                fixture.run(async {
                    for call in 0..*calls {
                        fixture.update(call).await.0.updated()?;
                    }
                    Ok::<_, String>(())
                })??;
                let arrivals = fixture.sent(*calls)?;
                let log = fixture.world.log();
                let carried = log.iter().all(|exchange| {
                    exchange
                        .reply
                        .as_ref()
                        .is_some_and(|reply| reply.headers.contains_key("retry-after"))
                });
                if !carried {
                    return Err("a response came without Retry-After".to_owned());
                }
                let gaps = u32::try_from(calls - 1).unwrap_or(0);
                let most = if *limited {
                    SECOND * gaps / 10
                } else {
                    Duration::ZERO
                };
                within(
                    "the time",
                    arrivals[calls - 1],
                    Duration::ZERO,
                    most.mul_f64(1.02),
                )
            },
        ),
    )
}
