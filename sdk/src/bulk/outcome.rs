//! What comes of an item.

use std::fmt;

use super::{InvalidRow, ItemStatus, NotAttempted, NotUpdated, Reason};
use crate::error::Error;
use crate::error::Printable;
use crate::id::ItemKey;
use crate::model::ItemUpdate;

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
