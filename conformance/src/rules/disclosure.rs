//! *Error mapping*, continued: what must stay where it is, the items and the token.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::error_mapping::{answered, is_status};
use super::site;
use crate::rule::{Rule, edges_first, property};
use webflow_cms_reference::{Model, Reply};

pub(super) fn rules() -> Vec<Rule> {
    vec![redirects_are_not_followed(), the_token_is_in_no_output()]
}

fn redirects_are_not_followed() -> Rule {
    const EDGES: [(u16, &str); 5] = [
        (301, "301"),
        (302, "302"),
        (303, "303"),
        (307, "307"),
        (308, "308"),
    ];
    Rule::new(
        "error-mapping/redirects-are-not-followed",
        "a redirect is reported as such; the token and the items are sent to no other address",
        "this suite: the endpoint documents no redirect",
        &["301", "302", "303", "307", "308"],
        property(
            |case| {
                let targets = select(vec![
                    "/v2/collections/elsewhere/items",
                    "http://127.0.0.1:9/",
                    "//localhost/",
                    "",
                    "items",
                ]);
                (
                    edges_first(case, &EDGES.map(|(status, _)| status), Just(307)),
                    targets,
                )
                    .boxed()
            },
            |(status, _)| {
                EDGES
                    .iter()
                    .filter(|(edge, _)| edge == status)
                    .map(|(_, name)| *name)
                    .collect()
            },
            |harness, (status, target)| {
                let failure = answered(harness, Reply::new(*status).header("location", target))?;
                is_status(&failure, *status)
            },
        ),
    )
}

fn the_token_is_in_no_output() -> Rule {
    const EDGES: [&str; 10] = [
        "refusal",
        "echo in the message",
        "echo in the body",
        "echo in a header",
        "echo in a detail",
        "cut echo",
        "echo in json escapes",
        "echo in percent signs",
        "echo cut by the server",
        "echo as a number",
    ];
    Rule::new(
        "error-mapping/token-is-never-printed",
        "nothing that the client prints or returns of an error contains the token, even if the server repeats it",
        "this suite: an error ends up in logs",
        &EDGES,
        property(
            |case| {
                let token = if case % 10 == 9 {
                    "[1-9][0-9]{15,29}"
                } else {
                    "[A-Za-z0-9._~+/-]{16,80}"
                };
                (
                    Just(case % 10),
                    token,
                    select(vec![400_u16, 401, 403, 429, 500, 200]),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, token, status)| {
                harness.reset(Model::new());
                harness
                    .core()
                    .configure(|settings| settings.token.clone_from(token));
                let echo = format!("you sent Bearer {token} to us");
                let error = json!({"code": "not_authorized", "message": "no", "details": []});
                let with = |name: &str, value: Value| {
                    let mut body = error.clone();
                    body[name] = value;
                    body
                };
                // Half a token is still a secret.
                let half = &token[..token.len() / 2];
                let written: fn(&str) -> String = match form {
                    6 => in_json_escapes,
                    7 => in_percent_signs,
                    _ => str::to_owned,
                };
                let reply = Reply::new(*status);
                harness.core().script([match form {
                    1 => reply.json(&with("message", json!(echo))),
                    2 => reply.body(format!("<html>{echo}</html>")),
                    3 => reply.header("x-echo", &echo).json(&error),
                    4 => reply.json(&with(
                        "details",
                        json!([{ "param": token, token.as_str(): echo }]),
                    )),
                    // The bound on what an error keeps of a body may fall inside the token.
                    5 => reply.body(format!("{}{echo}", "x".repeat(8 * 1024 - 30))),
                    6 | 7 => reply.body(format!(
                        r#"{{"message":"no, {}","code":7}}"#,
                        written(token)
                    )),
                    8 => reply.json(&with("message", json!(format!("bad token {half}...")))),
                    9 => reply.body(format!(r#"{{"code":{token},"details":[[-{token}]]}}"#)),
                    _ => reply.json(&error),
                }]);
                let mut call = harness.call(vec![site::marked((1, 0))]);
                if *form == 0 {
                    call.items.clear();
                }
                let outcome = harness.update(&call);
                if outcome.renderings().is_empty() {
                    return Err("the client shows nothing of its outcome".to_owned());
                }
                let half_written = written(half);
                let shows = |text: &&String| {
                    // A large number is shown with a point behind its first digit.
                    text.contains(half)
                        || text.contains(&half_written)
                        || *form == 9 && text.replace('.', "").contains(half)
                };
                match outcome.renderings().iter().find(shows) {
                    Some(text) => Err(format!(
                        "the token is in {}",
                        text.replace(half, "[half of the token]")
                            .replace(&half_written, "[half of the token]")
                    )),
                    None => Ok(()),
                }
            },
        ),
    )
}

/// A text as a JSON string may hold it: every third character as an escape, and no slash as it is.
fn in_json_escapes(text: &str) -> String {
    let escaped = |(position, character): (usize, char)| match character {
        '/' => r"\/".to_owned(),
        other if position % 3 == 0 => format!("\\u{:04x}", u32::from(other)),
        other => other.to_string(),
    };
    text.chars().enumerate().map(escaped).collect()
}

/// A text as a URL may hold it: every other character encoded.
fn in_percent_signs(text: &str) -> String {
    let encoded = |(position, character): (usize, char)| match position % 2 {
        0 => format!("%{:02X}", u32::from(character)),
        _ => character.to_string(),
    };
    text.chars().enumerate().map(encoded).collect()
}
