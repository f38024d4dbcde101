//! What an error says, and what to do about it.

use std::error::Error as _;

use webflow_cms::error::ErrorDetail;
use webflow_cms::spec::REQUIRED_SCOPE;
use webflow_cms::{Error, ErrorKind};

/// Everything that an error of the API says, one thing a line. What the service said is quoted, so that no terminal
/// acts on it.
pub(crate) fn explain(error: &Error) -> String {
    let mut lines = vec![error.to_string()];
    let mut add = |name: &str, value: String| lines.push(format!("  {name:<15} {value}"));
    add("kind", format!("{:?}", error.kind()));
    if let Some(status) = error.status() {
        add("status", status.to_string());
    }
    if let Some(code) = error.code() {
        add("code", format!("{code:?}"));
    }
    if let Some(message) = error.message() {
        add("message", format!("{message:?}"));
    }
    for detail in error.details() {
        add("detail", one_detail(detail));
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        add("cause", error.to_string());
        cause = error.source();
    }
    let acted = match error.may_have_acted() {
        true => "yes: some or all items of this batch may have changed",
        false => "no",
    };
    add("may have acted", acted.to_owned());
    add("what to do", what_to_do(error));
    lines.join("\n")
}

fn one_detail(detail: &ErrorDetail) -> String {
    match (detail.field(), detail.message()) {
        (Some(field), Some(message)) => format!("{field:?}: {message:?}"),
        (None, Some(message)) => format!("{message:?}"),
        _ => format!("{:?}", detail.raw().to_string()),
    }
}

fn what_to_do(error: &Error) -> String {
    match error.kind() {
        ErrorKind::BadRequest => {
            "mend the item at fault; if the details do not tell which it is, the example bulk_update finds it"
        }
        ErrorKind::Unauthorized => "check the token: it is wrong, or revoked",
        ErrorKind::Forbidden => return format!("give the token the scope {REQUIRED_SCOPE}"),
        ErrorKind::NotFound => "check the id of the collection, and that each item exists in the locale",
        ErrorKind::PayloadTooLarge => "send fewer items a request",
        _ if error.is_retryable() => return try_again(error),
        _ => "look at the items on Webflow before you send them again",
    }
    .to_owned()
}

fn try_again(error: &Error) -> String {
    let when = match error.retry_after() {
        Some(wait) => format!("in {} seconds", wait.as_secs()),
        None => "later".to_owned(),
    };
    if error.may_have_acted() {
        format!(
            "send the batch again {when}; it ends in the same content, but files and images are imported once more"
        )
    } else {
        format!("send the batch again {when}")
    }
}
