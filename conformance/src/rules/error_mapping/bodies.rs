//! Bodies that are malformed, oversized, endless or arbitrary.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use webflow_cms_reference::{Fault, Model, Reply, Step};

use crate::client::{FailureKind, Outcome};
use crate::rule::{Rule, property};
use crate::rules::fixture::site;
use crate::rules::fixture::status::{failure_of, is_status};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        malformed_error_bodies(),
        oversized_bodies(),
        endless_bodies(),
        invalid_response_is_no_success(),
        arbitrary_bytes(),
    ]
}

/// An error body in Webflow's shape, to be truncated.
const TRUNCATED: &[u8] =
    br#"{"code":"validation_error","message":"it is truncated somewhere","details":[]}"#;

/// JSON texts that are not in Webflow's shape.
const OTHER_SHAPES: [&str; 7] = [
    "[]",
    "7",
    "null",
    "\"text\"",
    "{}",
    r#"{"error":{"deep":true}}"#,
    r#"[{"code":"x"}]"#,
];

fn malformed_error_bodies() -> Rule {
    const EDGES: [&str; 6] = [
        "html",
        "empty",
        "truncated json",
        "another json",
        "not utf-8",
        "old router",
    ];
    Rule::new(
        "error-mapping/malformed-error-bodies",
        "an error whose body is HTML, empty, truncated or of another shape keeps its status, its wait and its body",
        "HTML and the older router's shape were observed; the rest is what networks do",
        &EDGES,
        property(
            |case| {
                let status = select(vec![400_u16, 401, 403, 404, 409, 413, 429, 500, 502, 503]);
                let body = match case % 6 {
                    0 => site::awkward_text()
                        .prop_map(|text| format!("<html><body>{text}</body></html>").into_bytes())
                        .boxed(),
                    1 => Just(Vec::new()).boxed(),
                    2 => (1..60_usize)
                        .prop_map(|at| TRUNCATED[..at].to_vec())
                        .boxed(),
                    3 => select(OTHER_SHAPES.to_vec())
                        .prop_map(|text| text.as_bytes().to_vec())
                        .boxed(),
                    4 => vec(0x80..=0xff_u8, 1..40).boxed(),
                    _ => Just(
                        br#"{"msg":"Route not found","code":404,"name":"RouteNotFoundError"}"#
                            .to_vec(),
                    )
                    .boxed(),
                };
                (Just(case % 6), status, body).boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, status, body)| {
                let failure = failure_of(
                    harness,
                    Reply::new(*status)
                        .header("retry-after", "7")
                        .body(body.clone()),
                )?;
                is_status(&failure, *status)?;
                if failure.retry_after_ms != Some(7000) {
                    return Err(format!(
                        "the wait is reported as {:?}",
                        failure.retry_after_ms
                    ));
                }
                let text = String::from_utf8_lossy(body);
                if failure.body.as_deref() != Some(&*text) {
                    return Err(format!("the body is reported as {:?}", failure.body));
                }
                let reported = (failure.code.as_deref(), failure.message.as_deref());
                if *form == 5 && reported != (Some("404"), Some("Route not found")) {
                    return Err(format!(
                        "the older router's words are reported as {reported:?}"
                    ));
                }
                Ok(())
            },
        ),
    )
}

fn oversized_bodies() -> Rule {
    const EDGES: [&str; 4] = [
        "huge error",
        "huge success",
        "at the limit",
        "one byte above",
    ];
    const BOUND: usize = 64 * 1024;
    Rule::new(
        "error-mapping/oversized-bodies",
        "a body is read up to its limit: an error beyond it keeps its status and a part of the body, a success beyond \
         it is an invalid response",
        "this suite: everything from a server is unbounded",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 4),
                    1..4_usize,
                    select(vec![400_u16, 404, 429, 500]),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, times, status)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                let mut call = harness.call(vec![site::marked((1, 0))]);
                call.max_response_bytes = Some(BOUND);
                let padded = |length: usize| {
                    let body = format!(r#"{{"items":[{{"id":"{}"}}]}}"#, site::item(1));
                    let spaces = length.saturating_sub(body.len());
                    body + &" ".repeat(spaces)
                };
                harness.core().script([match form {
                    0 => Reply::new(*status).body("x".repeat(BOUND * 8 * times)),
                    1 => Reply::new(200).body(padded(BOUND * 2 * times)),
                    2 => Reply::new(200).body(padded(BOUND)),
                    _ => Reply::new(200).body(padded(BOUND + 1)),
                }]);
                let outcome = harness.update(&call);
                harness.only_exchange()?;
                match form {
                    0 => {
                        let failure = outcome.failure()?;
                        is_status(failure, *status)?;
                        let kept = failure.body.as_deref().map_or(0, str::len);
                        if (1..=BOUND).contains(&kept) {
                            Ok(())
                        } else {
                            Err(format!("{kept} bytes of the body are kept"))
                        }
                    }
                    2 => outcome.updated().map(|_| ()),
                    _ => is_unreadable(&outcome),
                }
            },
        ),
    )
}

fn endless_bodies() -> Rule {
    const EDGES: [&str; 5] = [
        "endless error",
        "error announced as huge",
        "endless success",
        "small limit",
        "no limit set",
    ];
    const BOUNDS: [Option<usize>; 4] = [Some(1), Some(1000), Some(64 * 1024), None];
    /// A client that reads until this timeout fails.
    const TIME_LIMIT: Duration = Duration::from_secs(5);
    Rule::new(
        "error-mapping/endless-bodies",
        "an endless body is abandoned before the timeout: an error keeps its status and at most the limit of the body",
        "this suite: everything from a server is unbounded",
        &EDGES,
        property(
            |case| {
                let statuses = [400_u16, 401, 404, 429, 500, 503];
                (
                    Just(case % 3),
                    select(statuses.to_vec()),
                    Just(usize::try_from(case / 3 % 4).unwrap_or(0)),
                    1000..20_000_usize,
                )
                    .boxed()
            },
            |(form, _, bound, _)| {
                let mut touched = vec![EDGES[usize::try_from(*form).unwrap_or(0)]];
                match BOUNDS[*bound] {
                    Some(..=1000) if *form != 2 => touched.push("small limit"),
                    None if *form != 2 => touched.push("no limit set"),
                    _ => {}
                }
                touched
            },
            |harness, (form, status, bound, chunk)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                let reply = Reply::new(if *form == 2 { 200 } else { *status });
                harness
                    .core()
                    .script([reply.body(format!("{{\"items\":[]}} {}", "x".repeat(*chunk)))]);
                harness.faults([match form {
                    1 => Fault::Oversized { length: 1 << 40 },
                    _ => Fault::Endless { chunk: *chunk },
                }]);
                let mut call = harness.faulty_call(vec![site::marked((1, 0))]);
                call.attempt_timeout_ms = u64::try_from(TIME_LIMIT.as_millis()).ok();
                // A client's own limit for a success may exceed what is sent in a moment.
                let own = if *form == 2 { Some(64 * 1024) } else { None };
                call.max_response_bytes = BOUNDS[*bound].or(own);
                let begun = Instant::now();
                let outcome = harness.update(&call);
                if begun.elapsed() >= TIME_LIMIT {
                    return Err("it is read until the timeout".to_owned());
                }
                harness.only_exchange()?;
                if *form == 2 {
                    return is_unreadable(&outcome);
                }
                let failure = outcome.failure()?;
                is_status(failure, *status)?;
                let kept = failure.body.as_deref().map_or(0, str::len);
                match BOUNDS[*bound] {
                    Some(bound) if kept > bound => {
                        Err(format!("{kept} bytes of the body are kept, of {bound}"))
                    }
                    _ if kept == 0 => Err("nothing of the body is kept".to_owned()),
                    _ => Ok(()),
                }
            },
        ),
    )
}

fn is_unreadable(outcome: &Outcome) -> Result<(), String> {
    let failure = outcome.failure()?;
    let reported = (
        failure.kind,
        failure.status,
        failure.may_have_acted,
        failure.retryable,
    );
    if reported == (FailureKind::InvalidResponse, Some(200), true, false) {
        Ok(())
    } else {
        Err(format!("an invalid response is reported as {reported:?}"))
    }
}

fn invalid_response_is_no_success() -> Rule {
    const EDGES: [&str; 6] = [
        "html",
        "empty",
        "another object",
        "no object",
        "truncated json",
        "wrong types",
    ];
    Rule::new(
        "error-mapping/invalid-response-is-no-success",
        "a 200 that holds neither an item nor a list of items is an error, and the service may have acted",
        "an official client takes HTML with status 200 for a success",
        &EDGES,
        property(
            |case| {
                let body = match case % 6 {
                    0 => vec!["<html>ok</html>", "<!doctype html><title>Sign in</title>"],
                    1 => vec!["", " ", "\n"],
                    2 => vec![
                        "{}",
                        r#"{"item":{}}"#,
                        r#"{"pagination":{"total":1}}"#,
                        r#"{"fieldData":{"name":"a"}}"#,
                        r#"{"ok":true}"#,
                    ],
                    3 => vec!["[]", "null", "true", "0", "\"items\"", "[{\"id\":\"a\"}]"],
                    4 => vec![
                        "{",
                        r#"{"items":["#,
                        r#"{"items":[{"id":"66f6ed95"}"#,
                        r#"{"id":"66f6"#,
                        r#"{"items":[]} trailing"#,
                    ],
                    _ => vec![
                        r#"{"items":{}}"#,
                        r#"{"items":"none"}"#,
                        r#"{"items":[1]}"#,
                        r#"{"items":[{}]}"#,
                        r#"{"items":[{"id":7}]}"#,
                        r#"{"id":[]}"#,
                    ],
                };
                (Just(case % 6), select(body)).boxed()
            },
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, body)| {
                harness.reset(Model::new());
                harness.core().script([Reply::new(200)
                    .header("content-type", "application/json")
                    .body(*body)]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                harness.only_exchange()?;
                is_unreadable(&outcome)
            },
        ),
    )
}

fn arbitrary_bytes() -> Rule {
    const EDGES: [&str; 4] = ["bytes", "json", "doctored response", "deep json"];
    Rule::new(
        "error-mapping/arbitrary-bytes",
        "no response, whatever its bytes, makes the client crash or take an error for a success",
        "this suite: everything from a server is hostile",
        &EDGES,
        property(
            |case| {
                let status = select(vec![200_u16, 400, 401, 404, 429, 500, 418, 299]);
                let body = match case % 4 {
                    0 => vec(any::<u8>(), 0..200).boxed(),
                    1 => site::value().prop_map(String::into_bytes).boxed(),
                    2 => (vec(any::<u8>(), 1..4), any::<prop::sample::Index>())
                        .prop_map(|(bytes, at)| {
                            let item = json!({"id": site::item(1), "fieldData": {"name": "é"}});
                            let body = json!({"items": [item], "pagination": {"limit": 1}});
                            let mut body = body.to_string().into_bytes();
                            let at = at.index(body.len());
                            let end = (at + bytes.len()).min(body.len());
                            body.splice(at..end, bytes);
                            body
                        })
                        .boxed(),
                    _ => (1..4_000_usize)
                        .prop_map(|depth| "[".repeat(depth).into_bytes())
                        .boxed(),
                };
                (Just(case % 4), status, body).boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, status, body)| {
                harness.reset(Model::new());
                harness
                    .core()
                    .script([Step::from(Reply::new(*status).body(body.clone()))]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                harness.only_exchange()?;
                match outcome {
                    Outcome::Updated(_) if *status == 200 => Ok(()),
                    Outcome::Failed(failure) if failure.status == Some(*status) => Ok(()),
                    other => Err(format!("{status} became {other:?}")),
                }
            },
        ),
    )
}
