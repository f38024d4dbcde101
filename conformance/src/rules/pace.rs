//! *Retries and pace*, continued: how requests are spread over the minute.

use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::*;

use super::stage::{SECOND, UNPACED, busiest_minute, client, entry, guarded, stage, within};
use crate::client::{Options, Outcome, Pace};
use crate::rule::{Rule, edges_first, property};
use webflow_cms_reference::{Limiter, Reply};

const RATES: &str =
    "reference page of the rate limits; which kind of minute counts is not documented";

pub(super) fn rules() -> Vec<Rule> {
    vec![
        under_every_window(),
        shares_fit(),
        one_pause_for_all(),
        no_burst_after_a_pause(),
        a_fallen_limit(),
        healthy_answers(),
    ]
}

/// The three kinds of minute, by number.
fn limiter(kind: usize, limit: u32, phase: u64) -> Limiter {
    match kind {
        0 => Limiter::fixed_window(limit, Duration::from_millis(phase)),
        1 => Limiter::sliding_window(limit),
        _ => Limiter::token_bucket(limit),
    }
}

const WINDOWS: [&str; 3] = ["fixed window", "sliding window", "token bucket"];

/// A time under way of 50 to 500 ms, in two parts, that the seed and the number decide.
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

pub(super) fn all_updated(outcomes: Vec<(Outcome, Duration)>) -> Result<(), String> {
    outcomes
        .into_iter()
        .try_for_each(|(outcome, _)| outcome.updated().map(|_| ()))
}

fn under_every_window() -> Rule {
    Rule::new(
        "retries-and-pace/under-every-window",
        "at the pace of the limit, also after a time without requests, none is refused by a fixed window of any \
         phase, a sliding window or a token bucket; and however low the pace was before the first answer told the \
         limit, it takes at most 2 % longer than it must",
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
            |bench, (kind, limit, phase, seed, (together, known), idle)| {
                let stage = stage(bench, |settings| {
                    settings.pace = Pace::Learned(if *known { *limit } else { 1 });
                })?;
                stage.world.limit(limiter(*kind, *limit, *phase));
                stage.world.latency(latency(*seed));
                let requests = usize::try_from(limit * 2 + 3).unwrap_or(0);
                let half = usize::try_from(*limit).unwrap_or(0);
                let (time, idle) = (stage.world.time(), Duration::from_millis(*idle));
                let ended = stage.run(async {
                    let mut outcomes = Vec::new();
                    for part in [0..half, half..requests] {
                        if part.start > 0 {
                            time.pause(idle).await;
                        }
                        let calls = part.map(|call| stage.update(call));
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
                let arrivals = stage.sent(requests)?;
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

fn shares_fit() -> Rule {
    const EDGES: [&str; 2] = ["2 processes", "3 processes"];
    Rule::new(
        "retries-and-pace/shares-fit",
        "clients that have each their share of one token's limit are never refused",
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
            |bench, (clients, limit, kind, phase, seed)| {
                let stage = stage(bench, |_| {})?;
                stage.world.limit(limiter(*kind, *limit, *phase));
                stage.world.latency(latency(*seed));
                #[expect(clippy::cast_precision_loss, reason = "2 or 3")]
                let share = 1.0 / *clients as f64;
                let clients = (0..*clients)
                    .map(|_| client(bench, |settings| settings.pace = Pace::Share(share)))
                    .collect::<Result<Vec<_>, _>>()?;
                let each = usize::try_from(*limit).unwrap_or(0);
                // The first answer tells the limit; before it, nobody knows that 60 is too much.
                let outcomes = stage.run(join_all(clients.iter().map(|client| async {
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
                match stage.refusals().as_slice() {
                    [] => Ok(()),
                    refused => Err(format!("requests were refused at {refused:?}")),
                }
            },
        ),
    )
}

fn one_pause_for_all() -> Rule {
    const EDGES: [&str; 5] = [
        "429",
        "503",
        "they wait already",
        "the one does not try again",
        "a shorter wait comes later",
    ];
    Rule::new(
        "retries-and-pace/one-pause-for-all",
        "when the service asks one call for a wait, no other call of the token is sent before it is over, not even \
         one that was waiting for its turn before",
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
            |bench, (form, too_many, wait, starts)| {
                let stage = stage(bench, |settings| {
                    // One each second.
                    settings.pace = if *form == 2 { Pace::Fixed(60) } else { UNPACED };
                    settings.max_tries = if *form == 3 { 1 } else { 5 };
                })?;
                let status = match form {
                    0 => 429,
                    1 => 503,
                    _ => [503, 429][usize::from(*too_many)],
                };
                // Those that are sent before any of them is answered.
                let asked = if *form == 4 { 2_usize } else { 1 };
                for wait in [*wait, *wait / 2].iter().take(asked) {
                    let reply = Reply::new(status).header("retry-after", &wait.to_string());
                    stage.world.script([reply]);
                }
                let time = stage.world.time();
                let later = async |start: &u64| {
                    if *form != 2 {
                        time.pause(Duration::from_millis(*start)).await;
                    }
                    stage.update(1).await
                };
                let first = join_all((0..asked).map(|_| stage.update(0)));
                let rest = join_all(starts.iter().map(later));
                let (first, rest) = stage.run(async { futures_util::join!(first, rest) })?;
                all_updated(rest)?;
                let again = if *form == 3 {
                    super::error_mapping::is_status(first[0].0.failure()?, status)?;
                    0
                } else {
                    all_updated(first)?;
                    asked
                };
                let arrivals = stage.sent(starts.len() + asked + again)?;
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
        "retries-and-pace/no-burst-after-a-pause",
        "callers that are all told 429 come back no earlier than asked and no faster than the limit, and all succeed",
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
            |bench, (limit, kind, callers, seed)| {
                let stage = stage(bench, |settings| settings.pace = UNPACED)?;
                stage.world.limit(limiter(*kind, *limit, *seed % 60_000));
                // So that nobody hears of the first one's success before the others would leave.
                stage.world.latency(|_| (Duration::ZERO, SECOND / 10));
                stage.world.script((0..*callers).map(|_| {
                    Reply::new(429)
                        .header("retry-after", "60")
                        .header("x-ratelimit-limit", &limit.to_string())
                }));
                // Those that the limiter refuses leave the script as it is.
                let size = usize::try_from(*limit).unwrap_or(0);
                let calls = (0..*callers).map(|call| stage.update(call));
                let ended = stage.run(join_all(calls))?;
                all_updated(ended)?;
                let arrivals = stage.arrivals();
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

fn a_fallen_limit() -> Rule {
    Rule::new(
        "retries-and-pace/a-fallen-limit",
        "when the limit falls, no request is refused but those that were under way when the first refusal came",
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
            |bench, (kind, limit, phase, seed)| {
                let stage = stage(bench, |settings| settings.pace = Pace::Learned(*limit))?;
                stage.world.limit(limiter(*kind, *limit, *phase));
                stage.world.latency(latency(*seed));
                let requests = usize::try_from(limit * 2).unwrap_or(0);
                let time = stage.world.time();
                let server = stage.world.server();
                let fall = async {
                    time.pause(60 * SECOND).await;
                    server.core().set_limit(limit / 2);
                };
                let calls = join_all((0..requests).map(|call| stage.update(call)));
                let (ended, ()) = stage.run(async { futures_util::join!(calls, fall) })?;
                all_updated(ended)?;
                let refused = stage.refusals();
                let Some(first) = refused.iter().min() else {
                    return Ok(());
                };
                // What arrives within a second of it was on its way when the client heard.
                match refused.iter().find(|at| **at > *first + SECOND) {
                    None => Ok(()),
                    Some(late) => Err(format!("refused at {first:?}, and at {late:?} again")),
                }
            },
        ),
    )
}

fn healthy_answers() -> Rule {
    const EDGES: [&str; 2] = ["no pace", "a pace"];
    Rule::new(
        "retries-and-pace/healthy-answers-do-not-slow",
        "a success with `Retry-After`, as Webflow sends it, slows nothing",
        "observed on the live service: a healthy 200 carries Retry-After: 60",
        &EDGES,
        property(
            |case| (Just(case % 2 == 1), 2..12_usize).boxed(),
            |(paced, _)| vec![EDGES[usize::from(*paced)]],
            |bench, (paced, calls)| {
                let pace = if *paced { Pace::Fixed(600) } else { Pace::Off };
                let stage = stage(bench, |settings| settings.pace = pace)?;
                stage.run(async {
                    for call in 0..*calls {
                        stage.update(call).await.0.updated()?;
                    }
                    Ok::<_, String>(())
                })??;
                let arrivals = stage.sent(*calls)?;
                let log = stage.world.log();
                let carried = log.iter().all(|exchange| {
                    exchange
                        .reply
                        .as_ref()
                        .is_some_and(|reply| reply.headers.contains_key("retry-after"))
                });
                if !carried {
                    return Err("an answer came without Retry-After".to_owned());
                }
                let gaps = u32::try_from(calls - 1).unwrap_or(0);
                let most = if *paced {
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
