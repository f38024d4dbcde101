//! Which requests are retried, and how often.

use std::time::Duration;

use proptest::prelude::*;
use webflow_cms_reference::{Fault, Reply};

use super::retry_after::SDKS;
use crate::client::FailureKind;
use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::ambiguous::{AMBIGUOUS, NETWORK, ambiguous};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::status;
use crate::rules::fixture::timed::{fixture, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        final_statuses(),
        safe_failures_are_retried(),
        ambiguous_follows_policy(),
        max_attempts(),
    ]
}

fn final_statuses() -> Rule {
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
                status::is_status(outcome.failure()?, *status)?;
                within("the end", ended, Duration::ZERO, Duration::ZERO)
            },
        ),
    )
}

fn safe_failures_are_retried() -> Rule {
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

fn ambiguous_follows_policy() -> Rule {
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
                    false => Err("it is reported that the service did not act".to_owned()),
                }
            },
        ),
    )
}

fn max_attempts() -> Rule {
    const EDGES: [&str; 3] = ["1 attempt", "2 attempts", "5 attempts"];
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
                        // A last attempt that succeeds would end the call.
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
                            // A fault after which the core acts takes a step of the script.
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
                    "{:?} attempts are reported, which failed with {:?} and not with {kinds:?}",
                    failure.attempts, failure.failed_attempts
                ))
            },
        ),
    )
}
