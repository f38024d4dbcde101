//! Whether the service may have acted, over all attempts of a call.

use proptest::prelude::*;
use webflow_cms_reference::{Fault, Reply, Step};

use crate::client::FailureKind;
use crate::rule::{Rule, property};
use crate::rules::fixture::ambiguous::{AMBIGUOUS, ambiguous};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::timed::{SECOND, fixture};

pub(super) fn rules() -> Vec<Rule> {
    vec![may_have_acted_is_kept(), accepted_is_not_retried()]
}

fn may_have_acted_is_kept() -> Rule {
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
                        "it ends as {ended:?}, and may have acted is reported as {acted}"
                    )),
                }
            },
        ),
    )
}

/// Ways in which the body of a success is incomplete.
const UNREAD: [&str; 6] = [
    "no byte of the body",
    "inside the body",
    "the last byte is missing",
    "chunked",
    "no body in time",
    "a body that drips",
];

fn unread(form: usize, after: usize) -> Fault {
    match form {
        0 => Fault::ClosedInBody { after: 0 },
        1 => Fault::ClosedInBody { after },
        2 => Fault::ClosedInBody { after: usize::MAX },
        3 => Fault::ClosedInChunkedBody { after },
        4 => Fault::HeadOnly,
        _ => Fault::Drip { pause: SECOND },
    }
}

fn accepted_is_not_retried() -> Rule {
    Rule::new(
        "retries/accepted-is-not-retried",
        "a request whose documented success was announced is not retried, whatever happens to the body: its error has \
         the status, says that the service may have acted, and advises against a retry",
        "this suite: a file that is written again is imported again, and the status says that the request was accepted",
        &UNREAD,
        property(
            |case| {
                (
                    Just(index(case, UNREAD.len())),
                    1..60_usize,
                    any::<bool>(),
                    0..3_usize,
                )
                    .boxed()
            },
            |(form, ..)| vec![UNREAD[*form]],
            |harness, (form, after, again, before)| {
                let fixture = fixture(harness, |settings| {
                    settings.retry_ambiguous = *again;
                    settings.attempt_timeout = 20 * SECOND;
                })?;
                // Earlier attempts get a 429.
                fixture.world.script((0..*before).map(|_| Reply::new(429)));
                fixture.world.faults((0..*before).map(|_| Fault::None));
                fixture.world.faults([unread(*form, *after)]);
                let (outcome, _) = fixture.call()?;
                fixture.sent(before + 1)?;
                let failure = outcome.failure()?;
                let is_read = matches!(
                    failure.kind,
                    FailureKind::ConnectionClosed
                        | FailureKind::Timeout
                        | FailureKind::InvalidResponse
                );
                let reported = (
                    is_read,
                    failure.status,
                    failure.may_have_acted,
                    failure.retryable,
                );
                if reported == (true, Some(200), true, false) {
                    return Ok(());
                }
                Err(format!(
                    "an accepted request is reported as {:?} with the status {:?}, may have acted: {}, retryable: {}",
                    failure.kind, failure.status, failure.may_have_acted, failure.retryable
                ))
            },
        ),
    )
}
