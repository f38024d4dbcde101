//! *Retries and pace*, continued: how calls end, and what is left of them.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use proptest::prelude::*;

use super::error_mapping;
use super::retries::{AMBIGUOUS, NETWORK, ambiguous, index};
use super::timed::{Fixture, NEARLY_UNLIMITED, SECOND, entry, fixture, within};
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
        "retries/may-have-acted-is-kept",
        "once an attempt may have acted, the error of the call says so, whatever the last attempt failed with",
        "this suite: the report of what was done must be right",
        &EDGES,
        property(
            |case| (Just(index(case, 4)), 4..AMBIGUOUS.len()).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, acting)| {
                let before = usize::from(*form == 3);
                let fixture = fixture(harness, |settings| {
                    settings.max_attempts = if *form == 3 { 3 } else { 2 };
                })?;
                let (last, kind) = match form {
                    1 => (Some(Reply::new(429)), FailureKind::TooManyRequests),
                    2 => (None, FailureKind::Connect),
                    _ => (Some(Reply::new(400)), FailureKind::BadRequest),
                };
                fixture.world.script((0..before).map(|_| Reply::new(429)));
                fixture.world.faults((0..before).map(|_| Fault::None));
                match ambiguous(*acting) {
                    Ok(reply) => fixture.world.script([reply]),
                    Err(fault) if fault.acts() => {
                        fixture.world.script([Step::Model]);
                        fixture.world.faults([fault]);
                    }
                    Err(fault) => fixture.world.faults([fault]),
                }
                let sent = before + 1 + usize::from(last.is_some());
                let stays = last.is_some();
                fixture.world.script(last);
                let (time, server) = (fixture.world.time(), fixture.world.server());
                let goes = async {
                    if !stays {
                        time.pause(SECOND / 10).await;
                        server.close().await;
                    }
                };
                let call = fixture.update(0);
                let ((outcome, _), ()) = fixture.run(async { futures_util::join!(call, goes) })?;
                fixture.sent(sent)?;
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
                    error_mapping::is_status(outcome.failure()?, status)?;
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

fn deadline() -> Rule {
    const EDGES: [&str; 5] = [
        "in a wait",
        "in a pause",
        "in the queue",
        "under way",
        "at once",
    ];
    Rule::new(
        "retries/operation-timeout",
        "a call ends within its operation timeout, whatever it is waiting for, and sends nothing afterwards",
        "this suite: a caller must know when its call ends",
        &EDGES,
        property(
            |case| (Just(index(case, 5)), 1_000..50_000_u64, 0.0..1.0).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, deadline, random)| {
                let deadline = Duration::from_millis(*deadline);
                let fixture = fixture(harness, |settings| {
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
                    0 => fixture.world.script((0..1_000).map(|_| Reply::new(500))),
                    1 => fixture
                        .world
                        .script([Reply::new(429).header("retry-after", "100")]),
                    3 => fixture.world.server().otherwise(Fault::SilenceAfterActing),
                    4 => fixture
                        .world
                        .script([Reply::new(429).header("retry-after", "60")]),
                    _ => {}
                }
                let ended = fixture.run(async {
                    let first = fixture.update(0);
                    if matches!(form, 1 | 2) {
                        first.await;
                        return fixture.update(1).await;
                    }
                    first.await
                })?;
                let (outcome, at) = ended;
                let failure = outcome.failure()?;
                within("the end", at, Duration::ZERO, deadline)?;
                if let Some(late) = fixture.arrivals().iter().find(|at| **at >= deadline) {
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
        "retries/attempt-timeout",
        "an attempt ends when its timeout passes, in every phase, body included; an endless body ends at its limit",
        NETWORK,
        &EDGES,
        property(
            |case| (Just(index(case, 4)), 1_000..90_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, timeout)| {
                let timeout = Duration::from_millis(*timeout);
                let fixture = fixture(harness, |settings| {
                    settings.attempt_timeout = timeout;
                    settings.max_attempts = 1;
                })?;
                // The head comes late, which leaves less time for the body.
                let late = timeout / 3;
                fixture.world.latency(move |_| (Duration::ZERO, late));
                fixture.world.faults([match form {
                    0 => Fault::SilenceAfterActing,
                    1 => Fault::HeadOnly,
                    2 => Fault::Drip { pause: SECOND },
                    _ => Fault::Oversized {
                        length: 10_000_000_000,
                    },
                }]);
                let (outcome, at) = fixture.call()?;
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
        "retries/cancellation",
        "a call that is dropped sends nothing more and delays no other call",
        "this suite: dropping a future is how Rust cancels",
        &EDGES,
        property(
            |case| (Just(index(case, 6)), 1..20_000_u64).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, after)| {
                let after = Duration::from_millis(*after);
                let fixture = fixture(harness, |settings| {
                    settings.rate_limiter = if matches!(form, 1 | 5) {
                        RateLimiter::Fixed(1)
                    } else {
                        RateLimiter::Unlimited
                    };
                    settings.backoff = (60 * SECOND, 60 * SECOND);
                    settings.retry_budget = Some(3);
                })?;
                match form {
                    2 => fixture.world.faults([Fault::SilenceAfterActing]),
                    3 => fixture.world.faults([Fault::HeadOnly]),
                    4 => fixture.world.script([Reply::new(500)]),
                    _ => {}
                }
                if matches!(form, 1 | 5) {
                    fixture.call()?.0.updated()?;
                }
                if *form == 5 {
                    let behind = async {
                        futures_util::join!(drop_after(&fixture, after), fixture.update(1))
                    };
                    let (dropped, (outcome, at)) = fixture.run(behind)?;
                    dropped?;
                    outcome.updated()?;
                    fixture.sent(2)?;
                    return within("the next one's end", at, 60 * SECOND, 61 * SECOND);
                }
                let before = usize::from(*form != 0);
                dropped(&fixture, *form, after)?;
                if fixture.client.waiting() > 0
                    || fixture.client.retry_budget().is_some_and(|left| left != 3)
                {
                    return Err(format!(
                        "it left {} waiting and a budget of {:?}",
                        fixture.client.waiting(),
                        fixture.client.retry_budget()
                    ));
                }
                fixture.sent(before)?;
                let started = fixture.world.time().elapsed();
                let (outcome, at) = fixture.call()?;
                outcome.updated()?;
                let arrivals = fixture.sent(before + 1)?;
                // The queue's own pace is one a minute.
                let most = if *form == 1 { 61 * SECOND } else { started };
                within("the next call", at, started, most)?;
                within("its request", arrivals[before], started, most)
            },
        ),
    )
}

/// Makes a call and drops it after a time, or after its first poll.
fn dropped(fixture: &Fixture<'_>, form: usize, after: Duration) -> Result<(), String> {
    if form == 0 {
        let call = fixture.client.update(entry(0), Options::default());
        return fixture.run(async {
            let polled = futures_util::poll!(call);
            match polled {
                std::task::Poll::Pending => Ok(()),
                std::task::Poll::Ready(_) => Err("it ended at once".to_owned()),
            }
        })?;
    }
    fixture.run(drop_after(fixture, after))?
}

async fn drop_after(fixture: &Fixture<'_>, after: Duration) -> Result<(), String> {
    let call = fixture.client.update(entry(0), Options::default());
    let pause = Box::pin(fixture.world.time().pause(after));
    match select(call, pause).await {
        Either::Left((outcome, _)) => Err(format!("it ended: {outcome:?}")),
        Either::Right(_) => Ok(()),
    }
}
