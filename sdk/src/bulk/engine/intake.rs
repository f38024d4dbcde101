//! What the source gives, on its way into batches.

use std::sync::Arc;

use super::super::control::lock;
use super::super::journal::{Fingerprint, Position, Recorded};
use super::super::plan::Entry;
use super::super::source::SourceError;
use super::super::{InvalidRow, ItemStatus, NotAttempted, Outcome, SourceEnd, Unknown};
use super::group::Item;
use super::{ACCOUNTED_FOR, Engine, SILENCE_IN_ALL};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;

impl Engine {
    /// Takes what the source gave.
    pub(super) fn take(&mut self, taken: Option<Result<ItemUpdate, SourceError>>) {
        self.flush = false;
        if self.stopped.is_some() {
            self.read_after_stop += 1;
            if self.read_after_stop >= ACCOUNTED_FOR || self.waited >= SILENCE_IN_ALL {
                self.leave_source();
            }
        }
        let index = self.taken;
        match taken {
            None => {
                self.source_end = Some(SourceEnd::Ended);
            }
            Some(Err(error)) => {
                self.taken += 1;
                let row = error.downcast_ref::<InvalidRow>();
                let is_last = self.source.is_ended() || row.is_some_and(InvalidRow::ends_input);
                if is_last || !self.bulk.settings.continue_after_source_error {
                    self.source.end();
                    self.source_end = Some(SourceEnd::Failed {
                        index,
                        error: error.clone(),
                    });
                }
                let why = NotAttempted::Source(error);
                self.hand_out(Outcome::new(index, None, ItemStatus::NotAttempted(why)));
            }
            Some(Ok(update)) => {
                self.taken += 1;
                self.take_update(index, update);
            }
        }
    }

    fn take_update(&mut self, index: u64, update: ItemUpdate) {
        let line = match update.to_json() {
            Ok(line) => line,
            Err(error) => {
                let status = ItemStatus::Rejected(Arc::new(error));
                return self.hand_out(Outcome::new(index, Some(update), status));
            }
        };
        let most = self.bulk.settings.max_batch_bytes;
        if !self.planner.can_hold(line.len()) {
            let error = Error::from(InvalidInput::UpdateTooLarge {
                bytes: line.len(),
                most,
            });
            let status = ItemStatus::Rejected(Arc::new(error));
            return self.hand_out(Outcome::new(index, Some(update), status));
        }
        let fingerprint = Fingerprint::new(update.key(), &line);
        let (position, before) = self.look_up(index, fingerprint);
        let in_doubt = match &before {
            Recorded::Unknown(_) => true,
            Recorded::Rejected(reason) => reason.may_have_acted(),
            Recorded::New | Recorded::Updated => false,
        };
        let item = Item {
            position,
            update,
            in_doubt,
            attempts: Arc::default(),
        };
        let status = match before {
            Recorded::Unknown(_) if self.bulk.settings.resend_unknown => None,
            Recorded::Unknown(_) => {
                if !self.bulk.settings.continue_after_unknown {
                    self.block(item.update.key());
                }
                Some(ItemStatus::Unknown(Unknown::InDoubt))
            }
            Recorded::Updated => Some(ItemStatus::AlreadyUpdated),
            Recorded::Rejected(_) if self.bulk.settings.resend_rejected => None,
            Recorded::Rejected(reason) => Some(ItemStatus::RejectedBefore(reason)),
            Recorded::New => None,
        };
        match status {
            Some(status) => self.hand_out(Outcome::new(index, Some(item.update), status)),
            None if self.stopped.is_some() => self.not_attempted(item),
            None => self.plan(item, line.len()),
        }
    }

    /// What an earlier run has made of an item.
    fn look_up(&self, index: u64, fingerprint: Fingerprint) -> (Position, Recorded) {
        let Some(journal) = &self.journal else {
            let position = Position {
                index,
                fingerprint,
                after: 0,
                was_unknown: false,
            };
            return (position, Recorded::New);
        };
        let mut journal = lock(journal);
        let found = journal.look_up(index, fingerprint, self.bulk.settings.resend());
        if let Some(fault) = journal.take_fault() {
            self.control.journal_failed(fault);
        }
        found
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
}
