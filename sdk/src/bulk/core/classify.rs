//! The classification of failed requests by their meaning for the items in them.

use http::StatusCode;

use crate::error::{Error, ErrorKind};
use crate::retry::Failed;

/// The meaning of a failed request for the items in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The service does not accept some of the items, or does not accept anything.
    Refused,
    /// The request had too many bytes.
    TooLarge,
    /// No request of this run can succeed.
    Hopeless,
    /// Nothing was changed, for a reason that does not concern the items.
    NotSent,
    /// Some items may have been changed.
    Unknown,
}

/// Returns `true` if no request with this token can succeed.
pub(super) fn is_hopeless(kind: ErrorKind) -> bool {
    kind == ErrorKind::Unauthorized
}

/// Returns `true` if a refusal with this status is about the items, unless it is about everything.
///
/// Any other refusal, such as a 403, may come from a firewall and not repeat. An item then counts as rejected only if
/// it is refused alone twice.
pub(super) fn is_of_items(error: &Error) -> bool {
    matches!(
        error.status().map(|status| status.as_u16()),
        Some(400 | 404 | 409 | 413 | 422)
    )
}

/// Returns the meaning of a failed request with this number of items, including its earlier attempts.
pub(super) fn meaning(error: &Error, items: usize) -> Meaning {
    match error.kind() {
        // The service cannot accept such a batch at all, so it changed nothing and can be split.
        ErrorKind::PayloadTooLarge if items > 1 => Meaning::TooLarge,
        ErrorKind::PayloadTooLarge => Meaning::Refused,
        kind if is_of_content(kind, error.status()) => Meaning::Refused,
        _ if error.may_have_acted() => Meaning::Unknown,
        kind if is_hopeless(kind) => Meaning::Hopeless,
        ErrorKind::InvalidInput => Meaning::Hopeless,
        _ => Meaning::NotSent,
    }
}

/// Returns `true` if a failed attempt with this number of items may have changed any of them.
pub(crate) fn may_have_changed(failed: &Failed, items: usize, assume_atomic: bool) -> bool {
    let in_part = !assume_atomic && items > 1 && is_of_content(failed.kind, failed.status);
    failed.may_have_acted() || in_part
}

/// Returns `true` if the request may have been refused for its content. The service may then have changed the items
/// before the one at fault.
fn is_of_content(kind: ErrorKind, status: Option<StatusCode>) -> bool {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict => true,
        ErrorKind::UnexpectedStatus => status.is_some_and(|status| {
            status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
        }),
        _ => false,
    }
}
