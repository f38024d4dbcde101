//! Timeouts of attempts and calls.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::{Fault, Reply};

use crate::client::{Entry, FailureKind, Options, Random, RateLimiter};
use crate::rule::{Rule, property};
use crate::rules::fixture::ambiguous::NETWORK;
use crate::rules::fixture::edges::index;
use crate::rules::fixture::site;
use crate::rules::fixture::timed::{
    Fixture, NEARLY_UNLIMITED, SECOND, entry, fixture, fixture_with, within,
};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        operation_timeout(),
        attempt_timeout(),
        attempt_timeout_of_a_call(),
        bounded_by_default(),
    ]
}

fn operation_timeout() -> Rule {
    const EDGES: [&str; 5] = [
        "in a wait",
        "in a pause",
        "in the queue",
        "in flight",
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
                        "may have acted is reported as {}",
                        failure.may_have_acted
                    ))
                }
            },
        ),
    )
}

fn attempt_timeout() -> Rule {
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

const SAME: &str = "this suite: a retry is the same request";

fn attempt_timeout_of_a_call() -> Rule {
    const EDGES: [&str; 4] = [
        "shorter than the client's",
        "longer than the client's",
        "the second attempt",
        "the third attempt",
    ];
    const CLIENTS: Duration = Duration::from_secs(30);
    Rule::new(
        "retries/attempt-timeout-of-a-call",
        "the attempt timeout of a call ends each of its attempts, the last like the first",
        SAME,
        &EDGES,
        property(
            |case| {
                let limit = match case % 2 {
                    0 => 500..25_000_u64,
                    _ => 40_000..90_000_u64,
                };
                (limit, Just(1 + index(case, 3)), 0.0..1.0)
                    .prop_map(|(limit, silent, random)| {
                        (Duration::from_millis(limit), silent, random)
                    })
                    .boxed()
            },
            |(limit, silent, _)| {
                let touched = [*limit < CLIENTS, *limit > CLIENTS, *silent > 1, *silent > 2];
                let touched = EDGES.into_iter().zip(touched);
                touched
                    .filter(|(_, is)| *is)
                    .map(|(edge, _)| edge)
                    .collect()
            },
            |harness, (limit, silent, random)| {
                let entries: Vec<Entry> = entry(0);
                let fixture = fixture_with(harness, site::model_of(&entries), |settings| {
                    settings.attempt_timeout = CLIENTS;
                    settings.max_attempts = u32::try_from(*silent).unwrap_or(1);
                    settings.random = crate::client::Random::Always(*random);
                })?;
                fixture.world.server().otherwise(Fault::SilenceBeforeActing);
                let options = Options {
                    attempt_timeout: Some(*limit),
                    ..Options::default()
                };
                let (outcome, ended) = fixture.run(fixture.update_with(entries, options))?;
                outcome.failure()?;
                let arrivals = fixture.sent(*silent)?;
                let last = arrivals.last().copied().unwrap_or_default();
                for (pair, wait) in arrivals.windows(2).zip([1_u32, 2, 4]) {
                    // The back-off between two attempts is from half to the whole of this.
                    let (least, most) = (*limit + SECOND * wait / 2, *limit + SECOND * wait);
                    within(
                        "the time between two attempts",
                        pair[1] - pair[0],
                        least,
                        most,
                    )?;
                }
                within("the last attempt", ended - last, *limit, *limit)
            },
        ),
    )
}

/// Maximum time of a call with default settings, not counting the waits that the service asks for.
const LONGEST: Duration = Duration::from_secs(300);

fn bounded_by_default() -> Rule {
    const EDGES: [&str; 5] = [
        "no response",
        "a body that drips",
        "a failed service",
        "the longest accepted waits",
        "silence and waits in turn",
    ];
    Rule::new(
        "retries/bounded-by-default",
        "a call of a client with default settings ends within five minutes, not counting the waits that the service \
         asks for",
        "this suite, beyond the reference: a caller must know when its call ends",
        &EDGES,
        property(
            |case| {
                let wait = select(vec![29_u32, 59, 60, 90, 119, 120]);
                (Just(index(case, 5)), wait, any::<u64>()).boxed()
            },
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, wait, seed)| {
                let fixture = fixture(harness, |settings| {
                    settings.client_defaults = true;
                    settings.random = Random::Seeded(*seed);
                })?;
                disturb(&fixture, *form, *wait);
                let (_, ended) = fixture.call()?;
                // The client decides how often it accepts a wait; this suite allows five times.
                let asked = match EDGES[*form] {
                    "the longest accepted waits" | "silence and waits in turn" => 5 * (*wait + 1),
                    _ => 0,
                };
                within("the end", ended, Duration::ZERO, LONGEST + asked * SECOND)
            },
        ),
    )
}

/// Makes every attempt fail.
fn disturb(fixture: &Fixture<'_>, form: usize, wait: u32) {
    let asks = || Reply::new(429).header("retry-after", &wait.to_string());
    let server = fixture.world.server();
    match form {
        0 => server.otherwise(Fault::SilenceBeforeActing),
        1 => server.otherwise(Fault::Drip { pause: SECOND }),
        2 => fixture.world.script((0..200).map(|_| Reply::new(503))),
        3 => fixture.world.script((0..200).map(|_| asks())),
        _ => {
            for turn in 0..60 {
                let silent = turn % 2 == 0;
                fixture.world.faults([match silent {
                    true => Fault::SilenceBeforeActing,
                    false => Fault::None,
                }]);
                if !silent {
                    fixture.world.script([asks()]);
                }
            }
        }
    }
}
