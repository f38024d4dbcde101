//! The intake: items of the source on their way into batches.

use std::sync::Arc;
use std::time::Duration;

use super::super::group::Item;
use super::super::plan::Entry;
use super::super::status::{ItemStatus, NotAttempted, Recorded, Unknown};
use super::super::stop::SourceEnd;
use super::{Command, Given, Machine};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;

/// The time that a stopped run waits for its source in total, so that a slow source ends too.
const SILENCE_IN_ALL: Duration = Duration::from_secs(10);

/// The number of updates that a stopped run reads only to give them a status.
const MAX_READ_AFTER_STOP: u64 = 100_000;

impl Machine {
    /// Returns the line of JSON of an update.
    ///
    /// # Errors
    ///
    /// If no request can contain the update: it does not serialize, or is too large.
    pub(crate) fn line(&self, update: &ItemUpdate) -> Result<String, Error> {
        let line = update.to_json()?;
        if self.planner.can_hold(line.len()) {
            return Ok(line);
        }
        let (bytes, most) = (line.len(), self.rules.limits.bytes);
        Err(InvalidInput::UpdateTooLarge { bytes, most }.into())
    }

    /// Handles an item of the source or its end.
    pub(super) fn take(&mut self, given: Given, waited: Duration) {
        self.flush = false;
        if self.stopped.is_some() {
            self.waited += waited;
            self.read_after_stop += 1;
            if self.read_after_stop >= MAX_READ_AFTER_STOP || self.waited >= SILENCE_IN_ALL {
                self.drop_source();
            }
        }
        let index = self.totals.taken;
        self.totals.taken += u64::from(!matches!(given, Given::End));
        match given {
            Given::End => self.source_end = Some(SourceEnd::Ended),
            Given::Failed { error, is_last } => {
                let ends = is_last || !self.rules.continue_after_source_error;
                if ends || self.source_end.is_some() {
                    self.drop_source();
                    self.source_end = Some(SourceEnd::Failed {
                        index,
                        error: error.clone(),
                    });
                }
                let why = NotAttempted::Source(error);
                self.emit(index, None, ItemStatus::NotAttempted(why));
            }
            Given::Invalid { update, error } => {
                let rejected = ItemStatus::Rejected(Arc::new(error));
                self.emit(index, Some(update), rejected);
            }
            Given::Update {
                update,
                bytes,
                recorded,
            } => self.take_update(index, update, bytes, recorded),
        }
    }

    fn take_update(&mut self, index: u64, update: ItemUpdate, bytes: usize, recorded: Recorded) {
        let may_have_changed = match &recorded {
            Recorded::Unknown(_) => true,
            Recorded::Rejected(reason) => reason.may_have_acted(),
            Recorded::New | Recorded::Updated => false,
        };
        let status = match recorded {
            Recorded::Unknown(_) if self.rules.resend_unknown => None,
            Recorded::Unknown(_) => {
                if !self.rules.continue_after_unknown {
                    self.block(update.key());
                }
                Some(ItemStatus::Unknown(Unknown::EarlierRequest))
            }
            Recorded::Updated => Some(ItemStatus::AlreadyUpdated),
            Recorded::Rejected(_) if self.rules.resend_rejected => None,
            Recorded::Rejected(reason) => Some(ItemStatus::AlreadyRejected(reason)),
            Recorded::New => None,
        };
        let item = Item::new(index, update, may_have_changed);
        match status {
            Some(status) => self.emit(index, Some(item.update), status),
            None if self.stopped.is_some() => self.not_attempted(item),
            None => self.plan(item, bytes),
        }
    }

    fn plan(&mut self, item: Item, bytes: usize) {
        let entry = Entry {
            key: item.update.key(),
            bytes,
            payload: item,
        };
        if let Err(entry) = self.planner.push(entry) {
            self.hold_back_after_earlier(entry.payload);
        }
    }

    /// Handles an idle source: sends batches that are not full, or drops the source if the run has stopped.
    pub(super) fn silent(&mut self) {
        match self.stopped {
            Some(_) => self.drop_source(),
            None => self.flush = true,
        }
    }

    /// Stops reading the source.
    fn drop_source(&mut self) {
        if self.source_end.is_none() {
            self.source_end = Some(SourceEnd::Abandoned);
            self.commands.push(Command::DropSource);
        }
    }
}
