//! From a fault of the transport to an error.

use std::error::Error as StdError;
use std::io;

use super::{End, Error, ErrorKind};
use crate::Token;
use crate::pace::NotNow;
use crate::tries::CallOptions;

impl From<NotNow> for End {
    fn from(why: NotNow) -> Self {
        let pause = match why {
            NotNow::WaitTooLong(pause) | NotNow::DeadlineTooNear(pause) => Some(pause),
            NotNow::Forbidden => None,
        };
        Self {
            why: why.into(),
            pause,
        }
    }
}

impl Error {
    /// The error for a request that got no whole answer.
    pub(crate) fn transport(error: reqwest::Error, token: &Token) -> Self {
        Self::set_up(error).without_token(token)
    }

    /// The error for a transport that cannot be set up.
    pub(crate) fn set_up(error: reqwest::Error) -> Self {
        Self::new(kind(&error)).with_source(error)
    }

    /// The error for a try whose time ran out before the head of an answer came.
    pub(crate) fn timed_out() -> Self {
        Self::new(ErrorKind::Timeout).with_reason("no answer came")
    }

    /// The error for a call of which nothing was sent.
    pub(crate) fn not_sent(why: NotNow, options: &CallOptions) -> Self {
        let error = Self::new(ErrorKind::NotSent);
        let error = match why {
            NotNow::Forbidden => {
                error.with_reason("it could not be recorded that it was about to be sent")
            }
            NotNow::WaitTooLong(_) | NotNow::DeadlineTooNear(_) => error,
        };
        error.given_up(why.into(), options)
    }

    /// The error for an answer that the generated client could not make use of.
    pub(crate) fn other(reason: impl Into<std::sync::Arc<str>>) -> Self {
        Self::new(ErrorKind::Transport).with_reason(reason)
    }
}

pub(crate) fn kind(error: &reqwest::Error) -> ErrorKind {
    // A connection that takes too long is both; what counts is that nothing was sent.
    if error.is_connect() && causes(error).any(is_distrust) {
        ErrorKind::Untrusted
    } else if error.is_connect() {
        ErrorKind::Connect
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else if causes(error).any(is_cut) {
        ErrorKind::ConnectionCut
    } else {
        ErrorKind::Transport
    }
}

/// Whether it is about a certificate, which will be no other after a wait.
#[cfg(feature = "rustls")]
fn is_distrust(cause: &(dyn StdError + 'static)) -> bool {
    // An I/O error names as its source that of the error inside, and not the error itself.
    let inside = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match (inside, cause.downcast_ref()) {
        (Some(inside), _) => is_distrust(inside),
        (None, error) => matches!(error, Some(rustls::Error::InvalidCertificate(_))),
    }
}

#[cfg(not(feature = "rustls"))]
fn is_distrust(_: &(dyn StdError + 'static)) -> bool {
    false
}

fn is_cut(cause: &(dyn StdError + 'static)) -> bool {
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
