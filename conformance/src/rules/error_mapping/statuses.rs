//! Statuses and their kinds of errors.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use webflow_cms_reference::Reply;

use crate::client::{Failure, FailureKind};
use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::status::{failure_of, is_status};

pub(super) fn rules() -> Vec<Rule> {
    vec![documented_statuses(), undocumented_statuses()]
}

/// The statuses of the reference page beside 200, with their kinds.
pub(crate) const DOCUMENTED: [(u16, FailureKind, &str); 5] = [
    (400, FailureKind::BadRequest, "400"),
    (401, FailureKind::Unauthorized, "401"),
    (404, FailureKind::NotFound, "404"),
    (429, FailureKind::TooManyRequests, "429"),
    (500, FailureKind::ServerError, "500"),
];

fn documented_statuses() -> Rule {
    Rule::new(
        "error-mapping/documented-statuses",
        "each documented status is reported as its own kind of error, with every member of its documented body",
        REFERENCE,
        &["400", "401", "404", "429", "500"],
        property(
            |case| edges_first(case, &[0, 1, 2, 3, 4], 0..5_usize),
            |which| {
                DOCUMENTED
                    .get(*which)
                    .map(|(.., name)| *name)
                    .into_iter()
                    .collect()
            },
            |harness, which| {
                let (status, ..) = DOCUMENTED[*which];
                let reply = Reply::documented(status).map_err(|error| error.to_string())?;
                let body: Value =
                    serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
                let failure = failure_of(harness, reply)?;
                is_status(&failure, status)?;
                says(&failure, &body)
            },
        ),
    )
}

/// Checks that code, message and external reference are those of the body.
pub(crate) fn says(failure: &Failure, body: &Value) -> Result<(), String> {
    let reported = [
        ("code", &failure.code),
        ("message", &failure.message),
        ("externalReference", &failure.external_reference),
    ];
    for (name, reported) in reported {
        let sent = match &body[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        if *reported != sent {
            return Err(format!(
                "`{name}` is reported as {reported:?} and was {sent:?}"
            ));
        }
    }
    Ok(())
}

fn undocumented_statuses() -> Rule {
    const EDGES: [(u16, &str); 7] = [
        (403, "403"),
        (409, "409"),
        (413, "413"),
        (408, "408"),
        (501, "501"),
        (503, "503"),
        (204, "204"),
    ];
    Rule::new(
        "error-mapping/undocumented-statuses",
        "an undocumented status is reported with its number, its kind and its body, and never as a success",
        "403 was observed, 409 is documented for related endpoints; the rest is HTTP",
        &["403", "409", "413", "408", "501", "503", "204"],
        property(
            |case| {
                let others = prop_oneof![
                    select(vec![
                        202_u16, 205, 301, 303, 307, 402, 405, 410, 422, 451, 502, 504, 505, 520,
                        524, 599, 600, 999
                    ]),
                    201..=299_u16,
                    300..=303_u16,
                    402..=499_u16,
                    501..=599_u16,
                ];
                edges_first(case, &EDGES.map(|(status, _)| status), others)
                    .prop_filter("documented", |status| ![404, 429].contains(status))
                    .boxed()
            },
            |status| {
                EDGES
                    .iter()
                    .filter(|(edge, _)| edge == status)
                    .map(|(_, name)| *name)
                    .collect()
            },
            |harness, status| {
                let body = json!({"code": "a_code", "message": "a message", "externalReference": null, "details": []});
                let bodiless = matches!(status, 204 | 205 | 304);
                let reply = Reply::new(*status);
                let failure =
                    failure_of(harness, if bodiless { reply } else { reply.json(&body) })?;
                is_status(&failure, *status)?;
                if bodiless {
                    Ok(())
                } else {
                    says(&failure, &body)
                }
            },
        ),
    )
}
