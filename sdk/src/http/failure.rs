//! Errors of requests without a whole response.

use super::attempts::CallOptions;
use super::classify::kind_of_fault;
use super::token::Token;
use crate::error::{Error, ErrorKind, RetryStopped};
use crate::rate_limit::NotNow;

impl Error {
    /// The error of a request without a whole response.
    pub(crate) fn transport(error: reqwest::Error, token: &Token) -> Self {
        Self::set_up(error).without_token(token)
    }

    /// The error of a transport that cannot be set up.
    pub(crate) fn set_up(error: reqwest::Error) -> Self {
        Self::new(kind_of_fault(&error)).with_source(error)
    }

    /// The error of an attempt that timed out before the head of a response arrived.
    pub(crate) fn timed_out() -> Self {
        Self::new(ErrorKind::Timeout).with_reason("no response arrived")
    }

    /// The error of a response that the generated client could not use.
    pub(crate) fn other(reason: impl Into<std::sync::Arc<str>>) -> Self {
        Self::new(ErrorKind::Transport).with_reason(reason)
    }

    /// The error of a call without a single attempt.
    pub(crate) fn not_sent(why: NotNow, options: &CallOptions) -> Self {
        let error = Self::new(ErrorKind::NotSent);
        let error = match why {
            NotNow::Aborted => error.with_reason("the journal could not record the request"),
            NotNow::WaitTooLong(_) | NotNow::OutOfTime(_) => error,
        };
        error.not_again(why, options)
    }

    /// Adds why no attempt followed the last one.
    pub(crate) fn stopped(self, why: RetryStopped, options: &CallOptions) -> Self {
        self.with_retry_stopped(why, options.time_limit_of(why), None)
    }

    /// Adds why the next attempt was not sent.
    pub(crate) fn not_again(self, why: NotNow, options: &CallOptions) -> Self {
        let stopped = RetryStopped::from(why);
        self.with_retry_stopped(stopped, options.time_limit_of(stopped), why.pause())
    }
}
