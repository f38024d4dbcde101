//! The ends of a run: why it stopped, and how its source ended.

use std::fmt;
use std::sync::Arc;

use super::reason::Reason;
use crate::error::{Error, ErrorKind, JournalError};

/// The reason why a run stopped before everything was sent. There is no other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// [`Handle::cancel`](crate::bulk::Handle::cancel) was called.
    Cancelled,
    /// The service rejected the token (401).
    Unauthorized(Arc<Error>),
    /// Consecutive requests were refused with the same error, and none was accepted in between. The likely cause is the
    /// collection, the permissions of the token, the site, or an error that all items have.
    ///
    /// It takes 12 refusals, at least 3 of them with a single item. For a [403](ErrorKind::Forbidden), the end of the
    /// source is also enough if nothing was accepted after it.
    RepeatedRefusal {
        /// The number of items that were refused alone.
        items: usize,
        /// The number of requests that were refused.
        requests: u32,
        /// The error of the last refusal.
        error: Arc<Error>,
    },
    /// Consecutive batches had no success; see
    /// [`max_consecutive_failures`](crate::bulk::Bulk::max_consecutive_failures).
    ConsecutiveFailures {
        /// The number of batches.
        batches: u32,
        /// The number of items in them.
        items: usize,
        /// The error of the last batch. `None` if the responses lacked the items.
        error: Option<Arc<Error>>,
    },
    /// Isolation took more requests than the [`isolation_limit`](crate::bulk::Bulk::isolation_limit).
    TooManyRejected {
        /// The number of rejected items.
        rejected: u64,
        /// The number of items that were sent and have a status.
        items: u64,
        /// The number of requests that isolation took.
        requests: u64,
        /// The error of the last refusal.
        error: Arc<Error>,
    },
    /// The journal cannot be used.
    Journal(Arc<JournalError>),
    /// A request could not be built or sent at all.
    Failed(Arc<Error>),
}

impl StopReason {
    /// Returns the reason for an error after which no request of the run can succeed.
    pub(crate) fn of(error: Arc<Error>) -> Self {
        match error.kind() {
            ErrorKind::Unauthorized => Self::Unauthorized(error),
            _ => Self::Failed(error),
        }
    }

    /// Returns the error of the last failed request.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Cancelled | Self::Journal(_) => None,
            Self::ConsecutiveFailures { error, .. } => error.as_deref(),
            Self::Unauthorized(error)
            | Self::RepeatedRefusal { error, .. }
            | Self::TooManyRejected { error, .. }
            | Self::Failed(error) => Some(error),
        }
    }

    /// Returns the reason for journals and dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let kind = match self {
            Self::Cancelled => "cancelled",
            Self::Unauthorized(error) | Self::Failed(error) => return Reason::from_error(error),
            Self::RepeatedRefusal { .. } => "repeated_refusal",
            Self::ConsecutiveFailures { .. } => "consecutive_failures",
            Self::TooManyRejected { .. } => "too_many_rejected",
            Self::Journal(_) => "journal",
        };
        Reason::new(kind, &self.to_string())
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => formatter.write_str("the run was cancelled"),
            Self::Unauthorized(error) | Self::Failed(error) => {
                write!(formatter, "stopped: {error}")
            }
            Self::RepeatedRefusal {
                items,
                requests,
                error,
            } => write!(
                formatter,
                "stopped after {requests} consecutive requests were refused with the same error, {items} of them with \
                 a single item; check the collection, the permissions of the token and what all items have in common: \
                 {error}"
            ),
            Self::ConsecutiveFailures {
                batches,
                items,
                error,
            } => {
                write!(
                    formatter,
                    "stopped after {batches} consecutive batches without a success ({items} items)"
                )?;
                match error {
                    Some(error) => write!(formatter, ": {error}"),
                    None => Ok(()),
                }
            }
            Self::TooManyRejected {
                rejected,
                items,
                requests,
                error,
            } => write!(
                formatter,
                "stopped after {requests} requests to isolate {rejected} rejected items of {items}; correct what they \
                 have in common, or raise isolation_limit: {error}"
            ),
            Self::Journal(error) => write!(formatter, "stopped: {error}"),
        }
    }
}

/// How the source of a run ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceEnd {
    /// The source was read to its end.
    Ended,
    /// The source was read up to an error. The items behind it have no status. See
    /// [`continue_after_source_error`](crate::bulk::Bulk::continue_after_source_error).
    Failed {
        /// The position of the error, counted from 0.
        index: u64,
        /// The error.
        error: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The run stopped, and did not read the source to its end: the source was idle for 1 second, or for 10 seconds in
    /// total, or had more than 100,000 further items. The items that were not read have no status.
    Abandoned,
}

impl fmt::Display for SourceEnd {
    /// Writes positions counted from 1.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => formatter.write_str("the source was read to its end"),
            Self::Failed { index, error } => write!(
                formatter,
                "the source failed at row {} and was not read further: {error}",
                index.saturating_add(1)
            ),
            Self::Abandoned => formatter.write_str("the source was not read to its end"),
        }
    }
}
