//! The classification of transport errors.

use std::error::Error as StdError;
use std::io;

use crate::error::ErrorKind;

/// Returns the kind of a transport error.
pub(crate) fn kind_of_transport_error(error: &reqwest::Error) -> ErrorKind {
    // Connect before timeout: a connect timeout is both, and nothing was sent.
    if error.is_connect() && causes(error).any(is_certificate_error) {
        ErrorKind::InvalidCertificate
    } else if error.is_connect() {
        ErrorKind::Connect
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else if causes(error).any(is_closed_connection) {
        ErrorKind::ConnectionClosed
    } else {
        ErrorKind::Transport
    }
}

/// Whether the cause is an invalid certificate, which a retry does not change.
#[cfg(feature = "rustls")]
fn is_certificate_error(cause: &(dyn StdError + 'static)) -> bool {
    // The source of an I/O error skips the inner error.
    let inside = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match (inside, cause.downcast_ref()) {
        (Some(inside), _) => is_certificate_error(inside),
        (None, error) => matches!(error, Some(rustls::Error::InvalidCertificate(_))),
    }
}

#[cfg(not(feature = "rustls"))]
fn is_certificate_error(_: &(dyn StdError + 'static)) -> bool {
    false
}

fn is_closed_connection(cause: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return error.is_incomplete_message()
            || error.is_closed()
            || error.is_canceled()
            || error.is_body_write_aborted();
    }
    // HTTP/2 has frames for it, and h2 does not pass on the error of the connection.
    if let Some(error) = cause.downcast_ref::<h2::Error>() {
        let is_closing_frame = error.is_reset() || error.is_go_away();
        return error.is_io() || is_closing_frame && error.is_remote();
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof
        )
    })
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
