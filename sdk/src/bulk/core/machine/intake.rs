//! What the source gives, on its way into batches.

use std::sync::Arc;
use std::time::Duration;

use super::super::group::Item;
use super::super::plan::Entry;
use super::super::status::{ItemStatus, NotAttempted, Recorded, Unknown};
use super::super::stop::SourceEnd;
use super::{Command, Given, Machine};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;

/// For how long a stopped run waits for its source in all, so that one which gives something now and then ends too.
const SILENCE_IN_ALL: Duration = Duration::from_secs(10);

/// How many updates of the source are read once the run has stopped, only to be accounted for.
const ACCOUNTED_FOR: u64 = 100_000;

impl Machine {
    /// The line of JSON of an update.
    ///
    /// # Errors
    ///
    /// No request can hold the update: it has no JSON, or too much of it.
    pub(crate) fn line(&self, update: &ItemUpdate) -> Result<String, Error> {
        let line = update.to_json()?;
        if self.planner.can_hold(line.len()) {
            return Ok(line);
        }
        let (bytes, most) = (line.len(), self.rules.limits.bytes);
        Err(InvalidInput::UpdateTooLarge { bytes, most }.into())
    }

    /// Takes what the source gave, after it was waited for.
    pub(super) fn take(&mut self, given: Given, waited: Duration) {
        self.flush = false;
        if self.stopped.is_some() {
            self.waited += waited;
            self.read_after_stop += 1;
            if self.read_after_stop >= ACCOUNTED_FOR || self.waited >= SILENCE_IN_ALL {
                self.leave_source();
            }
        }
        let index = self.totals.taken;
        self.totals.taken += u64::from(!matches!(given, Given::End));
        match given {
            Given::End => self.source_end = Some(SourceEnd::Ended),
            Given::Failed { error, is_last } => {
                let ends = is_last || !self.rules.continue_after_source_error;
                if ends || self.source_end.is_some() {
                    self.leave_source();
                    self.source_end = Some(SourceEnd::Failed {
                        index,
                        error: error.clone(),
                    });
                }
                let why = NotAttempted::Source(error);
                self.hand_out(index, None, ItemStatus::NotAttempted(why));
            }
            Given::Invalid { update, error } => {
                let rejected = ItemStatus::Rejected(Arc::new(error));
                self.hand_out(index, Some(update), rejected);
            }
            Given::Update {
                update,
                bytes,
                recorded,
            } => self.take_update(index, update, bytes, recorded),
        }
    }

    fn take_update(&mut self, index: u64, update: ItemUpdate, bytes: usize, recorded: Recorded) {
        let in_doubt = match &recorded {
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
                Some(ItemStatus::Unknown(Unknown::InDoubt))
            }
            Recorded::Updated => Some(ItemStatus::AlreadyUpdated),
            Recorded::Rejected(_) if self.rules.resend_rejected => None,
            Recorded::Rejected(reason) => Some(ItemStatus::RejectedBefore(reason)),
            Recorded::New => None,
        };
        let item = Item::new(index, update, in_doubt);
        match status {
            Some(status) => self.hand_out(index, Some(item.update), status),
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

    /// The source has given nothing for a while: the items at hand are sent; or, if the run has stopped, the rest of the
    /// source is left.
    pub(super) fn silent(&mut self) {
        match self.stopped {
            Some(_) => self.leave_source(),
            None => self.flush = true,
        }
    }

    /// Reads no more of the source.
    fn leave_source(&mut self) {
        if self.source_end.is_none() {
            self.source_end = Some(SourceEnd::NotReadOn);
            self.commands.push(Command::LeaveSource);
        }
    }
}
