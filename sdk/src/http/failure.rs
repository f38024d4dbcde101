//! Errors of requests without a complete response.

use super::attempts::CallOptions;
use super::classify::kind_of_transport_error;
use super::token::Token;
use crate::error::{Error, ErrorKind, RetryStopped};
use crate::rate_limit::NotAdmitted;

impl Error {
    /// Makes the error of a request without a complete response.
    pub(crate) fn transport(error: reqwest::Error, token: &Token) -> Self {
        Self::set_up(error).without_token(token)
    }

    /// Makes the error of a transport that cannot be set up.
    pub(crate) fn set_up(error: reqwest::Error) -> Self {
        Self::new(kind_of_transport_error(&error)).with_source(error)
    }

    /// Makes the error of an attempt that timed out before the head of a response arrived.
    pub(crate) fn timed_out() -> Self {
        Self::new(ErrorKind::Timeout).with_reason("no response arrived")
    }

    /// Makes the error of a request or response that the generated client could not use.
    pub(crate) fn other(reason: impl Into<std::sync::Arc<str>>) -> Self {
        Self::new(ErrorKind::Transport).with_reason(reason)
    }

    /// Makes the error of a call without an attempt.
    pub(crate) fn not_sent(reason: NotAdmitted, options: &CallOptions) -> Self {
        let error = Self::new(ErrorKind::NotSent);
        let error = match reason {
            NotAdmitted::Aborted => error.with_reason("the journal could not record the request"),
            NotAdmitted::WaitTooLong(_) | NotAdmitted::OutOfTime(_) => error,
        };
        error.not_retried(reason, options)
    }

    /// Adds the reason why the last attempt was not retried.
    pub(crate) fn stopped(self, reason: RetryStopped, options: &CallOptions) -> Self {
        self.with_retry_stopped(reason, options.time_limit_of(reason), None)
    }

    /// Adds the reason why a retry was not sent.
    pub(crate) fn not_retried(self, reason: NotAdmitted, options: &CallOptions) -> Self {
        let stopped = RetryStopped::from(reason);
        self.with_retry_stopped(stopped, options.time_limit_of(stopped), reason.pause())
    }
}
