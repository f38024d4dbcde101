//! *Retries and pace*, continued: how calls end, and what is left of them.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use proptest::prelude::*;

use super::error_mapping;
use super::retries::{AMBIGUOUS, NETWORK, ambiguous, index};
use super::stage::{NEARLY_UNLIMITED, SECOND, Stage, entry, stage, within};
use crate::client::{FailureKind, Options, Random, RateLimiter};
use crate::rule::{Rule, property};
use webflow_cms_reference::{Fault, Reply, Step};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        acted_is_remembered(),
        budget(),
        deadline(),
        time_limit_of_a_try(),
        cancellation(),
    ]
}

fn acted_is_remembered() -> Rule {
    const EDGES: [&str; 4] = [
        "refused",
        "too many requests",
        "no connection",
        "not the first",
    ];
    Rule::new(
        "retries-and-pace/acted-is-remembered",
        "once a try may have acted, the error of the call says so, whatever the last try came to",
        "this suite: the account of what was done must be right",
        &EDGES,
        property(
            |case| (Just(index(case, 4)), 4..AMBIGUOUS.len()).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, acting)| {
                let before = usize::from(*form == 3);
                let stage = stage(harness, |settings| {
                    settings.max_attempts = if *form == 3 { 3 } else { 2 };
                })?;
                let (last, kind) = match form {
                    1 => (Some(Reply::new(429)), FailureKind::TooManyRequests),
                    2 => (None, FailureKind::Connect),
                    _ => (Some(Reply::new(400)), FailureKind::BadRequest),
                };
                stage.world.script((0..before).map(|_| Reply::new(429)));
                stage.world.faults((0..before).map(|_| Fault::None));
                match ambiguous(*acting) {
                    Ok(reply) => stage.world.script([reply]),
                    Err(fault) if fault.acts() => {
                        stage.world.script([Step::Model]);
                        stage.world.faults([fault]);
                    }
                    Err(fault) => stage.world.faults([fault]),
                }
                let sent = before + 1 + usize::from(last.is_some());
                let stays = last.is_some();
                stage.world.script(last);
                let (time, server) = (stage.world.time(), stage.world.server());
                let goes = async {
                    if !stays {
                        time.pause(SECOND / 10).await;
                        server.close().await;
                    }
                };
                let call = stage.update(0);
                let ((outcome, _), ()) = stage.run(async { futures_util::join!(call, goes) })?;
                stage.sent(sent)?;
                let failure = outcome.failure()?;
                match (failure.kind, failure.may_have_acted) {
                    (ended, true) if ended == kind => Ok(()),
                    (ended, acted) => Err(format!(
                        "it ends as {ended:?}, and that the service may have acted is reported as {acted}"
                    )),
                }
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
            |harness, (too_many, budget, calls)| {
                let stage = stage(harness, |settings| {
                    settings.retry_budget = Some(*budget);
                    settings.max_attempts = 4;
                })?;
                let status = if *too_many { 429 } else { 500 };
                stage
                    .world
                    .script((0..calls * 4).map(|_| Reply::new(status)));
                let ended = stage.run(join_all((0..*calls).map(|call| stage.update(call))))?;
                for (outcome, _) in ended {
                    error_mapping::is_status(outcome.failure()?, status)?;
                }
                let bound = usize::try_from(*budget).unwrap_or(0);
                let again = if *too_many {
                    calls * 3
                } else {
                    (calls * 3).min(bound)
                };
                stage.sent(calls + again)?;
                let left = stage.client.retry_budget();
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
        "this suite: a caller must know when it gets its response",
        &EDGES,
        property(
            |case| (Just(index(case, 5)), 1_000..50_000_u64, 0.0..1.0).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, deadline, random)| {
                let deadline = Duration::from_millis(*deadline);
                let stage = stage(harness, |settings| {
                    settings.operation_timeout = Some(deadline);
                    settings.max_attempts = 1_000;
                    settings.random = Random::Always(*random);
                    settings.rate_limiter = match form {
                        1 => NEARLY_UNLIMITED,
                        2 => RateLimiter::Fixed(1),
                        _ => RateLimiter::Unlimited,
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
                    0 => (FailureKind::ServerError, None),
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
                        "it is reported that the service may have acted: {}",
                        failure.may_have_acted
                    ))
                }
            },
        ),
    )
}

fn time_limit_of_a_try() -> Rule {
    const EDGES: [&str; 4] = [
        "no response",
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
            |case| (Just(index(case, 4)), 1_000..90_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, timeout)| {
                let timeout = Duration::from_millis(*timeout);
                let stage = stage(harness, |settings| {
                    settings.attempt_timeout = timeout;
                    settings.max_attempts = 1;
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
                    3 => (FailureKind::InvalidResponse, late),
                    _ => (FailureKind::Timeout, timeout),
                };
                if (failure.kind, failure.may_have_acted) != (kind, true) {
                    return Err(format!("it is reported as {:?}", failure.kind));
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
            |case| (Just(index(case, 6)), 1..20_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, after)| {
                let after = Duration::from_millis(*after);
                let stage = stage(harness, |settings| {
                    settings.rate_limiter = if matches!(form, 1 | 5) {
                        RateLimiter::Fixed(1)
                    } else {
                        RateLimiter::Unlimited
                    };
                    settings.backoff = (60 * SECOND, 60 * SECOND);
                    settings.retry_budget = Some(3);
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
                if stage.client.waiting() > 0
                    || stage.client.retry_budget().is_some_and(|left| left != 3)
                {
                    return Err(format!(
                        "it left {} waiting and a budget of {:?}",
                        stage.client.waiting(),
                        stage.client.retry_budget()
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
        let call = stage.client.update(entry(0), Options::default());
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
    let call = stage.client.update(entry(0), Options::default());
    let pause = Box::pin(stage.world.time().pause(after));
    match select(call, pause).await {
        Either::Left((outcome, _)) => Err(format!("it ended: {outcome:?}")),
        Either::Right(_) => Ok(()),
    }
}
