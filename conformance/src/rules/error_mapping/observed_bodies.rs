//! Error bodies that were observed and are not documented, and the text of an error.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use webflow_cms_reference::Reply;

use crate::client::Failure;
use crate::rule::{Rule, property};
use crate::rules::fixture::status::{failure_of, is_status};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        observed_error_bodies(),
        html_error_pages(),
        error_text_is_bounded(),
    ]
}

const WILD: &str = "such bodies were observed; the reference documents another shape";

const FORMS: [&str; 11] = [
    "message and problems",
    "errors as texts",
    "errors as objects",
    "error as text",
    "error as object",
    "problem details",
    "problem details with a title only",
    "plain text",
    "plain text without a type",
    "reason beside an empty message",
    "the documented shape",
];

/// An error body of a form, with this reason.
fn body(form: usize, status: u16, reason: &str) -> Reply {
    let reply = Reply::new(status);
    let problem = |body: &Value| {
        let reply = Reply::new(status).json(body);
        reply.header("content-type", "application/problem+json")
    };
    match form {
        0 => reply.json(&json!({"msg": "Validation Failure", "problems": [reason]})),
        1 => reply.json(&json!({"errors": [reason]})),
        2 => reply.json(&json!({"errors": [{"message": reason, "path": "fieldData"}]})),
        3 => reply.json(&json!({"error": reason})),
        4 => reply.json(&json!({"error": {"message": reason, "status": status}})),
        5 => problem(&json!({
            "type": "about:blank", "title": "Refused", "status": status, "detail": reason, "instance": "/x"
        })),
        6 => problem(&json!({"type": "about:blank", "title": reason, "status": status})),
        7 => reply
            .header("content-type", "text/plain; charset=utf-8")
            .body(format!("{reason}\n")),
        8 => reply.body(reason.to_owned()),
        9 => reply.json(&json!({"message": "", "details": [], "problems": [reason]})),
        _ => reply.json(&json!({
            "code": "validation_error", "message": reason, "externalReference": null, "details": [reason]
        })),
    }
}

/// A reason in the style of services: words in some script, and quoted names.
fn reason() -> impl Strategy<Value = String> {
    let known = select(vec![
        "404 Not Found".to_owned(),
        "Field 'größe': Expected value to be a number".to_owned(),
        "Slug \"a-b\" already exists".to_owned(),
        "項目が見つかりません".to_owned(),
    ]);
    let made = "[A-Z][a-zé]{2,12}( [a-z0-9'-]{1,12}){1,9}";
    prop_oneof![1 => known, 2 => made]
}

/// Checks that program and people get the reason.
fn shows(failure: &Failure, reason: &str) -> Result<(), String> {
    // A client may separate the field from the text about it.
    let mut parts = failure.details.iter().filter_map(|detail| {
        let (field, message) = (detail.field.as_deref()?, detail.message.as_deref()?);
        (reason.contains(field) && reason.contains(message)).then_some([field, message])
    });
    let texts = failure.details.iter().map(|detail| &detail.message);
    let mut said = texts.chain([&failure.message]).flatten();
    let is_said = said.any(|said| said.contains(reason));
    let reported = match (is_said, parts.next()) {
        (true, _) => vec![reason],
        (false, Some(parts)) => parts.to_vec(),
        (false, None) => {
            return Err(format!(
                "the reason is neither in the message, {:?}, nor in the details, {:?}",
                failure.message, failure.details
            ));
        }
    };
    // Quotes may be escaped in the text for people.
    let plain = |text: &str| text.replace(['"', '\\', '\''], "");
    let text = plain(&failure.text);
    if reported.iter().all(|part| text.contains(&plain(part))) {
        Ok(())
    } else {
        Err(format!("the text lacks it: {:?}", failure.text))
    }
}

const STATUSES: [u16; 9] = [400, 401, 403, 404, 409, 413, 422, 429, 500];

fn observed_error_bodies() -> Rule {
    Rule::new(
        "error-mapping/observed-error-bodies",
        "programs and people get the reason of an error in whichever of the observed shapes it comes, and the status \
         decides the kind of the error",
        WILD,
        &FORMS,
        property(
            |case| {
                let form = usize::try_from(case).unwrap_or(0) % FORMS.len();
                (Just(form), select(STATUSES.to_vec()), reason()).boxed()
            },
            |(form, ..)| vec![FORMS[*form]],
            |harness, (form, status, reason)| {
                let failure = failure_of(harness, body(*form, *status, reason))?;
                is_status(&failure, *status)?;
                shows(&failure, reason)
            },
        ),
    )
}

fn html_error_pages() -> Rule {
    const EDGES: [&str; 4] = [
        "403",
        "another status",
        "html by its type",
        "html by its text",
    ];
    /// Claims about a token that only the service can make.
    const CLAIMS: [&str; 5] = [
        "lacks the right",
        "scope",
        "permission",
        "not authorized",
        "token is",
    ];
    Rule::new(
        "error-mapping/html-error-pages",
        "an HTML page in place of an error is reported by its status, without mark-up, and without a claim about the \
         token's scopes, which the service has not made",
        "a block page with 403 from a proxy was observed",
        &EDGES,
        property(
            |case| {
                let status = if case % 2 == 0 {
                    403
                } else {
                    [401, 404, 409, 500, 503][usize::try_from(case / 2 % 5).unwrap_or(0)]
                };
                let page = select(vec![
                    "<!DOCTYPE html>\n<html><head><title>Attention Required! | Cloudflare</title></head><body>\
                     <h1>Sorry, you have been blocked</h1></body></html>",
                    "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n\
                     <center><h1>403 Forbidden</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>",
                    "\n\n<HTML><BODY style='color:red'>\
                     Access denied by the web filter of the company.</BODY></HTML>",
                    "<?xml version=\"1.0\"?>\n<html xmlns=\"http://www.w3.org/1999/xhtml\">\
                     <body><p>Blocked</p></body></html>",
                ]);
                (Just(status), page, Just(case / 2 % 2 == 0)).boxed()
            },
            |(status, _, typed)| {
                let status = if *status == 403 { EDGES[0] } else { EDGES[1] };
                vec![status, if *typed { EDGES[2] } else { EDGES[3] }]
            },
            |harness, (status, page, typed)| {
                let mut reply = Reply::new(*status).body(*page);
                if *typed {
                    reply = reply.header("content-type", "text/html; charset=UTF-8");
                }
                let failure = failure_of(harness, reply)?;
                is_status(&failure, *status)?;
                let text = failure.text.to_lowercase();
                if !text.contains(&status.to_string()) {
                    return Err(format!("the text has no status: {text:?}"));
                }
                if let Some(mark) = ["<html", "<body", "<!doctype", "</"]
                    .iter()
                    .find(|mark| text.contains(**mark))
                {
                    return Err(format!("the text contains {mark}: {text:?}"));
                }
                match CLAIMS
                    .iter()
                    .find(|claim| *status == 403 && text.contains(**claim))
                {
                    Some(claim) => Err(format!("the text claims {claim:?}: {text:?}")),
                    None => Ok(()),
                }
            },
        ),
    )
}

fn error_text_is_bounded() -> Rule {
    const EDGES: [&str; 3] = ["a long reason", "many reasons", "a line break"];
    /// Maximum length of an error's text in characters.
    const MOST: usize = 2_000;
    Rule::new(
        "error-mapping/error-text-is-bounded",
        "the text of an error is one line of at most 2,000 characters, whatever its body holds",
        "this suite: everything from a server is unbounded",
        &EDGES,
        property(
            |case| {
                let form = usize::try_from(case / 3).unwrap_or(0) % FORMS.len();
                (Just(case % 3), Just(form), reason(), 300..1_000_usize).boxed()
            },
            |(kind, ..)| vec![EDGES[usize::try_from(*kind).unwrap_or(0)]],
            |harness, (kind, form, reason, times)| {
                let reply = match kind {
                    0 => body(*form, 400, &format!("{reason} ").repeat(*times)),
                    1 => {
                        let many = vec![reason; *times];
                        Reply::new(400).json(&match form {
                            0..=2 => json!({"errors": many}),
                            3..=5 => json!({"message": "Validation Error", "details": many}),
                            _ => json!({"msg": "Validation Failure", "problems": many}),
                        })
                    }
                    _ => body(*form, 400, &format!("{reason}\r\n\u{1b}[2J{reason}")),
                };
                let failure = failure_of(harness, reply)?;
                is_status(&failure, 400)?;
                let length = failure.text.chars().count();
                if length > MOST {
                    return Err(format!("the text has {length} characters"));
                }
                match failure
                    .text
                    .chars()
                    .find(|character| character.is_control())
                {
                    Some(control) => Err(format!("the text contains {control:?}")),
                    None => Ok(()),
                }
            },
        ),
    )
}
