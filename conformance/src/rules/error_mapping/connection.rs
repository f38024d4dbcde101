//! Connections that are refused, reset, closed early or silent.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::{Fault, Reply};

use crate::client::FailureKind;
use crate::rule::{Rule, property};
use crate::rules::fixture::{site, status};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        closed_in_body(),
        closed_in_error_body(),
        connection_reset(),
        response_timeout(),
        connection_refused(),
        response_is_not_http(),
    ]
}

fn closed_in_body() -> Rule {
    const EDGES: [&str; 4] = [
        "before the body",
        "inside the body",
        "last byte missing",
        "chunked",
    ];
    Rule::new(
        "error-mapping/closed-in-body",
        "a 200 whose connection closes inside the body is reported as a closed connection; the service may have \
         acted, and a retry cannot help",
        "this suite: networks break",
        &EDGES,
        property(
            |case| (Just(case % 4), 1..60_usize).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, after)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                harness.faults([match form {
                    0 => Fault::ClosedInBody { after: 0 },
                    1 => Fault::ClosedInBody { after: *after },
                    2 => Fault::ClosedInBody { after: usize::MAX },
                    _ => Fault::ClosedInChunkedBody { after: *after },
                }]);
                let outcome = harness.update(&harness.faulty_call(vec![site::marked((1, 0))]));
                harness.only_exchange()?;
                let failure = outcome.failure()?;
                let reported = (
                    failure.kind,
                    failure.status,
                    failure.may_have_acted,
                    failure.retryable,
                );
                if reported == (FailureKind::ConnectionClosed, Some(200), true, false) {
                    Ok(())
                } else {
                    Err(format!(
                        "a 200 closed in its body is reported as {reported:?}"
                    ))
                }
            },
        ),
    )
}

fn closed_in_error_body() -> Rule {
    const EDGES: [&str; 3] = ["429", "400", "500"];
    Rule::new(
        "error-mapping/closed-in-error-body",
        "an error whose connection closes inside the body keeps its status, its wait and the part of the body that \
         arrived",
        "this suite: networks break",
        &EDGES,
        property(
            |case| {
                (
                    select(vec![
                        [429_u16, 400, 500][usize::try_from(case % 3).unwrap_or(0)],
                    ]),
                    1..20_usize,
                )
                    .boxed()
            },
            |(status, _)| {
                EDGES
                    .into_iter()
                    .filter(|name| *name == status.to_string())
                    .collect()
            },
            |harness, (status, after)| {
                harness.reset(site::model_of(&[]));
                let reply = Reply::documented(*status).map_err(|error| error.to_string())?;
                let begin = String::from_utf8_lossy(&reply.body)
                    .chars()
                    .take(*after)
                    .collect::<String>();
                harness.core().script([reply]);
                harness.faults([Fault::ClosedInBody { after: *after }]);
                let outcome = harness.update(&harness.faulty_call(vec![site::marked((1, 0))]));
                harness.only_exchange()?;
                let failure = outcome.failure()?;
                status::is_status(failure, *status)?;
                if failure.retry_after_ms != Some(60_000) {
                    return Err(format!(
                        "the wait is reported as {:?}",
                        failure.retry_after_ms
                    ));
                }
                if failure.body.as_deref() == Some(&begin) {
                    Ok(())
                } else {
                    Err(format!("the body is reported as {:?}", failure.body))
                }
            },
        ),
    )
}

fn connection_reset() -> Rule {
    const EDGES: [&str; 4] = [
        "before reading",
        "before acting",
        "after acting",
        "inside the head",
    ];
    Rule::new(
        "error-mapping/connection-reset",
        "a reset connection is reported as closed, and since the request may have arrived, the service may have acted",
        "this suite: networks break",
        &EDGES,
        property(
            |case| (Just(case % 4), 1..30_usize).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, count)| {
                let entries: Vec<_> = (0..*count).map(|item| site::marked((item, 0))).collect();
                harness.reset(site::model_of(&entries));
                harness.faults([match form {
                    0 => Fault::ResetBeforeReading,
                    1 => Fault::ResetBeforeActing,
                    2 => Fault::ResetAfterActing,
                    _ => Fault::ClosedInHead,
                }]);
                let outcome = harness.update(&harness.faulty_call(entries));
                let failure = outcome.failure()?;
                let reported = (
                    failure.kind,
                    failure.status,
                    failure.may_have_acted,
                    failure.retryable,
                );
                // A reset before anything was sent may be seen while the connection is being established.
                let early = *form == 0 && reported == (FailureKind::Connect, None, false, true);
                if !early && reported != (FailureKind::ConnectionClosed, None, true, true) {
                    return Err(format!(
                        "a reset is reported as {reported:?}: {:?}",
                        failure.renderings
                    ));
                }
                let requests = harness.log().len();
                if requests <= 1 {
                    Ok(())
                } else {
                    Err(format!("{requests} requests were sent"))
                }
            },
        ),
    )
}

fn response_timeout() -> Rule {
    const EDGES: [&str; 3] = ["no response", "head without body", "dripping body"];
    Rule::new(
        "error-mapping/response-timeout",
        "a response that does not come, or does not end, is reported as a timeout after which the service may have \
         acted",
        "this suite: networks break",
        &EDGES,
        property(
            |case| (Just(case % 3), 15..30_u64).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, timeout)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                harness.faults([match form {
                    0 => Fault::SilenceAfterActing,
                    1 => Fault::HeadOnly,
                    _ => Fault::Drip {
                        pause: Duration::from_millis(1),
                    },
                }]);
                let mut call = harness.faulty_call(vec![site::marked((1, 0))]);
                // Long enough for a head to arrive on a busy machine, short enough to test it a hundred times.
                call.attempt_timeout_ms = Some(timeout * 5);
                let outcome = harness.update(&call);
                let failure = outcome.failure()?;
                let reported = (failure.kind, failure.may_have_acted, failure.retryable);
                // An accepted request must not be resent.
                if reported == (FailureKind::Timeout, true, *form == 0) {
                    Ok(())
                } else {
                    Err(format!("silence is reported as {reported:?}"))
                }
            },
        ),
    )
}

fn connection_refused() -> Rule {
    const EDGES: [&str; 2] = ["1 entry", "many entries"];
    Rule::new(
        "error-mapping/connection-refused",
        "a connection that cannot be established is reported as such, and the service cannot have acted",
        "this suite: networks break",
        &EDGES,
        property(
            |case| crate::rule::edges_first(case, &[1, 50], 1..=100_usize),
            |count| {
                vec![if *count == 1 {
                    "1 entry"
                } else {
                    "many entries"
                }]
            },
            |harness, count| {
                harness.reset(site::model_of(&[]));
                let mut call =
                    harness.call((0..*count).map(|item| site::marked((item, 0))).collect());
                call.base_url = harness.refusing()?;
                let outcome = harness.update(&call);
                let failure = outcome.failure()?;
                let reported = (
                    failure.kind,
                    failure.status,
                    failure.may_have_acted,
                    failure.retryable,
                );
                if reported == (FailureKind::Connect, None, false, true) {
                    Ok(())
                } else {
                    Err(format!("it is reported as {reported:?}"))
                }
            },
        ),
    )
}

fn response_is_not_http() -> Rule {
    const EDGES: [&str; 3] = ["no http", "bad status line", "bad header"];
    Rule::new(
        "error-mapping/response-is-not-http",
        "a response that is not HTTP is reported as a transport error after which the service may have acted",
        "this suite: everything from a server is hostile",
        &EDGES,
        property(
            |case| {
                let bytes = match case % 3 {
                    0 => prop::collection::vec(any::<u8>(), 40..90)
                        .prop_map(|mut bytes| {
                            bytes[0] = b'#';
                            bytes
                        })
                        .boxed(),
                    1 => select(vec![
                        "HTTP/9.9 200 OK\r\n\r\n",
                        "HTTP/1.1 twohundred\r\n\r\n",
                        "HTTP/1.1 20\r\n\r\n",
                    ])
                    .prop_map(|text| text.as_bytes().to_vec())
                    .boxed(),
                    _ => select(vec![
                        "HTTP/1.1 200 OK\r\nname\u{0}: x\r\n\r\n",
                        "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
                        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
                    ])
                    .prop_map(|text| text.as_bytes().to_vec())
                    .boxed(),
                };
                (Just(case % 3), bytes).boxed()
            },
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, bytes)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                harness.faults([Fault::Garbage(bytes.clone())]);
                let outcome = harness.update(&harness.faulty_call(vec![site::marked((1, 0))]));
                let failure = outcome.failure()?;
                let known = matches!(
                    failure.kind,
                    FailureKind::Transport | FailureKind::ConnectionClosed
                );
                if known && failure.status.is_none() && failure.may_have_acted {
                    Ok(())
                } else {
                    Err(format!(
                        "it is reported as {:?}, {:?}, may have acted: {}",
                        failure.kind, failure.status, failure.may_have_acted
                    ))
                }
            },
        ),
    )
}
