//! How fast runs go, and how far ahead they read.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::case::{Case, Leg, Position};
use super::play::{PAUSE, play, play_under};
use super::{ACCOUNT, invariants, make};
use crate::client::RateLimiter;
use crate::rule::{Rule, property};
use crate::rules::timed::{SECOND, busiest_minute, within};
use webflow_cms_reference::Limiter;

pub(super) fn rules() -> Vec<Rule> {
    vec![bounded_read_ahead(), rate_limiter()]
}

fn rate_limiter() -> Rule {
    const EDGES: [&str; 4] = ["fixed window", "sliding window", "token bucket", "two runs"];
    Rule::new(
        "bulk/rate-limit",
        "the runs of a client send no more requests a minute than the limit, are refused by no window algorithm, and \
         take at most 2 % longer than the minimum",
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
                if busiest > usize::try_from(*limit).unwrap_or(0) {
                    return Err(format!(
                        "{busiest} requests come within a minute of {limit}"
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

fn bounded_read_ahead() -> Rule {
    const EDGES: [&str; 5] = [
        "1 request",
        "several",
        "by bytes",
        "by entries",
        "keys that come again",
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
                    0 => make::input(size).boxed(),
                    _ => make::distinct(size, 0).boxed(),
                };
                let concurrency = match case % 2 {
                    0 => Just(1).boxed(),
                    _ => (2..5_usize).boxed(),
                };
                let troubles = vec(make::disturbance(), 0..6);
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
                super::among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                let batches = case.concurrency + 4;
                // The one that was read last may be beyond.
                let longest = (0..case.input.len()).map(|index| case.bytes(index)).max();
                for leg in &played.legs {
                    let (entries, bytes) = leg.most_ahead;
                    if entries > batches * 100 {
                        return Err(format!("{entries} entries are read and not settled"));
                    }
                    let most = case
                        .max_batch_bytes
                        .map(|most| most * batches + longest.unwrap_or(0));
                    if most.is_some_and(|most| bytes > most) {
                        return Err(format!("{bytes} bytes are read and not settled"));
                    }
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
