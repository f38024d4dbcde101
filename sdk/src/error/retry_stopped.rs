//! The reason why a request is not retried.

use std::fmt;

/// The reason why a request is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryStopped {
    /// The failure is permanent.
    NotRetryable,
    /// The service may have acted, and the policy does not retry then.
    Ambiguous,
    /// The policy allows no further attempt.
    AttemptsExhausted,
    /// The service asks for a longer wait than the policy allows.
    RetryAfterTooLong,
    /// The operation timeout ends before the next attempt could be sent.
    TimeoutExceeded,
    /// The retry budget of the client is exhausted.
    BudgetExhausted,
    /// The bulk run of the request has stopped, or could not write the request to its journal.
    Aborted,
}

impl RetryStopped {
    /// The reason in lower case with underscores, such as `retry_after_too_long`. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotRetryable => "not_retryable",
            Self::Ambiguous => "ambiguous",
            Self::AttemptsExhausted => "attempts_exhausted",
            Self::RetryAfterTooLong => "retry_after_too_long",
            Self::TimeoutExceeded => "timeout_exceeded",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Aborted => "aborted",
        }
    }
}

impl fmt::Display for RetryStopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotRetryable => "another attempt cannot help",
            Self::Ambiguous => "the service may have acted, and the policy does not retry then",
            Self::AttemptsExhausted => "the attempts of the policy are exhausted",
            Self::RetryAfterTooLong => "the service asks for a longer wait than max_retry_after",
            Self::TimeoutExceeded => "the operation timeout leaves no time for another attempt",
            Self::BudgetExhausted => "the retry budget of the client is exhausted",
            Self::Aborted => "the run has stopped, or could not write the request to its journal",
        })
    }
}
