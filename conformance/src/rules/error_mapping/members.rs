//! Members of an error body, and the headers of an error response.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use webflow_cms_reference::Reply;

use super::statuses::{DOCUMENTED, says};
use crate::client::Detail;
use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::site;
use crate::rules::fixture::status::{failure_of, is_status};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        error_members_are_kept(),
        unknown_codes(),
        details_in_every_form(),
        retry_after_and_rate_limit(),
    ]
}

fn error_members_are_kept() -> Rule {
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
                let body = json!({
                    "code": code, "message": message, "externalReference": reference, "details": details
                });
                let reply = Reply::documented(*status)
                    .map_err(|error| error.to_string())?
                    .json(&body);
                let text = String::from_utf8_lossy(&reply.body).into_owned();
                let failure = failure_of(harness, reply)?;
                is_status(&failure, *status)?;
                says(&failure, &body)?;
                let reported: Vec<_> = failure
                    .details
                    .iter()
                    .filter_map(|detail| detail.message.clone())
                    .collect();
                // Without details the message may hold reasons of its own.
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

fn unknown_codes() -> Rule {
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
                let mut body = json!({
                    "code": code, "message": "a message", "externalReference": null, "details": null
                });
                if let (4, Some(members)) = (form, body.as_object_mut()) {
                    members.remove("code");
                }
                let failure = failure_of(harness, Reply::new(*status).json(&body))?;
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
                let body = json!({
                    "code": "validation_error", "message": message,
                    "externalReference": null, "details": details
                });
                let failure = failure_of(harness, Reply::new(400).json(&body))?;
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

fn retry_after_and_rate_limit() -> Rule {
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
                let failure = failure_of(harness, reply)?;
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
