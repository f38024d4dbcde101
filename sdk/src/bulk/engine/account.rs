//! The account: each item is settled once, in the journal before it is handed out.

use super::super::control::lock;
use super::super::journal::{Position, Settled};
use super::super::{NotAttempted, Outcome, Reason, Settlement, StopReason};
use super::Engine;
use super::group::{Group, GroupId, Item};
use crate::{Batch, ItemKey};

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
        if batches >= self.bulk.settings.stop_after && items >= Batch::MAX_ITEMS {
            self.stop(StopReason::ConsecutiveFailures {
                batches,
                items,
                error: group.failure.clone(),
            });
        }
    }

    /// Settles items of a group, all as the same.
    pub(super) fn settle_each(&mut self, id: GroupId, places: &[usize], settlement: &Settlement) {
        let places = places.iter();
        let settled = places.map(|place| (*place, settlement.clone())).collect();
        self.settle_places(id, settled);
    }

    /// Settles items of a group: in the journal, in one write, before any of them is handed out.
    pub(super) fn settle_places(&mut self, id: GroupId, settled: Vec<(usize, Settlement)>) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let mut items = Vec::with_capacity(settled.len());
        for (place, settlement) in settled {
            group.has_updated |= matches!(settlement, Settlement::Updated(_));
            if let Some(entry) = group.take(place) {
                items.push((entry.payload, settlement));
            }
        }
        self.settle_all(items);
    }

    /// Settles items, which hold their keys, and lets the next of each key go.
    fn settle_all(&mut self, mut items: Vec<(Item, Settlement)>) {
        for (item, settlement) in &mut items {
            *settlement = item.over_all(settlement.clone());
        }
        self.record(&items);
        let mut keys = Vec::with_capacity(items.len());
        for (item, settlement) in items {
            let key = item.update.key();
            self.count_sent(&settlement);
            if let Settlement::Rejected(_) = settlement {
                self.isolation.rejected += 1;
                *self.rejected_in.entry(key.locale).or_default() += 1;
            }
            keys.push((key, self.next_of_key(key, &settlement)));
            let outcome = Outcome::new(item.position.index, Some(item.update), settlement);
            self.hand_out(outcome);
        }
        for (key, next) in keys {
            match next {
                NextOfKey::Free => self.planner.release(key),
                NextOfKey::Blocked => self.block(key),
            }
        }
    }

    fn next_of_key(&mut self, key: ItemKey, settlement: &Settlement) -> NextOfKey {
        match settlement {
            Settlement::Unknown(_) if self.bulk.settings.continue_after_unknown => NextOfKey::Free,
            Settlement::Unknown(_) => NextOfKey::Blocked,
            // A resumed run sends it, and must not do so after a later one.
            Settlement::NotAttempted(_) => {
                self.not_sent.insert(key);
                NextOfKey::Blocked
            }
            _ => NextOfKey::Free,
        }
    }

    /// Counts what the minimum of requests is reckoned from: items that a request was sent for.
    fn count_sent(&mut self, settlement: &Settlement) {
        self.sent_items += match settlement {
            Settlement::Updated(_) | Settlement::Unknown(_) | Settlement::Rejected(_) => 1,
            _ => 0,
        };
    }

    fn record(&self, items: &[(Item, Settlement)]) {
        let Some(journal) = &self.journal else { return };
        let reasons: Vec<_> = items
            .iter()
            .map(|(_, settlement)| match settlement {
                Settlement::Rejected(error) => Some(Reason::of(error)),
                Settlement::Unknown(why) => Some(why.reason()),
                _ => None,
            })
            .collect();
        let settled = items.iter().zip(&reasons);
        let settled: Vec<(Position, Settled<'_>)> = settled
            .filter_map(|((item, settlement), reason)| {
                let settled = match (settlement, reason) {
                    (Settlement::Updated(_), _) => Settled::Updated,
                    (Settlement::Rejected(_), Some(reason)) => Settled::Rejected(reason),
                    (Settlement::Unknown(_), Some(reason)) => Settled::Unknown(reason),
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
        let settlement = item.over_all(Settlement::NotAttempted(why));
        let index = item.position.index;
        self.hand_out(Outcome::new(index, Some(item.update), settlement));
    }

    pub(super) fn hand_out(&mut self, outcome: Outcome) {
        self.counts.count(&outcome);
        self.settled.push_back(outcome);
    }
}
