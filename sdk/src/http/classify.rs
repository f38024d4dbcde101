//! Classification of transport errors.

use std::error::Error as StdError;
use std::io;

use crate::error::ErrorKind;

/// The kind of a transport error.
pub(crate) fn kind_of_fault(error: &reqwest::Error) -> ErrorKind {
    // A connection that takes too long is both; what counts is that nothing was sent.
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

/// Whether it is about a certificate, which will be no other after a wait.
#[cfg(feature = "rustls")]
fn is_certificate_error(cause: &(dyn StdError + 'static)) -> bool {
    // An I/O error names as its source that of the error inside, and not the error itself.
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
    // HTTP/2 has words for it, and does not hand on what the connection itself said.
    if let Some(error) = cause.downcast_ref::<h2::Error>() {
        let given_up = error.is_reset() || error.is_go_away();
        return error.is_io() || given_up && error.is_remote();
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
