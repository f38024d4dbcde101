//! *Error mapping*: what a client tells of a refusal.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{REFERENCE, site};
use crate::client::{Detail, Failure, FailureKind};
use crate::harness::Harness;
use crate::rule::{Rule, edges_first, property};
use webflow_cms_reference::{Model, Reply};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        documented_statuses(),
        undocumented_statuses(),
        every_field_is_kept(),
        codes_are_an_open_set(),
        details_in_every_form(),
        waits_and_limits_are_kept(),
    ]
}

/// The statuses that the reference page lists beside 200, and what they mean.
const DOCUMENTED: [(u16, FailureKind, &str); 5] = [
    (400, FailureKind::BadRequest, "400"),
    (401, FailureKind::Unauthorized, "401"),
    (404, FailureKind::NotFound, "404"),
    (429, FailureKind::TooManyRequests, "429"),
    (500, FailureKind::ServerError, "500"),
];

/// Lets the client make a call that is answered by this reply.
pub(super) fn answered(harness: &Harness<'_>, reply: Reply) -> Result<Failure, String> {
    harness.reset(Model::new());
    harness.core().script([reply]);
    let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
    harness.only_exchange()?;
    outcome.failure().cloned()
}

fn kind_of(status: u16) -> FailureKind {
    match status {
        400 => FailureKind::BadRequest,
        401 => FailureKind::Unauthorized,
        403 => FailureKind::Forbidden,
        404 => FailureKind::NotFound,
        409 => FailureKind::Conflict,
        413 => FailureKind::PayloadTooLarge,
        429 => FailureKind::TooManyRequests,
        500..=599 => FailureKind::ServerError,
        _ => FailureKind::UnexpectedStatus,
    }
}

/// Fails unless the failure says the status, what it means, and what to do about it.
pub(super) fn is_status(failure: &Failure, status: u16) -> Result<(), String> {
    if failure.status != Some(status) {
        return Err(format!(
            "the status is {:?} and not {status}",
            failure.status
        ));
    }
    if failure.kind != kind_of(status) {
        return Err(format!("{status} is reported as {:?}", failure.kind));
    }
    let retryable =
        matches!(status, 408 | 429) || (500..600).contains(&status) && !matches!(status, 501 | 505);
    if failure.retryable != retryable {
        return Err(format!(
            "{status}: whether another try can help is reported as {}",
            failure.retryable
        ));
    }
    // A refusal says that nothing was done; everything else leaves it open.
    let acted = !matches!(status, 501 | 400..=407 | 409..=499);
    if failure.may_have_acted != acted {
        return Err(format!(
            "{status}: whether the service may have acted is reported as {}",
            failure.may_have_acted
        ));
    }
    Ok(())
}

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
                let failure = answered(harness, reply)?;
                is_status(&failure, status)?;
                says(&failure, &body)
            },
        ),
    )
}

/// Fails unless code and message are those of the body.
fn says(failure: &Failure, body: &Value) -> Result<(), String> {
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
                let failure = answered(harness, if bodiless { reply } else { reply.json(&body) })?;
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

fn every_field_is_kept() -> Rule {
    Rule::new(
        "error-mapping/error-members-are-kept",
        "code, message, external reference, details and body of an error are reported as the service sent them",
        REFERENCE,
        &["400", "401", "404", "429", "500"],
        property(
            |case| {
                let status = edges_first(
                    case,
                    &DOCUMENTED.map(|(status, ..)| status),
                    select(vec![400_u16, 404]),
                );
                (
                    status,
                    "[a-z_]{1,20}",
                    site::awkward_text(),
                    proptest::option::of(site::awkward_text()),
                    vec(site::awkward_text(), 0..4),
                )
                    .boxed()
            },
            |(status, ..)| {
                DOCUMENTED
                    .iter()
                    .filter(|(edge, ..)| edge == status)
                    .map(|(.., name)| *name)
                    .collect()
            },
            |harness, (status, code, message, reference, details)| {
                let body = json!({"code": code, "message": message, "externalReference": reference, "details": details});
                let reply = Reply::documented(*status)
                    .map_err(|error| error.to_string())?
                    .json(&body);
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                let failure = answered(harness, reply)?;
                is_status(&failure, *status)?;
                says(&failure, &body)?;
                let reported: Vec<_> = failure
                    .details
                    .iter()
                    .filter_map(|detail| detail.message.clone())
                    .collect();
                // Where there are none, the message may hold reasons of its own.
                if !details.is_empty() && reported != *details {
                    return Err(format!("the details are reported as {reported:?}"));
                }
                if failure.body.as_deref() == Some(&text) {
                    Ok(())
                } else {
                    Err(format!("the body is reported as {:?}", failure.body))
                }
            },
        ),
    )
}

fn codes_are_an_open_set() -> Rule {
    const EDGES: [&str; 5] = ["known", "unknown", "number", "null", "missing"];
    Rule::new(
        "error-mapping/unknown-codes",
        "an unknown, numeric, null or missing code leaves the rest of the error as it is",
        "the reference's examples use codes that it does not list; numeric and missing ones were observed",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 5),
                    "[a-z_]{3,30}",
                    any::<u16>(),
                    select(vec![400_u16, 401, 404, 429, 500]),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, unknown, number, status)| {
                let code = match form {
                    0 => json!("validation_error"),
                    1 => json!(unknown),
                    2 => json!(number),
                    _ => Value::Null,
                };
                let mut body = json!({"code": code, "message": "a message", "externalReference": null, "details": null});
                if let (4, Some(members)) = (form, body.as_object_mut()) {
                    members.remove("code");
                }
                let failure = answered(harness, Reply::new(*status).json(&body))?;
                is_status(&failure, *status)?;
                says(&failure, &body)
            },
        ),
    )
}

fn details_in_every_form() -> Rule {
    const EDGES: [&str; 6] = [
        "texts",
        "field and message",
        "param and description",
        "in the message",
        "null",
        "another form",
    ];
    Rule::new(
        "error-mapping/details-in-every-form",
        "details are read as strings, as field and message, as param and description, and from inside the message",
        "the first two are documented, the other two were observed",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 6),
                    vec(("[a-z-]{1,12}", site::awkward_text()), 1..4),
                )
                    .boxed()
            },
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, reasons)| {
                let texts: Vec<_> = reasons.iter().map(|(_, text)| text.clone()).collect();
                let objects = |field: &str, message: &str| -> Value {
                    reasons
                        .iter()
                        .map(|(name, text)| json!({field: name, message: text, "more": 1}))
                        .collect()
                };
                let mut message = "Validation Error".to_owned();
                let (details, named) = match form {
                    0 => (json!(texts), false),
                    1 => (objects("field", "message"), true),
                    2 => (objects("param", "description"), true),
                    3 => {
                        message = format!("Validation Error: {}", json!(texts));
                        (json!([]), false)
                    }
                    4 => (Value::Null, false),
                    _ => (json!({"reason": 7}), false),
                };
                let body = json!({"code": "validation_error", "message": message, "externalReference": null, "details": details});
                let failure = answered(harness, Reply::new(400).json(&body))?;
                is_status(&failure, 400)?;
                says(&failure, &body)?;
                let expected: Vec<_> = match form {
                    4 => Vec::new(),
                    5 => vec![Detail {
                        field: None,
                        message: None,
                    }],
                    _ => reasons
                        .iter()
                        .map(|(name, text)| Detail {
                            field: named.then(|| name.clone()),
                            message: Some(text.clone()),
                        })
                        .collect(),
                };
                if failure.details == expected {
                    Ok(())
                } else {
                    Err(format!("the details are reported as {:?}", failure.details))
                }
            },
        ),
    )
}

fn waits_and_limits_are_kept() -> Rule {
    const EDGES: [&str; 6] = [
        "seconds",
        "0 seconds",
        "decimal seconds",
        "date",
        "garbage",
        "no wait",
    ];
    Rule::new(
        "error-mapping/retry-after-and-rate-limit",
        "the error reports the wait of `Retry-After`, in seconds or as a date, and the rate limit",
        "reference page on rate limits; a date is HTTP",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 6),
                    1..100_000_u64,
                    0..1_000_u64,
                    any::<u16>(),
                    any::<u16>(),
                    select(vec![429_u16, 503, 400]),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, seconds, millis, limit, remaining, status)| {
                let date = |seconds: u64| {
                    let start =
                        std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000);
                    httpdate::fmt_http_date(start + std::time::Duration::from_secs(seconds))
                };
                let (value, expected) = match form {
                    0 => (Some(seconds.to_string()), Some(seconds * 1000)),
                    1 => (Some("0".to_owned()), Some(0)),
                    2 => (
                        Some(format!("{seconds}.{millis:03}")),
                        Some(seconds * 1000 + millis),
                    ),
                    3 => (Some(date(*seconds)), Some(seconds * 1000)),
                    4 => (Some(format!("-{seconds}")), None),
                    _ => (None, None),
                };
                let mut reply = Reply::new(*status)
                    .header("date", &date(0))
                    .header("x-ratelimit-limit", &limit.to_string())
                    .header("x-ratelimit-remaining", &remaining.to_string());
                if let Some(value) = &value {
                    reply = reply.header("retry-after", value);
                }
                let failure = answered(harness, reply)?;
                is_status(&failure, *status)?;
                if failure.retry_after_ms != expected {
                    return Err(format!(
                        "{value:?} is reported as a wait of {:?} ms",
                        failure.retry_after_ms
                    ));
                }
                let reported = (failure.limit, failure.remaining);
                if reported == (Some(u64::from(*limit)), Some(u64::from(*remaining))) {
                    Ok(())
                } else {
                    Err(format!("the rate limit is reported as {reported:?}"))
                }
            },
        ),
    )
}
