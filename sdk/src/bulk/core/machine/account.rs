//! The account: each item is settled once.

use super::super::group::{Group, GroupId, Item};
use super::super::status::{ItemStatus, NotAttempted};
use super::super::stop::StopReason;
use super::{Command, Machine, SettledItem};
use crate::id::ItemKey;
use crate::model::Batch;
use crate::model::ItemUpdate;

/// Whether the next update of a key may be sent when one is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextOfKey {
    Free,
    Blocked,
}

impl Machine {
    /// Ends a group with nothing left to send. Its unsettled items go into a batch again.
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

    /// Ends a group of a run that has stopped.
    pub(super) fn give_up(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        group.doubt_held();
        for entry in group.take_rest() {
            self.not_attempted(entry.payload);
        }
    }

    /// Stops the run if one batch after the other fails.
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

    /// Settles items of a group, all as the same.
    pub(super) fn settle_each(&mut self, id: GroupId, places: &[usize], status: &ItemStatus) {
        let places = places.iter();
        let settled = places.map(|place| (*place, status.clone())).collect();
        self.settle_places(id, settled);
    }

    /// Settles items of a group, in one write.
    pub(super) fn settle_places(&mut self, id: GroupId, settled: Vec<(usize, ItemStatus)>) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let mut items = Vec::with_capacity(settled.len());
        for (place, status) in settled {
            group.has_updated |= matches!(status, ItemStatus::Updated(_));
            if let Some(entry) = group.take(place) {
                items.push((entry.payload, status));
            }
        }
        self.settle_all(items);
    }

    /// Settles items, which hold their keys, and lets the next of each key go.
    fn settle_all(&mut self, items: Vec<(Item, ItemStatus)>) {
        let mut settled = Vec::with_capacity(items.len());
        let mut keys = Vec::with_capacity(items.len());
        for (item, status) in items {
            let status = item.over_all(status);
            let key = item.update.key();
            self.count(key, &status);
            keys.push((key, self.next_of_key(key, &status)));
            settled.push(SettledItem {
                index: item.index,
                update: Some(item.update),
                status,
            });
        }
        if !settled.is_empty() {
            self.commands.push(Command::Settle(settled));
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
            // A resumed run sends it, and must not do so after a later one.
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

    /// Lets no later update of a key go.
    pub(super) fn block(&mut self, key: ItemKey) {
        for entry in self.planner.block(key) {
            self.hold_back_after_earlier(entry.payload);
        }
    }

    /// Hands out an item that has to wait for an earlier one of its key.
    pub(super) fn hold_back_after_earlier(&mut self, item: Item) {
        let why = match self.not_sent.contains(&item.update.key()) {
            true => NotAttempted::AfterNotSent,
            false => NotAttempted::AfterUnknown,
        };
        self.hold_back(item, why);
    }

    /// Hands out an item of a run that has stopped.
    pub(super) fn not_attempted(&mut self, item: Item) {
        self.hold_back(item, self.why_not_attempted());
    }

    pub(super) fn why_not_attempted(&self) -> NotAttempted {
        let why = self.stopped.clone();
        NotAttempted::Stopped(why.unwrap_or(StopReason::Cancelled))
    }

    /// Hands out an item that is not sent, or not sent again. The journal has all that is known of it.
    fn hold_back(&mut self, item: Item, why: NotAttempted) {
        let status = item.over_all(ItemStatus::NotAttempted(why));
        self.hand_out(item.index, Some(item.update), status);
    }

    pub(super) fn hand_out(&mut self, index: u64, update: Option<ItemUpdate>, status: ItemStatus) {
        self.commands.push(Command::HandOut(SettledItem {
            index,
            update,
            status,
        }));
    }
}
