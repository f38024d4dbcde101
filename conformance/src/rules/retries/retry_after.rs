//! Waits that the service asks for.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::{DATE, RETRY_AFTER};
use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::Reply;

use crate::client::{FailureKind, Random};
use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::status;
use crate::rules::fixture::timed::{NEARLY_UNLIMITED, SECOND, fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![retry_after(), retry_after_cap()]
}

pub(crate) const SDKS: &str = "measured: official clients retry too early, too late or not at all";

/// A response that asks for a wait in its headers, and the wait. `now` is the server's time of day.
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

fn retry_after() -> Rule {
    const EDGES: [&str; 7] = [
        "seconds",
        "decimal seconds",
        "a date by another clock",
        "several",
        "zero",
        "a date in the past",
        "no time at all",
    ];
    /// Maximum difference between the clocks of server and client in seconds.
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
                    settings.random = Random::Always(*random);
                })?;
                let now = fixture.world.time().now() + Duration::from_secs(*apart)
                    - Duration::from_secs(APART);
                let (reply, wait) = asking(*status, *form, *seconds, *tenths, now);
                fixture.world.script([reply]);
                let (outcome, _) = fixture.call()?;
                outcome.updated()?;
                let arrivals = fixture.sent(2)?;
                // The first wait of the client's own back-off.
                let least = wait.max(SECOND.mul_f64(0.5 + random / 2.0));
                // After a 429 without a time, a client may wait for the next window.
                let most = match (*status, EDGES[*form]) {
                    (429, "no time at all") => 60 * SECOND,
                    _ => wait,
                };
                within("the wait", arrivals[1] - arrivals[0], least, most + SECOND)
            },
        ),
    )
}

fn retry_after_cap() -> Rule {
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
                status::is_status(outcome.failure()?, 429)?;
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
