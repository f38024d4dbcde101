//! The token, which no output may contain.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use webflow_cms_reference::{Model, Reply};

use crate::rule::{Rule, property};
use crate::rules::fixture::edges::index;
use crate::rules::fixture::encodings::{ENCODINGS, PLACES, echo, encoded, shows};
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![token_is_never_printed(), encoded_token_is_never_printed()]
}

fn token_is_never_printed() -> Rule {
    const EDGES: [&str; 10] = [
        "refusal",
        "echo in the message",
        "echo in the body",
        "echo in a header",
        "echo in a detail",
        "echo at the limit of the body",
        "echo in json escapes",
        "echo in percent signs",
        "half an echo",
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
                // Half of a token is still a secret.
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
                    // The limit of the kept body may fall inside the token.
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
                    return Err("the client reports no text of its outcome".to_owned());
                }
                let half_written = written(half);
                let shows = |text: &&String| {
                    // A large number may be printed with a point after its first digit.
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

/// A text as the contents of a JSON string: every third character escaped, and every slash.
fn in_json_escapes(text: &str) -> String {
    let escaped = |(position, character): (usize, char)| match character {
        '/' => r"\/".to_owned(),
        other if position % 3 == 0 => format!("\\u{:04x}", u32::from(other)),
        other => other.to_string(),
    };
    text.chars().enumerate().map(escaped).collect()
}

/// A text with every second character percent-encoded.
fn in_percent_signs(text: &str) -> String {
    let encoded = |(position, character): (usize, char)| match position % 2 {
        0 => format!("%{:02X}", u32::from(character)),
        _ => character.to_string(),
    };
    text.chars().enumerate().map(encoded).collect()
}

fn encoded_token_is_never_printed() -> Rule {
    const EDGES: [&str; 2] = ["halves in two members", "halves in two headers"];
    const FIRST: [&str; ENCODINGS.len() + PLACES.len()] =
        crate::rules::fixture::edges::joined(ENCODINGS, PLACES);
    const ALL: [&str; FIRST.len() + EDGES.len()] =
        crate::rules::fixture::edges::joined(FIRST, EDGES);
    Rule::new(
        "error-mapping/encoded-token-is-never-printed",
        "nothing that the client prints or returns of an error contains the token in any encoding in which the server \
         repeats it: changed case, base64, repeated escapes, entities, separated characters, or halves",
        "this suite: an error ends up in logs, and an encoding can be decoded",
        &ALL,
        property(
            |case| {
                let encoding = index(case, ENCODINGS.len() + EDGES.len());
                let token = prop_oneof![
                    2 => "[0-9a-f]{64}",
                    1 => "[A-Za-z0-9]{24,60}",
                    1 => "ws-[0-9a-f]{40}",
                ];
                (
                    Just(encoding),
                    Just(index(case / 13 + case, PLACES.len())),
                    token,
                    select(vec![400_u16, 401, 403, 429, 500, 200, 302]),
                )
                    .boxed()
            },
            |(encoding, place, ..)| match ENCODINGS.get(*encoding) {
                Some(edge) => vec![*edge, PLACES[*place]],
                None => vec![EDGES[*encoding - ENCODINGS.len()]],
            },
            |harness, (encoding, place, token, status)| {
                harness.reset(Model::new());
                harness
                    .core()
                    .configure(|settings| settings.token.clone_from(token));
                let (left, right) = token.split_at(token.len() / 2);
                let (reply, secrets) = if *encoding < ENCODINGS.len() {
                    let written = encoded(token, *encoding);
                    (echo(*status, *place, &written), vec![written])
                } else if *encoding == ENCODINGS.len() {
                    let body = json!({"message": left, "code": right, "details": [right, {"field": left}]});
                    (Reply::new(*status).json(&body), vec![token.clone()])
                } else {
                    let reply = echo(*status, 3, left).header("x-rest", right);
                    (reply, vec![token.clone()])
                };
                harness.core().script([reply]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                let renderings = outcome.renderings();
                if renderings.is_empty() {
                    return Err("the client reports no text of its outcome".to_owned());
                }
                let mut secrets = secrets.into_iter().chain([token.clone()]);
                match secrets.find(|secret| renderings.iter().any(|text| shows(text, secret))) {
                    // The input of the case has the text; the reason need not repeat it.
                    Some(_) => Err("the client shows the token".to_owned()),
                    None => Ok(()),
                }
            },
        ),
    )
}
