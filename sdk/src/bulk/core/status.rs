//! What comes of an item, and why.

use std::fmt;
use std::sync::Arc;

use super::reason::Reason;
use super::stop::StopReason;
use crate::error::Error;
use crate::model::CollectionItem;

/// How an item is settled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ItemStatus {
    /// The service accepted a request with the item, and the response has it, with what it holds now.
    ///
    /// If files may be skipped, which is the service's default, a file or an image of it may have been: the service
    /// does not say so. See [`Bulk::skip_invalid_files`](crate::bulk::Bulk::skip_invalid_files).
    Updated(Box<CollectionItem>),
    /// An earlier run with the same journal has updated it. It was not sent again.
    AlreadyUpdated,
    /// It was refused: by the service, as the one that made a request be refused, or by this crate, because no request
    /// can hold it. Sent again as it is, it will be refused again.
    ///
    /// Where [`Error::may_have_acted`] is `true`, an earlier attempt with it, of this run or of one before, may have
    /// changed the item all the same: look at it.
    Rejected(Arc<Error>),
    /// An earlier run with the same journal has found that it is refused. It was not sent again.
    RejectedBefore(Reason),
    /// No request with it was sent, or none that can have changed it. It can be sent as if nothing had been.
    NotAttempted(NotAttempted),
    /// A request may have changed it, and it cannot be told whether one has. Who sends it again ends up with the same
    /// values, but Webflow imports files and images again.
    Unknown(Unknown),
}

/// Why an item was not attempted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NotAttempted {
    /// The source gave this error in its place.
    Source(Arc<dyn std::error::Error + Send + Sync>),
    /// The run has stopped before it was sent.
    Stopped(StopReason),
    /// Every attempt of its request failed in a way that changed nothing.
    NotSent(Arc<Error>),
    /// What became of an earlier update of the same item in the same locale is unknown, and that one could arrive late.
    AfterUnknown,
    /// An earlier update of the same item in the same locale could not be sent. It has to come first: sent later, by a
    /// resumed run or from a file of dead letters, it would overwrite this one.
    AfterNotSent,
}

/// Why it cannot be told whether an item was changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Unknown {
    /// The request failed with this error after the service may have acted, on this request or on one of an earlier run.
    Failed(Arc<Error>),
    /// The service refused the batch with this error, and the run does not assume that a refused batch changed nothing.
    Refused(Arc<Error>),
    /// The service accepted the batch, and its response lacks the item.
    NotReturned,
    /// The service accepted the batch, and its response has the item, but does not tell in which locale.
    Ambiguous,
    /// The run was cancelled, or has stopped, after a try that may have acted.
    Cancelled,
    /// An earlier request with it may have changed it: one of this run that failed, or one of an earlier run with the
    /// same journal, which was ended before it knew what came of it.
    InDoubt,
}

/// What the journal of earlier runs holds of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recorded {
    /// Nothing, or that it was sent only in requests that have certainly changed nothing. A run sends it.
    New,
    /// It is updated.
    Updated,
    /// The service has rejected it, for this reason.
    Rejected(Reason),
    /// A request with it may have changed the item, and it is not known whether one has. There is no reason where the
    /// run was ended before it knew what came of that request.
    Unknown(Option<Reason>),
}

impl fmt::Display for ItemStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updated(_) => formatter.write_str("updated"),
            Self::AlreadyUpdated => formatter.write_str("updated by an earlier run"),
            Self::Rejected(error) => write!(formatter, "rejected: {error}"),
            Self::RejectedBefore(reason) => {
                write!(formatter, "rejected by an earlier run: {reason}")
            }
            Self::NotAttempted(why) => write!(formatter, "not attempted: {why}"),
            Self::Unknown(why) => write!(formatter, "unknown: {why}"),
        }
    }
}

impl NotAttempted {
    /// The reason as it stands in a file of dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Source(_) => Reason::new("source", &self.to_string()),
            Self::Stopped(why) => why.reason(),
            Self::NotSent(error) => Reason::of(error),
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
                "what became of an earlier update of the same item in the same locale is unknown",
            ),
            Self::AfterNotSent => formatter.write_str(
                "an earlier update of the same item in the same locale could not be sent",
            ),
        }
    }
}

impl Unknown {
    /// The reason as it stands in a journal and in a file of dead letters.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Failed(error) | Self::Refused(error) => Reason::of(error),
            Self::NotReturned => Reason::new("not_returned", &self.to_string()),
            Self::Ambiguous => Reason::new("ambiguous", &self.to_string()),
            Self::Cancelled => Reason::new("cancelled", &self.to_string()),
            Self::InDoubt => Reason::new("in_doubt", &self.to_string()),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Refused(error) => error.fmt(formatter),
            Self::NotReturned => formatter.write_str("the response lacks the item"),
            Self::Ambiguous => formatter.write_str(
                "the response has the item, but does not tell in which locale",
            ),
            Self::Cancelled => {
                formatter.write_str("the run was ended after a try that may have acted")
            }
            Self::InDoubt => formatter.write_str(
                "an earlier request with it may have changed it, and it is not known what came of that",
            ),
        }
    }
}
