//! The account: each item gets exactly one status.

use super::super::group::{Group, GroupId, Item};
use super::super::status::{ItemStatus, NotAttempted};
use super::super::stop::StopReason;
use super::{Command, ItemResult, Machine};
use crate::id::ItemKey;
use crate::model::Batch;
use crate::model::ItemUpdate;

/// Whether the next update of a key may be sent when the one before has its status.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextOfKey {
    Free,
    Blocked,
}

impl Machine {
    /// Ends a group without items to send. Its items without a status return to the planner.
    pub(super) fn end_group(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        self.planner.put_back(group.take_rest());
        if group.is_halved {
            return;
        }
        self.totals.batches += 1;
        self.count_failures(&group);
    }

    /// Ends a group of a stopped run.
    pub(super) fn abandon_group(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        group.release_held();
        for entry in group.take_rest() {
            self.not_attempted(entry.payload);
        }
    }

    /// Stops the run after too many consecutive batches without a success.
    fn count_failures(&mut self, group: &Group) {
        if group.has_updated {
            self.failures = (0, 0);
            return;
        }
        self.failures.0 += 1;
        self.failures.1 += group.len();
        let (batches, items) = self.failures;
        if batches >= self.rules.max_consecutive_failures && items >= Batch::MAX_ITEMS {
            self.stop(StopReason::ConsecutiveFailures {
                batches,
                items,
                error: group.failure.clone(),
            });
        }
    }

    /// Gives the same status to items of a group.
    pub(super) fn record_each(&mut self, id: GroupId, places: &[usize], status: &ItemStatus) {
        let places = places.iter();
        let results = places.map(|place| (*place, status.clone())).collect();
        self.record_places(id, results);
    }

    /// Gives items of a group their status, in one write.
    pub(super) fn record_places(&mut self, id: GroupId, results: Vec<(usize, ItemStatus)>) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let mut items = Vec::with_capacity(results.len());
        for (place, status) in results {
            group.has_updated |= matches!(status, ItemStatus::Updated(_));
            if let Some(entry) = group.take(place) {
                items.push((entry.payload, status));
            }
        }
        self.record_all(items);
    }

    /// Gives items their status, and frees or blocks their keys.
    fn record_all(&mut self, items: Vec<(Item, ItemStatus)>) {
        let mut results = Vec::with_capacity(items.len());
        let mut keys = Vec::with_capacity(items.len());
        for (item, status) in items {
            let status = item.status_after(status);
            let key = item.update.key();
            self.count(key, &status);
            keys.push((key, self.next_of_key(key, &status)));
            results.push(ItemResult {
                index: item.index,
                update: Some(item.update),
                status,
            });
        }
        if !results.is_empty() {
            self.commands.push(Command::Record(results));
        }
        for (key, next) in keys {
            match next {
                NextOfKey::Free => self.planner.release(key),
                NextOfKey::Blocked => self.block(key),
            }
        }
    }

    fn next_of_key(&mut self, key: ItemKey, status: &ItemStatus) -> NextOfKey {
        match status {
            ItemStatus::Unknown(_) if self.rules.continue_after_unknown => NextOfKey::Free,
            ItemStatus::Unknown(_) => NextOfKey::Blocked,
            // A resumed run sends it, which must not happen after a later update.
            ItemStatus::NotAttempted(_) => {
                self.not_sent.insert(key);
                NextOfKey::Blocked
            }
            _ => NextOfKey::Free,
        }
    }

    fn count(&mut self, key: ItemKey, status: &ItemStatus) {
        let was_sent = matches!(
            status,
            ItemStatus::Updated(_) | ItemStatus::Unknown(_) | ItemStatus::Rejected(_)
        );
        self.totals.sent_items += u64::from(was_sent);
        if let ItemStatus::Rejected(_) = status {
            self.totals.rejected += 1;
            *self.rejected_in.entry(key.locale).or_default() += 1;
        }
    }

    /// Blocks later updates of a key.
    pub(super) fn block(&mut self, key: ItemKey) {
        for entry in self.planner.block(key) {
            self.hold_back_after_earlier(entry.payload);
        }
    }

    /// Returns an item that must not be sent before an earlier one of its key.
    pub(super) fn hold_back_after_earlier(&mut self, item: Item) {
        let why = match self.not_sent.contains(&item.update.key()) {
            true => NotAttempted::AfterNotSent,
            false => NotAttempted::AfterUnknown,
        };
        self.hold_back(item, why);
    }

    /// Returns an item of a stopped run.
    pub(super) fn not_attempted(&mut self, item: Item) {
        self.hold_back(item, self.why_not_attempted());
    }

    pub(super) fn why_not_attempted(&self) -> NotAttempted {
        let why = self.stopped.clone();
        NotAttempted::Stopped(why.unwrap_or(StopReason::Cancelled))
    }

    /// Returns an item that is not sent or not resent. Nothing is recorded: the journal is complete.
    fn hold_back(&mut self, item: Item, why: NotAttempted) {
        let status = item.status_after(ItemStatus::NotAttempted(why));
        self.emit(item.index, Some(item.update), status);
    }

    pub(super) fn emit(&mut self, index: u64, update: Option<ItemUpdate>, status: ItemStatus) {
        self.commands.push(Command::Emit(ItemResult {
            index,
            update,
            status,
        }));
    }
}
