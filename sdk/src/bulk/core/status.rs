//! The status of an item.

use std::fmt;
use std::sync::Arc;

use super::reason::Reason;
use super::stop::StopReason;
use crate::error::Error;
use crate::model::CollectionItem;

/// The status of an item at the end of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ItemStatus {
    /// The service accepted a request with the item. The response contains the item in its new state.
    ///
    /// Unless [`skip_invalid_files(false)`](crate::bulk::Bulk::skip_invalid_files) is set, the service may have skipped
    /// files or images of the item without reporting it.
    Updated(Box<CollectionItem>),
    /// An earlier run with the same journal updated the item. This run did not send it.
    AlreadyUpdated,
    /// The service refused the item, or no request can hold it. Sent unchanged, it will be rejected once more.
    ///
    /// If [`Error::may_have_acted`] is `true`, an earlier attempt, of this run or an earlier one, may have changed the
    /// item: check it.
    Rejected(Arc<Error>),
    /// An earlier run with the same journal recorded the item as rejected. This run did not send it.
    AlreadyRejected(Reason),
    /// No request with the item was sent, or none that can have changed it. It is safe to send.
    NotAttempted(NotAttempted),
    /// A request may have changed the item, and no response confirms it. If you resend it, the values end up the same,
    /// but Webflow imports files and images again.
    Unknown(Unknown),
}

/// The reason why an item was not attempted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NotAttempted {
    /// The source gave this error in place of the item.
    Source(Arc<dyn std::error::Error + Send + Sync>),
    /// The run stopped before the item was sent.
    Stopped(StopReason),
    /// Every attempt of its request failed without changing anything.
    NotSent(Arc<Error>),
    /// The result of an earlier update of the same item in the same locale is unknown. That update could arrive late.
    AfterUnknown,
    /// An earlier update of the same item in the same locale could not be sent. Updates keep their order: sent later,
    /// by a resumed run or from a dead-letter file, the earlier one would overwrite this one.
    AfterNotSent,
}

/// The reason why the result of an item is unknown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Unknown {
    /// The request failed with this error, and an attempt of this run or an earlier one may have acted.
    Failed(Arc<Error>),
    /// The service refused the batch, and the run does not assume that a refused batch changed nothing.
    Refused(Arc<Error>),
    /// The service accepted the batch, and the response lacks the item.
    NotReturned,
    /// The service accepted the batch, and the response has the item without its locale.
    Ambiguous,
    /// The run was cancelled or stopped after an attempt that may have acted.
    Cancelled,
    /// An earlier request with the item may have changed it: a failed request of this run, or a request of an earlier
    /// run with the same journal that has no recorded result.
    EarlierRequest,
}

/// The record of an update in the journal of earlier runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// No record, or only requests that changed nothing. A run sends the update.
    New,
    /// The update is made.
    Updated,
    /// The service rejected the update, for this reason.
    Rejected(Reason),
    /// A request may have made the update, and no result is recorded. The reason is `None` if the run ended before the
    /// request did.
    Unknown(Option<Reason>),
}

impl fmt::Display for ItemStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated(_) => formatter.write_str("updated"),
            Self::AlreadyUpdated => formatter.write_str("already updated by an earlier run"),
            Self::Rejected(error) => write!(formatter, "rejected: {error}"),
            Self::AlreadyRejected(reason) => {
                write!(formatter, "already rejected by an earlier run: {reason}")
            }
            Self::NotAttempted(why) => write!(formatter, "not attempted: {why}"),
            Self::Unknown(why) => write!(formatter, "unknown: {why}"),
        }
    }
}

impl NotAttempted {
    /// Returns the reason for dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source(_) => Reason::new("source", &self.to_string()),
            Self::Stopped(why) => why.reason(),
            Self::NotSent(error) => Reason::from_error(error),
            Self::AfterUnknown => Reason::new("after_unknown", &self.to_string()),
            Self::AfterNotSent => Reason::new("after_not_sent", &self.to_string()),
        }
    }
}

impl fmt::Display for NotAttempted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(formatter, "the source failed: {error}"),
            Self::Stopped(why) => why.fmt(formatter),
            Self::NotSent(error) => error.fmt(formatter),
            Self::AfterUnknown => formatter.write_str(
                "the result of an earlier update of the same item in the same locale is unknown",
            ),
            Self::AfterNotSent => formatter.write_str(
                "an earlier update of the same item in the same locale could not be sent",
            ),
        }
    }
}

impl Unknown {
    /// Returns the reason for journals and dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Failed(error) | Self::Refused(error) => Reason::from_error(error),
            Self::NotReturned => Reason::new("not_returned", &self.to_string()),
            Self::Ambiguous => Reason::new("ambiguous", &self.to_string()),
            Self::Cancelled => Reason::new("cancelled", &self.to_string()),
            Self::EarlierRequest => Reason::new("earlier_request", &self.to_string()),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Refused(error) => error.fmt(formatter),
            Self::NotReturned => formatter.write_str("the response lacks the item"),
            Self::Ambiguous => formatter.write_str("the response has the item without its locale"),
            Self::Cancelled => {
                formatter.write_str("the run ended after an attempt that may have acted")
            }
            Self::EarlierRequest => formatter.write_str(
                "an earlier request with the item may have changed it, and its result is unknown",
            ),
        }
    }
}
