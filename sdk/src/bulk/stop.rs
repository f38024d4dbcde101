//! How a run ends before all is sent, and how its source ends.

use std::fmt;
use std::sync::Arc;

use super::{JournalError, Reason};
use crate::error::{Error, ErrorKind};

/// Why a run stopped before everything was sent. Nothing else stops one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StopReason {
    /// [`Handle::cancel`](super::Handle::cancel) was called.
    Cancelled,
    /// The service does not accept the token (401).
    Unauthorized(Arc<Error>),
    /// Everything that was asked was refused alike and nothing was accepted in between, so that the cause is likely to be
    /// the collection, the rights of the token or the site, or the same fault in all items. This is concluded after 12
    /// refusals in a row, at least 3 of them of an item alone; a [403](ErrorKind::Forbidden) also at the end of the source,
    /// if nothing was accepted after it.
    RefusedAlike {
        /// How many items were refused alone.
        items: usize,
        /// How many requests were refused.
        requests: u32,
        /// The refusal.
        error: Arc<Error>,
    },
    /// Nothing was updated by one batch after the other; see [`max_consecutive_failures`](super::Bulk::max_consecutive_failures).
    ConsecutiveFailures {
        /// How many batches in a row.
        batches: u32,
        /// How many items they held.
        items: usize,
        /// The last failure; `None` if the responses lacked the items.
        error: Option<Arc<Error>>,
    },
    /// So many items are rejected that finding them takes more requests than
    /// [`isolation_limit`](super::Bulk::isolation_limit) grants.
    TooManyRejected {
        /// How many items were rejected.
        rejected: u64,
        /// How many items the batches held that are settled.
        items: u64,
        /// How many requests it took to find the rejected ones.
        requests: u64,
        /// The last refusal.
        error: Arc<Error>,
    },
    /// The journal cannot be used.
    Journal(Arc<JournalError>),
    /// A request could not be made at all.
    Failed(Arc<Error>),
}

impl StopReason {
    /// The reason for an error with which no request of the run can succeed.
    pub(crate) fn of(error: Arc<Error>) -> Self {
        match error.kind() {
            ErrorKind::Unauthorized => Self::Unauthorized(error),
            _ => Self::Failed(error),
        }
    }

    /// What the service, or this crate, said last.
    #[must_use]
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Cancelled | Self::Journal(_) => None,
            Self::ConsecutiveFailures { error, .. } => error.as_deref(),
            Self::Unauthorized(error)
            | Self::RefusedAlike { error, .. }
            | Self::TooManyRejected { error, .. }
            | Self::Failed(error) => Some(error),
        }
    }

    /// The reason as it stands in a file of dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let kind = match self {
            Self::Cancelled => "cancelled",
            Self::Unauthorized(error) | Self::Failed(error) => return Reason::of(error),
            Self::RefusedAlike { .. } => "refused_alike",
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
                write!(formatter, "the run stopped: {error}")
            }
            Self::RefusedAlike {
                items,
                requests,
                error,
            } => write!(
                formatter,
                "the run stopped, since {requests} requests in a row were refused alike, {items} of them with one item \
                 alone: the collection, the rights of the token or the site may be at fault, or all items in the same \
                 way; {error}"
            ),
            Self::ConsecutiveFailures {
                batches,
                items,
                error,
            } => {
                write!(
                    formatter,
                    "the run stopped after {batches} consecutive batches with {items} items of which none was updated"
                )?;
                match error {
                    Some(error) => write!(formatter, "; {error}"),
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
                "the run stopped, since {rejected} of {items} items were rejected and it took {requests} requests to \
                 find them: correct what they have in common, or set isolation_limit; {error}"
            ),
            Self::Journal(error) => write!(formatter, "the run stopped: {error}"),
        }
    }
}

/// How the source of a run ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SourceEnd {
    /// It was read to its end.
    Ended,
    /// It was read up to an error, and what comes behind it is not in the account. See
    /// [`continue_after_source_error`](super::Bulk::continue_after_source_error).
    Failed {
        /// The position of the error, counted from 0.
        index: u64,
        /// The error.
        error: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// It was not read on: the run stopped, and the source gave nothing for a second, or for ten in all, or did not end within 100,000
    /// items. What is left of it is not in the account.
    NotReadOn,
}

impl fmt::Display for SourceEnd {
    /// Positions are counted from 1.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => formatter.write_str("the source was read to its end"),
            Self::Failed { index, error } => write!(
                formatter,
                "the source was read up to row {} and no further: {error}",
                index.saturating_add(1)
            ),
            Self::NotReadOn => formatter.write_str("the source was not read to its end"),
        }
    }
}
