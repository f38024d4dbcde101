//! *Retries and pace*, continued: what is sent again is the same request, and options hold for every attempt.

use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    USER_AGENT,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::retries::{AMBIGUOUS, ambiguous, index};
use super::timed::{SECOND, entry, fixture_with, within};
use super::{members, site, wire};
use crate::client::{Entry, Options};
use crate::rule::{Rule, property};
use webflow_cms_reference::{Exchange, Fault, Reply, Step};

const SAME: &str = "this suite: a retry is the same request";

pub(super) fn rules() -> Vec<Rule> {
    vec![the_same_request(), own_time_limit()]
}

/// The options of a call, by number.
pub(super) fn skip(number: usize) -> Option<bool> {
    [None, Some(true), Some(false)][number % 3]
}

/// The edge that the option is.
pub(super) fn skip_edge(skip: Option<bool>) -> &'static str {
    match skip {
        None => "no option",
        Some(true) => "option true",
        Some(false) => "option false",
    }
}

/// Fails unless a request has the documented path, this query and headers that are fit.
pub(super) fn is_addressed(exchange: &Exchange, skip: Option<bool>) -> Result<(), String> {
    let number = exchange.index;
    if let Some(violation) = exchange.violations.first() {
        return Err(format!(
            "request {number} is not as documented: {violation}"
        ));
    }
    let query = skip.map(|skip| format!("skipInvalidFiles={skip}"));
    if exchange.query != query {
        return Err(format!(
            "request {number} has the query {:?} and not {query:?}",
            exchange.query
        ));
    }
    let accept = exchange.headers.get(ACCEPT).map(|value| value.as_bytes());
    match accept {
        Some(b"application/json" | b"*/*") => Ok(()),
        other => Err(format!(
            "request {number} accepts {:?}",
            other.map(String::from_utf8_lossy)
        )),
    }
}

/// Fails unless two requests are to one place, and say the same of who sends them and what may come back.
pub(super) fn same_head(first: &Exchange, other: &Exchange) -> Result<(), String> {
    let number = other.index;
    let line = |exchange: &Exchange| {
        let query = exchange.query.as_deref().unwrap_or_default();
        format!("{} {}?{query}", exchange.method, exchange.path)
    };
    if line(first) != line(other) {
        return Err(format!(
            "request {number} is {} and not {}",
            line(other),
            line(first)
        ));
    }
    let named = [
        ACCEPT,
        ACCEPT_ENCODING,
        AUTHORIZATION,
        CONTENT_ENCODING,
        CONTENT_TYPE,
        USER_AGENT,
    ];
    let values = |exchange: &Exchange, name| -> Vec<_> {
        let values = exchange.headers.get_all(name).into_iter().cloned();
        values.collect()
    };
    match named
        .iter()
        .find(|name| values(first, *name) != values(other, *name))
    {
        // A header is not shown, since one of them holds the token.
        Some(name) => Err(format!("request {number} has another `{name}`")),
        None => Ok(()),
    }
}

fn same(first: &Exchange, other: &Exchange) -> Result<(), String> {
    same_head(first, other)?;
    let number = other.index;
    if first.body != other.body {
        return Err(format!("request {number} has another body"));
    }
    let length = |exchange: &Exchange| exchange.headers.get(CONTENT_LENGTH).cloned();
    if length(first) != length(other) {
        return Err(format!("request {number} has another `content-length`"));
    }
    Ok(())
}

/// How an attempt fails: in one of the ambiguous ways, or by 429.
const TOO_MANY: usize = AMBIGUOUS.len();

fn the_same_request() -> Rule {
    const EDGES: [&str; 8] = [
        "429",
        "a failed service",
        "a connection that breaks",
        "no response in time",
        "fails more than once",
        "no option",
        "option true",
        "option false",
    ];
    const ALL: [&str; EDGES.len() + members::EDGES.len()] = joined(EDGES, members::EDGES);
    Rule::new(
        "retries/retries-are-byte-identical",
        "a retry is the first request to the byte: method, path, query, body, and the headers `Accept`, \
         `Authorization`, `Content-Type`, `Content-Length` and `User-Agent`",
        SAME,
        &ALL,
        property(
            |case| {
                let first = index(case, TOO_MANY + 1);
                let more = vec(0..=TOO_MANY, index(case / 2, 3));
                let skip = skip(index(case / 3, 3));
                let entries = members::entries(1..14_usize);
                (Just(first), more, Just(skip), entries)
                    .prop_map(|(first, more, skip, entries)| {
                        let failures: Vec<_> = std::iter::once(first).chain(more).collect();
                        (failures, skip, entries)
                    })
                    .boxed()
            },
            |(failures, skip, entries)| {
                let any = |kinds: std::ops::RangeInclusive<usize>| {
                    failures.iter().any(|failure| kinds.contains(failure))
                };
                let touched = [
                    any(TOO_MANY..=TOO_MANY),
                    any(0..=4),
                    any(5..=7),
                    any(8..=8),
                    failures.len() > 1,
                ];
                let touched = EDGES.into_iter().zip(touched);
                let touched = touched.filter(|(_, is)| *is).map(|(edge, _)| edge);
                touched
                    .chain([skip_edge(*skip)])
                    .chain(members::touched(entries))
                    .collect()
            },
            |harness, (failures, skip, entries)| {
                let fixture = fixture_with(harness, site::model_of(entries), |_| {})?;
                for failure in failures {
                    let (step, fault) = attempt(*failure);
                    fixture.world.faults([fault]);
                    fixture.world.script(step);
                }
                let options = Options {
                    skip_invalid_files: *skip,
                    ..Options::default()
                };
                let call = fixture.update_with(entries.clone(), options);
                fixture.run(call)?.0.updated()?;
                fixture.sent(failures.len() + 1)?;
                let log = fixture.world.log();
                let first = log.first().ok_or("nothing was sent")?;
                wire::carries(first, entries)?;
                for exchange in &log {
                    is_addressed(exchange, *skip)?;
                    same(first, exchange)?;
                }
                Ok(())
            },
        ),
    )
}

/// What the server does of an attempt that fails, and its connection.
fn attempt(failure: usize) -> (Option<Step>, Fault) {
    if failure == TOO_MANY {
        let reply = Reply::new(429).header("retry-after", "2");
        return (Some(reply.into()), Fault::None);
    }
    match ambiguous(failure) {
        Ok(reply) => (Some(reply.into()), Fault::None),
        Err(fault) => (fault.acts().then_some(Step::Model), fault),
    }
}

/// Two lists of edges as one.
pub(super) const fn joined<const A: usize, const B: usize, const C: usize>(
    first: [&'static str; A],
    second: [&'static str; B],
) -> [&'static str; C] {
    assert!(A + B == C, "the list is as long as both");
    let mut all = [""; C];
    let mut place = 0;
    while place < C {
        all[place] = if place < A {
            first[place]
        } else {
            second[place - A]
        };
        place += 1;
    }
    all
}

fn own_time_limit() -> Rule {
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
                    // The wait between two attempts is from half to the whole of this.
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
