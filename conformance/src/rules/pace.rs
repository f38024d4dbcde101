//! *Retries and pace*, continued: how requests are spread over the minute, and how calls end.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use proptest::prelude::*;

use super::stage::{SECOND, Stage, UNPACED, busiest_minute, client, entry, guarded, stage, within};
use crate::client::{FailureKind, Outcome, Pace};
use crate::reference::{Fault, Limiter, Reply};
use crate::rule::{Rule, edges_first, property};

const RATES: &str =
    "reference page of the rate limits; which kind of minute counts is not documented";
const NETWORK: &str = "this suite: networks break";

pub(super) fn rules() -> Vec<Rule> {
    vec![
        under_every_window(),
        shares_fit(),
        one_pause_for_all(),
        no_burst_after_a_pause(),
        a_fallen_limit(),
        healthy_answers(),
        budget(),
        deadline(),
        time_limit_of_a_try(),
        cancellation(),
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
fn latency(seed: u64) -> impl Fn(usize) -> (Duration, Duration) + Send + Sync + 'static {
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

fn all_updated(outcomes: Vec<(Outcome, Duration)>) -> Result<(), String> {
    outcomes
        .into_iter()
        .try_for_each(|(outcome, _)| outcome.updated().map(|_| ()))
}

fn under_every_window() -> Rule {
    Rule::new(
        "retries-and-pace/under-every-window",
        "at the pace of the limit, also after a time without requests, none is refused by a fixed window of any phase, a \
         sliding window or a token bucket; and however low the pace was before the first answer told the limit, it takes at \
         most 2 % longer than it must",
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
                    let mut outcomes = vec![guarded(client.update(entry(0))).await];
                    let rest = (1..each).map(|call| guarded(client.update(entry(call))));
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
        "when the service asks one call for a wait, no other call of the token is sent before it is over, not even one that \
         was waiting for its turn before",
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

fn budget() -> Rule {
    const EDGES: [&str; 4] = [
        "budget 0",
        "budget 1",
        "429 draws nothing",
        "more than enough",
    ];
    Rule::new(
        "retries-and-pace/budget",
        "calls of one client send no more requests again than their budget holds, and a 429 does not draw on it",
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
            |bench, (too_many, budget, calls)| {
                let stage = stage(bench, |settings| {
                    settings.budget = Some(*budget);
                    settings.max_tries = 4;
                })?;
                let status = if *too_many { 429 } else { 500 };
                stage
                    .world
                    .script((0..calls * 4).map(|_| Reply::new(status)));
                let ended = stage.run(join_all((0..*calls).map(|call| stage.update(call))))?;
                for (outcome, _) in ended {
                    super::error_mapping::is_status(outcome.failure()?, status)?;
                }
                let bound = usize::try_from(*budget).unwrap_or(0);
                let again = if *too_many {
                    calls * 3
                } else {
                    (calls * 3).min(bound)
                };
                stage.sent(calls + again)?;
                let left = stage.client.budget();
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

fn deadline() -> Rule {
    const EDGES: [&str; 5] = [
        "in a wait",
        "in a pause",
        "in the queue",
        "under way",
        "at once",
    ];
    Rule::new(
        "retries-and-pace/deadline",
        "a call ends by its deadline, whatever it is at, and sends nothing after it",
        "this suite: a caller must know when it gets its answer",
        &EDGES,
        property(
            |case| {
                (
                    Just(usize::try_from(case % 5).unwrap_or(0)),
                    1_000..50_000_u64,
                    0.0..1.0,
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[*form]],
            |bench, (form, deadline, random)| {
                let deadline = Duration::from_millis(*deadline);
                let stage = stage(bench, |settings| {
                    settings.deadline = Some(deadline);
                    settings.max_tries = 1_000;
                    settings.random = crate::client::Random::Always(*random);
                    settings.pace = match form {
                        1 => UNPACED,
                        2 => Pace::Fixed(1),
                        _ => Pace::Off,
                    };
                })?;
                match form {
                    0 => stage.world.script((0..1_000).map(|_| Reply::new(500))),
                    1 => stage
                        .world
                        .script([Reply::new(429).header("retry-after", "100")]),
                    3 => stage.world.server().otherwise(Fault::SilenceAfterActing),
                    4 => stage
                        .world
                        .script([Reply::new(429).header("retry-after", "60")]),
                    _ => {}
                }
                let ended = stage.run(async {
                    let first = stage.update(0);
                    if matches!(form, 1 | 2) {
                        first.await;
                        return stage.update(1).await;
                    }
                    first.await
                })?;
                let (outcome, at) = ended;
                let failure = outcome.failure()?;
                within("the end", at, Duration::ZERO, deadline)?;
                if let Some(late) = stage.arrivals().iter().find(|at| **at >= deadline) {
                    return Err(format!("a request was sent at {late:?}"));
                }
                let (kind, end) = match form {
                    0 => (FailureKind::Server, None),
                    1 => (FailureKind::NotSent, Some(Duration::ZERO)),
                    2 => (FailureKind::NotSent, Some(deadline)),
                    3 => (FailureKind::Timeout, Some(deadline)),
                    _ => (FailureKind::TooManyRequests, Some(Duration::ZERO)),
                };
                if failure.kind != kind || end.is_some_and(|end| end != at) {
                    return Err(format!(
                        "it ends as {:?} at {at:?}, and not as {kind:?} at {end:?}",
                        failure.kind
                    ));
                }
                if failure.may_have_acted == matches!(form, 0 | 3) {
                    Ok(())
                } else {
                    Err(format!(
                        "it is told that the service may have acted: {}",
                        failure.may_have_acted
                    ))
                }
            },
        ),
    )
}

fn time_limit_of_a_try() -> Rule {
    const EDGES: [&str; 4] = [
        "no answer",
        "head without body",
        "dripping body",
        "endless body",
    ];
    Rule::new(
        "retries-and-pace/time-limit-of-a-try",
        "a try ends when its time limit passes, in whatever phase, body included; a body without end ends at its bound",
        NETWORK,
        &EDGES,
        property(
            |case| {
                (
                    Just(usize::try_from(case % 4).unwrap_or(0)),
                    1_000..90_000_u64,
                )
                    .boxed()
            },
            |(form, _)| vec![EDGES[*form]],
            |bench, (form, timeout)| {
                let timeout = Duration::from_millis(*timeout);
                let stage = stage(bench, |settings| {
                    settings.timeout = timeout;
                    settings.max_tries = 1;
                })?;
                // The head comes late, which leaves less time for the body.
                let late = timeout / 3;
                stage.world.latency(move |_| (Duration::ZERO, late));
                stage.world.faults([match form {
                    0 => Fault::SilenceAfterActing,
                    1 => Fault::HeadOnly,
                    2 => Fault::Drip { pause: SECOND },
                    _ => Fault::Oversized {
                        length: 10_000_000_000,
                    },
                }]);
                let (outcome, at) = stage.call()?;
                let failure = outcome.failure()?;
                let (kind, end) = match form {
                    3 => (FailureKind::UnreadableAnswer, late),
                    _ => (FailureKind::Timeout, timeout),
                };
                if (failure.kind, failure.may_have_acted) != (kind, true) {
                    return Err(format!("it is told as {:?}", failure.kind));
                }
                within("the end", at, end, end)
            },
        ),
    )
}

fn cancellation() -> Rule {
    const EDGES: [&str; 6] = [
        "connecting",
        "in the queue",
        "before the head",
        "in the body",
        "in a wait",
        "in the queue before another",
    ];
    Rule::new(
        "retries-and-pace/cancellation",
        "a call that is dropped sends nothing more, and holds up no other call",
        "this suite: dropping a future is how Rust cancels",
        &EDGES,
        property(
            |case| (Just(usize::try_from(case % 6).unwrap_or(0)), 1..20_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |bench, (form, after)| {
                let after = Duration::from_millis(*after);
                let stage = stage(bench, |settings| {
                    settings.pace = if matches!(form, 1 | 5) {
                        Pace::Fixed(1)
                    } else {
                        Pace::Off
                    };
                    settings.backoff = (60 * SECOND, 60 * SECOND);
                    settings.budget = Some(3);
                })?;
                match form {
                    2 => stage.world.faults([Fault::SilenceAfterActing]),
                    3 => stage.world.faults([Fault::HeadOnly]),
                    4 => stage.world.script([Reply::new(500)]),
                    _ => {}
                }
                if matches!(form, 1 | 5) {
                    stage.call()?.0.updated()?;
                }
                if *form == 5 {
                    let behind =
                        async { futures_util::join!(drop_after(&stage, after), stage.update(1)) };
                    let (dropped, (outcome, at)) = stage.run(behind)?;
                    dropped?;
                    outcome.updated()?;
                    stage.sent(2)?;
                    return within("the next one's end", at, 60 * SECOND, 61 * SECOND);
                }
                let before = usize::from(*form != 0);
                dropped(&stage, *form, after)?;
                if stage.client.waiting() > 0 || stage.client.budget().is_some_and(|left| left != 3)
                {
                    return Err(format!(
                        "it left {} waiting and a budget of {:?}",
                        stage.client.waiting(),
                        stage.client.budget()
                    ));
                }
                stage.sent(before)?;
                let started = stage.world.time().elapsed();
                let (outcome, at) = stage.call()?;
                outcome.updated()?;
                let arrivals = stage.sent(before + 1)?;
                // The queue's own pace is one a minute.
                let most = if *form == 1 { 61 * SECOND } else { started };
                within("the next call", at, started, most)?;
                within("its request", arrivals[before], started, most)
            },
        ),
    )
}

/// Makes a call and drops it after a time, or after its first poll.
fn dropped(stage: &Stage<'_>, form: usize, after: Duration) -> Result<(), String> {
    if form == 0 {
        let call = stage.client.update(entry(0));
        return stage.run(async {
            let polled = futures_util::poll!(call);
            match polled {
                std::task::Poll::Pending => Ok(()),
                std::task::Poll::Ready(_) => Err("it ended at once".to_owned()),
            }
        })?;
    }
    stage.run(drop_after(stage, after))?
}

async fn drop_after(stage: &Stage<'_>, after: Duration) -> Result<(), String> {
    let call = stage.client.update(entry(0));
    let pause = Box::pin(stage.world.time().pause(after));
    match select(call, pause).await {
        Either::Left((outcome, _)) => Err(format!("it ended: {outcome:?}")),
        Either::Right(_) => Ok(()),
    }
}
