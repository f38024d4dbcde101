//! The classification of failed requests: what each says of the items in it.

use http::StatusCode;

use crate::error::{Error, ErrorKind};
use crate::retry::Failed;

/// The meaning of a failed request for the items in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The service accepts not all of the items, or nothing at all.
    Refused,
    /// The request had too many bytes.
    TooLarge,
    /// No request of this run can succeed.
    Hopeless,
    /// Nothing was changed, for reasons that have nothing to do with the items.
    NotSent,
    /// Some items may have been changed.
    Unknown,
}

/// Whether no request of this token can succeed.
pub(super) fn is_hopeless(kind: ErrorKind) -> bool {
    kind == ErrorKind::Unauthorized
}

/// Whether such a refusal is about items, unless it is about everything. Another one, such as a 403, may be the whim of a
/// firewall, so an item is sent alone a second time before it counts as rejected.
pub(super) fn is_of_items(error: &Error) -> bool {
    matches!(
        error.status().map(|status| status.as_u16()),
        Some(400 | 404 | 409 | 413 | 422)
    )
}

/// The meaning of a failed request with so many items, its earlier attempts included.
pub(super) fn meaning(error: &Error, items: usize) -> Meaning {
    match error.kind() {
        // The service can never accept such a batch, so nothing was changed and it can be split.
        ErrorKind::PayloadTooLarge if items > 1 => Meaning::TooLarge,
        ErrorKind::PayloadTooLarge => Meaning::Refused,
        kind if is_of_content(kind, error.status()) => Meaning::Refused,
        _ if error.may_have_acted() => Meaning::Unknown,
        kind if is_hopeless(kind) => Meaning::Hopeless,
        ErrorKind::InvalidInput => Meaning::Hopeless,
        _ => Meaning::NotSent,
    }
}

/// Whether a failed attempt with so many items may have changed any of them.
pub(crate) fn may_have_changed(failed: &Failed, items: usize, assume_atomic: bool) -> bool {
    let in_part = !assume_atomic && items > 1 && is_of_content(failed.kind, failed.status);
    failed.may_have_acted() || in_part
}

/// Whether a request may have been refused for the items in it. The service may have changed those before the one at
/// fault.
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
