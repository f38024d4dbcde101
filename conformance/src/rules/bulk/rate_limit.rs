//! The requests of bulk runs under a rate limit.

use std::time::Duration;

use proptest::prelude::*;
use webflow_cms_reference::Limiter;

use crate::client::RateLimiter;
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::{Case, Leg, Position};
use crate::rules::bulk::fixture::invariants;
use crate::rules::bulk::fixture::play::{PAUSE, play_under};
use crate::rules::fixture::timed::{SECOND, busiest_minute, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![rate_limit()]
}

fn rate_limit() -> Rule {
    const EDGES: [&str; 4] = ["fixed window", "sliding window", "token bucket", "two runs"];
    Rule::new(
        "bulk/rate-limit",
        "the runs of a client are refused by no window algorithm, send at most the limit in a sliding minute and twice \
         the limit across two fixed ones, and take at most 2 % longer than evenly spread requests",
        "reference page of the rate limits; the window algorithm is not documented",
        &EDGES,
        property(
            |case| {
                let kind = usize::try_from(case % 3).unwrap_or(0);
                let runs = 1 + usize::try_from(case % 2).unwrap_or(0);
                (
                    Just(kind),
                    4..14_u32,
                    0..60_000_u64,
                    2..4_u32,
                    1..6_usize,
                    any::<u64>(),
                )
                    .prop_map(move |(kind, limit, phase, minutes, concurrency, latency)| {
                        let requests = usize::try_from(limit * minutes + 1).unwrap_or(0) / runs;
                        let slot = |number| Position::Update {
                            key: (number, 0),
                            pad: 0,
                        };
                        let case = Case {
                            concurrency,
                            latency,
                            // Two entries fill a request.
                            max_batch_bytes: Some(150),
                            rate_limiter: RateLimiter::WithInitialLimit(limit),
                            legs: vec![Leg::default(); runs],
                            ..Case::calm((0..requests * 2).map(slot).collect())
                        };
                        (kind, limit, phase, case)
                    })
                    .boxed()
            },
            |(kind, _, _, case)| {
                let runs = (case.legs.len() > 1).then_some(EDGES[3]);
                [EDGES[*kind]].into_iter().chain(runs).collect()
            },
            |harness, (kind, limit, phase, case)| {
                let limiter = match kind {
                    0 => Limiter::fixed_window(*limit, Duration::from_millis(*phase)),
                    1 => Limiter::sliding_window(*limit),
                    _ => Limiter::token_bucket(*limit),
                };
                let played = play_under(harness, case, Some(limiter))?;
                if let Some(refused) = played.sent.iter().find(|sent| sent.status == Some(429)) {
                    return Err(format!("a request is refused at {:?}", refused.at));
                }
                let arrivals: Vec<_> = played.sent.iter().map(|sent| sent.at).collect();
                let busiest = busiest_minute(&arrivals);
                // The end of one fixed window and the start of the next, or a full bucket and its refill.
                let most = match kind {
                    1 => *limit,
                    _ => 2 * limit,
                };
                if busiest > usize::try_from(most).unwrap_or(0) {
                    return Err(format!(
                        "{busiest} requests arrive within a minute, with a limit of {limit}"
                    ));
                }
                if arrivals.len() != case.input.len() / 2 * case.legs.len() {
                    return Err(format!("{} requests are sent", arrivals.len()));
                }
                let gaps = u32::try_from(arrivals.len() - 1).unwrap_or(0);
                let least = 60 * SECOND * gaps / *limit;
                let took = arrivals.iter().max().copied().unwrap_or_default();
                within(
                    "the time",
                    took,
                    Duration::ZERO,
                    // There is a pause between two runs.
                    least.mul_f64(1.02) + SECOND + PAUSE,
                )?;
                invariants::agree(case, &played)
            },
        ),
    )
}
