//! The outcome of an item.

use std::fmt;

use super::{DeadLetterReason, InvalidRow, ItemStatus, NotAttempted, Reason};
use crate::error::Error;
use crate::error::Printable;
use crate::id::ItemKey;
use crate::model::ItemUpdate;

/// The outcome of one item of a run. Every item that a run takes from its source has exactly one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The position of the item in the source, counted from 0. An error of the source has a position too.
    pub index: u64,
    /// The update. `None` if the source gave an error in its place.
    pub update: Option<ItemUpdate>,
    /// The status of the item.
    pub status: ItemStatus,
    /// The slugs of fields that were sent and that the response lacks. Webflow drops the value of a field that was
    /// added to the collection and is not published yet.
    pub missing_fields: Vec<Box<str>>,
}

impl fmt::Display for Outcome {
    /// Writes `item 66f6ed9576ddacf3149d5ea6 (row 12): rejected: …`. Rows are counted from 1.
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

    /// Returns the outcome with an update that contains the id and locale only.
    pub(crate) fn without_content(&self) -> Self {
        Self {
            update: self.key().map(ItemUpdate::of_key),
            ..self.clone()
        }
    }

    /// Returns the item and locale of the update.
    #[must_use]
    pub fn key(&self) -> Option<ItemKey> {
        self.update.as_ref().map(ItemUpdate::key)
    }

    /// Returns `true` if this run or an earlier one updated the item.
    #[must_use]
    pub fn is_updated(&self) -> bool {
        matches!(
            self.status,
            ItemStatus::Updated(_) | ItemStatus::AlreadyUpdated
        )
    }

    /// Returns the line for a dead-letter file without its line break, or `None` if the item is updated.
    ///
    /// The line is the update as it stands in the input, with the reason in a member `error`. [`ItemUpdate::from_json`]
    /// ignores that member, so a corrected dead-letter file is an input.
    ///
    /// An [`InvalidRow`] of the source, or one that caused an error of the source, is written with its
    /// [text](InvalidRow::dead_letter). Any other error of the source is written with its position, counted from 1:
    ///
    /// ```text
    /// {"invalid":null,"row":12,"error":{"outcome":"not_attempted","kind":"source","message":"…"}}
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ItemUpdate::to_json`].
    pub fn dead_letter(&self) -> Result<Option<String>, Error> {
        let Some(update) = &self.update else {
            return self.letter_without_update();
        };
        let line = match &self.status {
            ItemStatus::Updated(_) | ItemStatus::AlreadyUpdated => return Ok(None),
            ItemStatus::Rejected(error) => {
                DeadLetterReason::Rejected(&Reason::from_error(error)).line(update)
            }
            ItemStatus::AlreadyRejected(reason) => DeadLetterReason::Rejected(reason).line(update),
            ItemStatus::NotAttempted(why) => {
                DeadLetterReason::NotAttempted(&why.reason()).line(update)
            }
            ItemStatus::Unknown(why) => DeadLetterReason::Unknown(&why.reason()).line(update),
        };
        line.map(Some)
    }

    fn letter_without_update(&self) -> Result<Option<String>, Error> {
        let ItemStatus::NotAttempted(why) = &self.status else {
            return Ok(None);
        };
        let row = match why {
            NotAttempted::Source(error) => InvalidRow::find(&**error),
            _ => None,
        };
        match row {
            Some(row) => row.dead_letter(),
            None => DeadLetterReason::NotAttempted(&why.reason()).line_without_update(self.index),
        }
        .map(Some)
    }
}
