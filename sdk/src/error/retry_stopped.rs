//! The reason why a call was not retried.

use std::fmt;

/// The reason why a call was not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryStopped {
    /// The failure is permanent, see [`Error::is_retryable`](crate::Error::is_retryable).
    NotRetryable,
    /// The service may have acted, and the policy is set to
    /// [`retry_ambiguous(false)`](crate::RetryPolicy::retry_ambiguous).
    Ambiguous,
    /// The call has reached [`RetryPolicy::max_attempts`](crate::RetryPolicy::max_attempts).
    AttemptsExhausted,
    /// The service requests a longer wait than
    /// [`RetryPolicy::max_retry_after`](crate::RetryPolicy::max_retry_after).
    RetryAfterTooLong,
    /// The operation timeout leaves no time for another attempt.
    TimeoutExceeded,
    /// The [`RetryBudget`](crate::retry::RetryBudget) of the client is exhausted.
    BudgetExhausted,
    /// The bulk run has stopped, or could not write the request to its journal.
    Aborted,
}

impl RetryStopped {
    /// Returns the reason in lower case with underscores, such as `retry_after_too_long`. The name is stable.
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
            Self::NotRetryable => "the failure is permanent",
            Self::Ambiguous => "the service may have acted, and the policy does not retry then",
            Self::AttemptsExhausted => "the attempts of the policy are exhausted",
            Self::RetryAfterTooLong => "the service requests a longer wait than max_retry_after",
            Self::TimeoutExceeded => "the operation timeout leaves no time for another attempt",
            Self::BudgetExhausted => "the retry budget of the client is exhausted",
            Self::Aborted => "the run has stopped or could not write the request to its journal",
        })
    }
}
