//! What comes of an item.

use std::fmt;
use std::sync::Arc;

use super::{InvalidRow, NotUpdated, Reason, StopReason};
use crate::error::Error;
use crate::error::Printable;
use crate::id::ItemKey;
use crate::model::{CollectionItem, ItemUpdate};

/// What came of one item of a run. Every item that a run takes from its source has one, and only one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The position of the item in the source, counted from 0. An error of the source has a position too.
    pub index: u64,
    /// The update, given back. None if the source gave an error in its place.
    pub update: Option<ItemUpdate>,
    /// What came of it.
    pub status: ItemStatus,
    /// The slugs of fields that were sent and that the updated item in the response does not have: Webflow drops the value
    /// of a field that was added to the collection and not published yet.
    pub missing_fields: Vec<Box<str>>,
}

/// How an item is settled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ItemStatus {
    /// The service accepted a request with the item, and the answer has it, with what it holds now.
    ///
    /// If files may be skipped, which is the service's default, a file or an image of it may have been: the service
    /// does not say so. See [`Bulk::skip_invalid_files`](super::Bulk::skip_invalid_files).
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

impl fmt::Display for Outcome {
    /// `item 66f6ed9576ddacf3149d5ea6 (row 12): rejected: …`. Rows are counted from 1.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.index.saturating_add(1);
        match self.key() {
            Some(key) => write!(formatter, "item {key} (row {row}): {}", self.status)?,
            None => write!(formatter, "row {row}: {}", self.status)?,
        }
        if !self.missing_fields.is_empty() {
            let fields = self.missing_fields.join(", ");
            write!(
                formatter,
                ", but the response lacks these fields, which were sent: {}",
                Printable::new(&fields)
            )?;
        }
        Ok(())
    }
}

impl Outcome {
    pub(crate) fn new(index: u64, update: Option<ItemUpdate>, status: ItemStatus) -> Self {
        let missing_fields = match (&status, &update) {
            (ItemStatus::Updated(item), Some(update)) => update.missing_fields(item),
            _ => Vec::new(),
        };
        Self {
            index,
            update,
            status,
            missing_fields,
        }
    }

    /// The same with an update that changes nothing, which tells what it addresses.
    pub(crate) fn without_content(&self) -> Self {
        Self {
            update: self.key().map(ItemUpdate::of_key),
            ..self.clone()
        }
    }

    /// What the update addresses.
    #[must_use]
    pub fn key(&self) -> Option<ItemKey> {
        self.update.as_ref().map(ItemUpdate::key)
    }

    /// Whether the item is updated, by this run or an earlier one.
    #[must_use]
    pub fn is_updated(&self) -> bool {
        matches!(
            self.status,
            ItemStatus::Updated(_) | ItemStatus::AlreadyUpdated
        )
    }

    /// The line for a file of dead letters, if the item was not updated, without a line break at its end.
    ///
    /// It is the update as the input has it, with the reason in a member `error`. In place of an update, an
    /// [`InvalidRow`] of the source, or one that caused an error of the source, is written with its
    /// [text](InvalidRow::dead_letter), and any other error of the source with its position, counted from 1:
    ///
    /// ```text
    /// {"unreadable":null,"row":12,"error":{"outcome":"not_attempted","kind":"source","message":"…"}}
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ItemUpdate::to_json`].
    pub fn dead_letter(&self) -> Result<Option<String>, Error> {
        let Some(update) = &self.update else {
            return self.unreadable_letter();
        };
        let reason = |error: &Error| Reason::of(error);
        let line = match &self.status {
            ItemStatus::Updated(_) | ItemStatus::AlreadyUpdated => return Ok(None),
            ItemStatus::Rejected(error) => NotUpdated::Rejected(&reason(error)).line(update),
            ItemStatus::RejectedBefore(reason) => NotUpdated::Rejected(reason).line(update),
            ItemStatus::NotAttempted(why) => NotUpdated::NotAttempted(&why.reason()).line(update),
            ItemStatus::Unknown(why) => NotUpdated::Unknown(&why.reason()).line(update),
        };
        line.map(Some)
    }

    fn unreadable_letter(&self) -> Result<Option<String>, Error> {
        let ItemStatus::NotAttempted(why) = &self.status else {
            return Ok(None);
        };
        let row = match why {
            NotAttempted::Source(error) => InvalidRow::find(&**error),
            _ => None,
        };
        match row {
            Some(row) => row.dead_letter(),
            None => NotUpdated::NotAttempted(&why.reason()).line_without_update(self.index),
        }
        .map(Some)
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
