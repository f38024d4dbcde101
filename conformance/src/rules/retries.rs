//! *Retries and pace*: which requests are sent again, when, and how often.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::{DATE, RETRY_AFTER};
use proptest::prelude::*;
use proptest::sample::select;

use super::timed::{NEARLY_UNLIMITED, SECOND, fixture, within};
use super::{REFERENCE, error_mapping};
use crate::client::{FailureKind, Random};
use crate::rule::{Rule, edges_first, property};
use webflow_cms_reference::{Fault, Reply};

const SDKS: &str = "measured: official clients retry too early, too late or not at all";
pub(super) const NETWORK: &str = "this suite: networks break";

pub(super) fn rules() -> Vec<Rule> {
    vec![
        never_earlier(),
        refusals_are_final(),
        always_again(),
        again_by_policy(),
        not_more_than(),
        above_the_cap(),
        own_waits_double(),
        waits_are_spread(),
    ]
}

pub(super) fn index(case: u64, of: usize) -> usize {
    usize::try_from(case).unwrap_or(0) % of
}

/// A response that asks for a wait in its headers, and the wait. `now` is the time of day at the server.
fn asking(
    status: u16,
    form: usize,
    seconds: u64,
    tenths: u64,
    now: SystemTime,
) -> (Reply, Duration) {
    let date = |after| httpdate::fmt_http_date(now + Duration::from_secs(after));
    let past = httpdate::fmt_http_date(now - Duration::from_secs(seconds));
    let (values, wait) = match form {
        1 => (
            vec![format!("{seconds}.{tenths}")],
            Duration::from_millis(seconds * 1_000 + tenths * 100),
        ),
        2 => (vec![date(seconds)], Duration::from_secs(seconds)),
        3 => (
            vec![
                "soon".to_owned(),
                (seconds / 3).to_string(),
                seconds.to_string(),
                (seconds / 2).to_string(),
            ],
            Duration::from_secs(seconds),
        ),
        4 => (vec!["0".to_owned()], Duration::ZERO),
        5 => (vec![past], Duration::ZERO),
        6 => (vec![format!("-{seconds}")], Duration::ZERO),
        _ => (vec![seconds.to_string()], Duration::from_secs(seconds)),
    };
    let mut reply = Reply::new(status);
    for value in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            reply.headers.append(RETRY_AFTER, value);
        }
    }
    if let Ok(date) = HeaderValue::from_str(&date(0)) {
        reply.headers.insert(DATE, date);
    }
    (reply, wait)
}

fn never_earlier() -> Rule {
    const EDGES: [&str; 7] = [
        "seconds",
        "decimal seconds",
        "a date by another clock",
        "several",
        "zero",
        "a date in the past",
        "no time at all",
    ];
    /// How far the clock of the server may be behind or ahead, in seconds.
    const APART: u64 = 10_000;
    Rule::new(
        "retries/retry-after",
        "after a 429 or 503 the retry is sent no earlier than the response asks and no earlier than the client's own \
         back-off, and at most a second later than the longer of the two",
        SDKS,
        &EDGES,
        property(
            |case| {
                (
                    Just(index(case, 7)),
                    select(vec![429_u16, 503]),
                    edges_first(case, &[1, 59, 60, 61, 119], 1..119_u64),
                    0..=9_u64,
                    edges_first(case, &[0.0, 1.0], 0.0..=1.0),
                    0..2 * APART,
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, status, seconds, tenths, random, apart)| {
                let fixture = fixture(harness, |settings| {
                    settings.random = Random::Always(*random)
                })?;
                let now = fixture.world.time().now() + Duration::from_secs(*apart)
                    - Duration::from_secs(APART);
                let (reply, wait) = asking(*status, *form, *seconds, *tenths, now);
                fixture.world.script([reply]);
                let (outcome, _) = fixture.call()?;
                outcome.updated()?;
                let arrivals = fixture.sent(2)?;
                // The first of the client's own waits.
                let least = wait.max(SECOND.mul_f64(0.5 + random / 2.0));
                // After a 429 that gives no time, a client may wait for the next window.
                let most = match (*status, EDGES[*form]) {
                    (429, "no time at all") => 60 * SECOND,
                    _ => wait,
                };
                within("the wait", arrivals[1] - arrivals[0], least, most + SECOND)
            },
        ),
    )
}

fn refusals_are_final() -> Rule {
    const EDGES: [&str; 7] = ["400", "401", "403", "404", "409", "413", "501"];
    Rule::new(
        "retries/final-statuses",
        "after 400, 401, 403, 404, 409, 413 and 501 there is no retry, whatever wait the response asks for",
        REFERENCE,
        &EDGES,
        property(
            |case| {
                let status = [400_u16, 401, 403, 404, 409, 413, 501][index(case, 7)];
                (Just(status), 0..100_u64).boxed()
            },
            |(status, _)| {
                let status = status.to_string();
                EDGES.into_iter().filter(|edge| *edge == status).collect()
            },
            |harness, (status, seconds)| {
                let fixture = fixture(harness, |_| {})?;
                let reply = Reply::new(*status).header("retry-after", &seconds.to_string());
                fixture.world.script([reply]);
                let (outcome, ended) = fixture.call()?;
                fixture.sent(1)?;
                error_mapping::is_status(outcome.failure()?, *status)?;
                within("the end", ended, Duration::ZERO, Duration::ZERO)
            },
        ),
    )
}

fn always_again() -> Rule {
    const EDGES: [&str; 2] = ["429", "no connection"];
    Rule::new(
        "retries/safe-failures-are-retried",
        "a request that the service did not act on (429, or no connection established) is retried under the strictest \
         policy too",
        SDKS,
        &EDGES,
        property(
            |case| (Just(index(case, 2)), 2..6_u32).boxed(),
            |(form, _)| vec![EDGES[*form]],
            |harness, (form, attempts)| {
                let refusing = harness.refusing()?;
                let fixture = fixture(harness, |settings| {
                    settings.retry_ambiguous = false;
                    settings.max_attempts = *attempts;
                    if *form == 1 {
                        settings.base_url = refusing;
                    }
                })?;
                if *form == 0 {
                    fixture
                        .world
                        .script((1..*attempts).map(|_| Reply::new(429)));
                    let (outcome, _) = fixture.call()?;
                    outcome.updated()?;
                    fixture.sent(usize::try_from(*attempts).unwrap_or(0))?;
                    return Ok(());
                }
                let (outcome, _) = fixture.call()?;
                let failure = outcome.failure()?;
                let reported = (failure.kind, failure.attempts, failure.may_have_acted);
                if reported == (FailureKind::Connect, Some(*attempts), false) {
                    Ok(())
                } else {
                    Err(format!("it is reported as {reported:?}"))
                }
            },
        ),
    )
}

/// Failures after which the service may have acted, by number.
pub(super) fn ambiguous(form: usize) -> Result<Reply, Fault> {
    match form {
        0..=4 => Ok(Reply::new([408, 500, 502, 503, 504][form])),
        5 => Err(Fault::ResetBeforeActing),
        6 => Err(Fault::ResetAfterActing),
        7 => Err(Fault::ClosedInHead),
        _ => Err(Fault::SilenceAfterActing),
    }
}

pub(super) const AMBIGUOUS: [&str; 9] = [
    "408",
    "500",
    "502",
    "503",
    "504",
    "reset before acting",
    "reset after acting",
    "cut head",
    "silence",
];

fn again_by_policy() -> Rule {
    Rule::new(
        "retries/ambiguous-follows-policy",
        "a request that the service may have acted on is retried by default, and not under the policy that forbids it",
        NETWORK,
        &AMBIGUOUS,
        property(
            |case| (Just(index(case, AMBIGUOUS.len())), any::<bool>()).boxed(),
            |(form, _)| vec![AMBIGUOUS[*form]],
            |harness, (form, again)| {
                let fixture = fixture(harness, |settings| settings.retry_ambiguous = *again)?;
                match ambiguous(*form) {
                    Ok(reply) => fixture.world.script([reply]),
                    Err(fault) => fixture.world.faults([fault]),
                }
                let (outcome, _) = fixture.call()?;
                if *again {
                    let attempts = outcome.updated()?.attempts;
                    fixture.sent(2)?;
                    return match attempts {
                        None | Some(2) => Ok(()),
                        Some(attempts) => {
                            Err(format!("{attempts} attempts are reported instead of 2"))
                        }
                    };
                }
                fixture.sent(1)?;
                match outcome.failure()?.may_have_acted {
                    true => Ok(()),
                    false => Err("it is reported that nothing was done".to_owned()),
                }
            },
        ),
    )
}

fn not_more_than() -> Rule {
    const EDGES: [&str; 3] = ["1 try", "2 attempts", "5 attempts"];
    Rule::new(
        "retries/max-attempts",
        "a request is attempted as often as the policy allows and no more, and the error reports the number of \
         attempts and the failure of each",
        SDKS,
        &EDGES,
        property(
            |case| {
                edges_first(case, &[1, 2, 5], 1..8_u32)
                    .prop_flat_map(|attempts| {
                        let attempts = usize::try_from(attempts).unwrap_or(1);
                        // The last one cannot be reported from a success.
                        proptest::collection::vec(0..10_usize, attempts)
                    })
                    .boxed()
            },
            |attempts| match attempts.len() {
                1 => vec![EDGES[0]],
                2 => vec![EDGES[1]],
                5 => vec![EDGES[2]],
                _ => Vec::new(),
            },
            |harness, attempts| {
                let fixture = fixture(harness, |settings| {
                    settings.max_attempts = u32::try_from(attempts.len()).unwrap_or(1);
                })?;
                let mut kinds = Vec::new();
                for form in attempts {
                    match ambiguous(*form) {
                        _ if *form == 9 => {
                            fixture.world.script([Reply::new(429)]);
                            fixture.world.faults([Fault::None]);
                            kinds.push(FailureKind::TooManyRequests);
                        }
                        Ok(reply) => {
                            fixture.world.script([reply]);
                            fixture.world.faults([Fault::None]);
                            kinds.push(match form {
                                0 => FailureKind::UnexpectedStatus,
                                _ => FailureKind::ServerError,
                            });
                        }
                        Err(fault) => {
                            // A fault that runs takes a step of the script.
                            if fault.acts() {
                                fixture.world.script([webflow_cms_reference::Step::Model]);
                            }
                            kinds.push(match fault {
                                Fault::SilenceAfterActing => FailureKind::Timeout,
                                _ => FailureKind::ConnectionClosed,
                            });
                            fixture.world.faults([fault]);
                        }
                    }
                }
                let (outcome, _) = fixture.call()?;
                fixture.sent(attempts.len())?;
                let failure = outcome.failure()?;
                if failure.attempts == u32::try_from(attempts.len()).ok()
                    && failure.failed_attempts == kinds
                {
                    return Ok(());
                }
                Err(format!(
                    "{:?} attempts are reported, which came to {:?} and not to {kinds:?}",
                    failure.attempts, failure.failed_attempts
                ))
            },
        ),
    )
}

fn above_the_cap() -> Rule {
    const EDGES: [&str; 4] = ["at the cap", "a second more", "far more", "beyond numbers"];
    Rule::new(
        "retries/retry-after-cap",
        "a wait up to the cap is kept; above it the call fails at once with the wait in its error, and so does every \
         other call with the token",
        SDKS,
        &EDGES,
        property(
            |case| (Just(index(case, 4)), 1..600_u64, 2..100_u64).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, cap, far)| {
                let fixture = fixture(harness, |settings| {
                    settings.max_retry_after = Duration::from_secs(*cap);
                    settings.rate_limiter = NEARLY_UNLIMITED;
                })?;
                let asked = match form {
                    0 => cap.to_string(),
                    1 => (cap + 1).to_string(),
                    2 => (cap * far).to_string(),
                    _ => "9".repeat(40),
                };
                fixture
                    .world
                    .script([Reply::new(429).header("retry-after", &asked)]);
                let (outcome, ended) = fixture.call()?;
                if *form == 0 {
                    outcome.updated()?;
                    fixture.sent(2)?;
                    return Ok(());
                }
                within("the end", ended, Duration::ZERO, Duration::ZERO)?;
                error_mapping::is_status(outcome.failure()?, 429)?;
                let (other, ended) = fixture.call()?;
                fixture.sent(1)?;
                within("the other's end", ended, Duration::ZERO, Duration::ZERO)?;
                if other.failure()?.kind != FailureKind::NotSent {
                    return Err(format!("the other ends as {:?}", other.failure()?.kind));
                }
                let least = asked.parse::<u64>().map_or(u64::MAX, |asked| asked * 1_000);
                for outcome in [outcome, other] {
                    let reported = outcome.failure()?.retry_after_ms.unwrap_or(0);
                    if reported < least {
                        return Err(format!("a wait of {asked} s is reported as {reported} ms"));
                    }
                }
                Ok(())
            },
        ),
    )
}

fn own_waits_double() -> Rule {
    const EDGES: [&str; 3] = ["shortest", "longest", "between"];
    Rule::new(
        "retries/backoff-doubles",
        "if the service asks for no wait, the client backs off: from half to the whole of a time that doubles with \
         each failure up to a maximum",
        SDKS,
        &EDGES,
        property(
            |case| {
                let random = match case % 3 {
                    0 => Just(0.0).boxed(),
                    1 => Just(1.0).boxed(),
                    _ => (0.01..0.99).boxed(),
                };
                (random, 100..3_000_u64, 1..40_u64).boxed()
            },
            |(random, ..)| match *random {
                0.0 => vec![EDGES[0]],
                1.0 => vec![EDGES[1]],
                _ => vec![EDGES[2]],
            },
            |harness, (random, first, factor)| {
                let first = Duration::from_millis(*first);
                let longest = first * u32::try_from(*factor).unwrap_or(1);
                let fixture = fixture(harness, |settings| {
                    settings.random = Random::Always(*random);
                    settings.backoff = (first, longest);
                    settings.max_attempts = 7;
                })?;
                fixture.world.script((0..7).map(|_| Reply::new(500)));
                fixture.call()?.0.failure()?;
                let arrivals = fixture.sent(7)?;
                for (number, pair) in (0..).zip(arrivals.windows(2)) {
                    let whole = (first * 2_u32.pow(number)).min(longest);
                    within("a wait", pair[1] - pair[0], whole / 2, whole)?;
                }
                Ok(())
            },
        ),
    )
}

fn waits_are_spread() -> Rule {
    const EDGES: [&str; 2] = ["own wait", "the service's wait"];
    Rule::new(
        "retries/backoff-jitter",
        "calls that fail at the same moment do not retry at the same moment, and none retries early",
        SDKS,
        &EDGES,
        property(
            |case| (Just(index(case, 2)), 8..24_usize, any::<u64>()).boxed(),
            |(form, ..)| vec![EDGES[*form]],
            |harness, (form, callers, seed)| {
                let fixture = fixture(harness, |settings| settings.random = Random::Seeded(*seed))?;
                let wait = if *form == 0 { SECOND / 2 } else { 60 * SECOND };
                fixture.world.script((0..*callers).map(|_| match form {
                    0 => Reply::new(500),
                    _ => Reply::new(429).header("retry-after", "60"),
                }));
                let calls = (0..*callers).map(|call| fixture.update(call));
                for (outcome, _) in fixture.run(futures_util::future::join_all(calls))? {
                    outcome.updated()?;
                }
                let mut again = fixture.sent(callers * 2)?.split_off(*callers);
                again.sort_unstable();
                within("the first to come back", again[0], wait, wait + SECOND)?;
                let spread = again[callers - 1] - again[0];
                again.dedup();
                if again.len() > callers / 2 && spread > SECOND / 10 {
                    Ok(())
                } else {
                    Err(format!(
                        "{callers} callers come back in {} moments over {spread:?}",
                        again.len()
                    ))
                }
            },
        ),
    )
}
