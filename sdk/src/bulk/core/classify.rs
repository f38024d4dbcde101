//! The classification of failed requests: what each says of the items in it.

use http::StatusCode;

use crate::error::{Error, ErrorKind};
use crate::retry::Failed;

/// What a request's failure says about the items in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Something in the batch is not accepted, or nothing is that is sent.
    Refused,
    /// The request had too many bytes.
    TooLarge,
    /// No request of this run can succeed.
    Hopeless,
    /// Nothing was changed, for reasons that are not the items'.
    NotSent,
    /// Something may have been changed.
    Unknown,
}

/// Whether no request of this token can succeed.
pub(super) fn is_hopeless(kind: ErrorKind) -> bool {
    kind == ErrorKind::Unauthorized
}

/// Whether such a refusal speaks of items, if it does not speak of everything. Another one, such as a 403, may be the
/// whim of a firewall, so an item is asked for a second time before it is held for rejected.
pub(crate) fn is_of_items(error: &Error) -> bool {
    matches!(
        error.status().map(|status| status.as_u16()),
        Some(400 | 404 | 409 | 413 | 422)
    )
}

/// What a failure of a request with so many items means, its earlier attempts included.
pub(super) fn meaning(error: &Error, items: usize) -> Meaning {
    match error.kind() {
        // The batch as it is can never be accepted, so the others in it can be told apart from those at fault.
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

/// Whether a request may have been refused for the items in it. Whoever did may have changed those before the one at
/// fault.
fn is_of_content(kind: ErrorKind, status: Option<StatusCode>) -> bool {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict => true,
        ErrorKind::OtherStatus => status.is_some_and(|status| {
            status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
        }),
        _ => false,
    }
}
