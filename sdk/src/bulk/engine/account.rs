//! The account: each item is settled once, in the journal before it is handed out.

use super::super::control::lock;
use super::super::journal::{Position, Settled};
use super::super::{ItemStatus, NotAttempted, Outcome, Reason, StopReason};
use super::Engine;
use super::group::{Group, GroupId, Item};
use crate::id::ItemKey;
use crate::model::Batch;

/// Whether the next update of a key may be sent when one is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NextOfKey {
    Free,
    Blocked,
}

impl Engine {
    /// Ends a group all of whose probes are answered. What is left of it goes into a batch again.
    pub(super) fn end_group(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        self.planner.put_back(group.take_rest());
        if group.is_halved {
            return;
        }
        self.isolation.batches += 1;
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
        if batches >= self.bulk.settings.max_consecutive_failures && items >= Batch::MAX_ITEMS {
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

    /// Settles items of a group: in the journal, in one write, before any of them is handed out.
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
    fn settle_all(&mut self, mut items: Vec<(Item, ItemStatus)>) {
        for (item, status) in &mut items {
            *status = item.over_all(status.clone());
        }
        self.record(&items);
        let mut keys = Vec::with_capacity(items.len());
        for (item, status) in items {
            let key = item.update.key();
            self.count_sent(&status);
            if let ItemStatus::Rejected(_) = status {
                self.isolation.rejected += 1;
                *self.rejected_in.entry(key.locale).or_default() += 1;
            }
            keys.push((key, self.next_of_key(key, &status)));
            let outcome = Outcome::new(item.position.index, Some(item.update), status);
            self.hand_out(outcome);
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
            ItemStatus::Unknown(_) if self.bulk.settings.continue_after_unknown => NextOfKey::Free,
            ItemStatus::Unknown(_) => NextOfKey::Blocked,
            // A resumed run sends it, and must not do so after a later one.
            ItemStatus::NotAttempted(_) => {
                self.not_sent.insert(key);
                NextOfKey::Blocked
            }
            _ => NextOfKey::Free,
        }
    }

    /// Counts what the minimum of requests is reckoned from: items that a request was sent for.
    fn count_sent(&mut self, status: &ItemStatus) {
        self.sent_items += match status {
            ItemStatus::Updated(_) | ItemStatus::Unknown(_) | ItemStatus::Rejected(_) => 1,
            _ => 0,
        };
    }

    fn record(&self, items: &[(Item, ItemStatus)]) {
        let Some(journal) = &self.journal else { return };
        let reasons: Vec<_> = items
            .iter()
            .map(|(_, status)| match status {
                ItemStatus::Rejected(error) => Some(Reason::of(error)),
                ItemStatus::Unknown(why) => Some(why.reason()),
                _ => None,
            })
            .collect();
        let settled = items.iter().zip(&reasons);
        let settled: Vec<(Position, Settled<'_>)> = settled
            .filter_map(|((item, status), reason)| {
                let settled = match (status, reason) {
                    (ItemStatus::Updated(_), _) => Settled::Updated,
                    (ItemStatus::Rejected(_), Some(reason)) => Settled::Rejected(reason),
                    (ItemStatus::Unknown(_), Some(reason)) => Settled::Unknown(reason),
                    _ => return None,
                };
                Some((item.position, settled))
            })
            .collect();
        if !settled.is_empty()
            && let Err(error) = lock(journal).settled(&settled)
        {
            self.control.journal_failed(error);
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

    /// Hands out an item that this run does not send. There is nothing to be recorded of it.
    fn hold_back(&mut self, item: Item, why: NotAttempted) {
        let status = item.over_all(ItemStatus::NotAttempted(why));
        let index = item.position.index;
        self.hand_out(Outcome::new(index, Some(item.update), status));
    }

    pub(super) fn hand_out(&mut self, outcome: Outcome) {
        self.counts.count(&outcome);
        self.settled.push_back(outcome);
    }
}
