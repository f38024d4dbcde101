//! What is sent next.

use std::sync::Arc;

use super::super::control::{RequestWatch, lock};
use super::super::plan::Entry;
use super::super::{ItemStatus, StopReason};
use super::Engine;
use super::group::{Group, GroupId, Item, Sent};
use super::responses::is_of_items;
use crate::error::Error;
use crate::model::Batch;

/// How many requests may be spent on finding the items at fault before their number is held against the limit.
const ISOLATION_GRACE: u64 = 200;

impl Engine {
    /// Sends what can be sent.
    pub(super) fn launch(&mut self) {
        if !self.may_begin() {
            return;
        }
        while self.stopped.is_none() && self.calls.len() < self.requests_at_once() {
            let has_launched = match self.evidence.is_suspicious() {
                true => self.calls.is_empty() && self.launch_alone(),
                false => self.launch_next(),
            };
            if !has_launched {
                break;
            }
        }
        if self.calls.is_empty() && self.stopped.is_none() && self.gives_nothing_more() {
            self.decide_on_held();
        }
    }

    /// Whether what is here has to do, since the source has ended or gives nothing, or enough is here.
    fn gives_nothing_more(&self) -> bool {
        self.source.is_ended() || self.flush || !self.planner.wants_more()
    }

    /// Whether the journal is of this input, as far as that can be told by now.
    fn may_begin(&mut self) -> bool {
        let Some(journal) = &self.journal else {
            return true;
        };
        if self.bulk.settings.accept_other_input || self.stopped.is_some() {
            return true;
        }
        let judged = {
            let journal = lock(journal);
            if !journal.is_judged() && !self.gives_nothing_more() {
                return false;
            }
            journal.judge()
        };
        if let Err(error) = judged {
            self.stop(StopReason::Journal(Arc::new(error)));
        }
        true
    }

    /// Before anything was accepted, one request is enough to learn whether anything will be.
    fn requests_at_once(&self) -> usize {
        match self.has_accepted {
            true => self.bulk.settings.concurrency,
            false => 1,
        }
    }

    fn launch_next(&mut self) -> bool {
        let next = self.ready.pop_front().or_else(|| self.new_group());
        next.map(|id| self.send(id)).is_some()
    }

    /// Sends one item alone, of a group of which none was asked so, if there is any.
    fn launch_alone(&mut self) -> bool {
        let mut ready = self.ready.iter();
        let place = ready.position(|id| !self.evidence.has_asked(*id));
        let next = match place {
            Some(place) => self.ready.remove(place),
            None if !self.gives_nothing_more() && self.planner.is_empty() => return false,
            None => self.new_group().or_else(|| self.ready.pop_front()),
        };
        let Some(id) = next else { return false };
        if let Some(group) = self.groups.get_mut(&id) {
            let (asked, _) = self.evidence.refusals();
            group.isolation.ask_alone(asked);
        }
        self.send(id);
        true
    }

    fn new_group(&mut self) -> Option<GroupId> {
        let flush = self.flush || self.source.is_ended();
        let mut batch = self.planner.next_batch(flush)?;
        // Those of a locale of which many were rejected stand together, since that is where to look first.
        if !self.rejected_in.is_empty() {
            batch.sort_by_key(|entry| std::cmp::Reverse(self.rejected_like(entry)));
        }
        let id = self.next_group;
        self.next_group += 1;
        self.groups.insert(id, Group::new(batch, self.odds));
        Some(id)
    }

    fn rejected_like(&self, entry: &Entry<Item>) -> u64 {
        self.rejected_in
            .get(&entry.key.locale)
            .copied()
            .unwrap_or_default()
    }

    /// Sends the next probe of a group, or ends the group if there is none.
    fn send(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let Some(probe) = group.next_probe() else {
            return self.rest(id);
        };
        group.requests += 1;
        if group.requests > 1 {
            self.isolation.requests += 1;
        }
        let batch = match Batch::new(probe.updates) {
            Ok(batch) => batch,
            // The planner lets nothing through that is no batch.
            Err(error) => {
                self.stop(StopReason::Failed(Arc::new(error)));
                return self.give_up(id);
            }
        };
        let watch = Arc::new(RequestWatch::new(
            self.control.clone(),
            self.journal.clone(),
            probe.positions,
            self.bulk.settings.assume_atomic,
        ));
        if let Some(group) = self.groups.get_mut(&id) {
            group.watch = Some(watch.clone());
        }
        let (client, bulk) = (self.client.clone(), self.bulk.clone());
        let (retry, places) = (self.retry.clone(), probe.places);
        self.calls.push(Box::pin(async move {
            let mut request = client
                .update(bulk.collection, batch.clone())
                .retry(retry)
                .watched(watch.clone());
            if let Some(skip) = bulk.settings.skip_invalid_files {
                request = request.skip_invalid_files(skip);
            }
            if let Some(timeout) = bulk.settings.timeout {
                request = request.attempt_timeout(timeout);
            }
            let answer = watch.until_cancelled(request.send()).await;
            let named = match &answer {
                Ok(Err(error)) => super::super::hint::named(error, batch.updates()),
                _ => Vec::new(),
            };
            Sent {
                group: id,
                places,
                named,
                answer,
            }
        }));
    }

    /// A group has more to be asked, or has come to its end.
    pub(super) fn go_on(&mut self, id: GroupId) {
        match self.groups.get(&id) {
            Some(group) if group.has_probe() => self.ready.push_back(id),
            Some(_) => self.rest(id),
            None => {}
        }
    }

    /// A group has nothing more to be asked: it is at its end, unless it is open why items of it were refused.
    fn rest(&mut self, id: GroupId) {
        if self
            .groups
            .get(&id)
            .is_some_and(|group| group.held.is_empty())
        {
            self.end_group(id);
        }
    }

    /// Nothing is left to be asked, and nothing was accepted since items were refused alone.
    fn decide_on_held(&mut self) {
        let held = |group: &Group| group.held.first().map(|(_, error)| error.clone());
        let Some(error) = self.groups.values().find_map(held) else {
            return;
        };
        if is_of_items(&error) || self.has_accepted {
            return self.refusals_speak_of_items();
        }
        let (items, requests) = self.evidence.refusals();
        self.stop(StopReason::RefusedAlike {
            items,
            requests,
            error,
        });
    }

    /// The items that were refused alone were refused for themselves.
    pub(super) fn refusals_speak_of_items(&mut self) {
        self.evidence.clear();
        let holding = self
            .groups
            .iter()
            .filter(|(_, group)| !group.held.is_empty());
        let mut holding: Vec<_> = holding.map(|(id, _)| *id).collect();
        holding.sort_unstable();
        for id in holding {
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            let is_at_rest = !group.is_under_way() && !group.has_probe();
            let held = std::mem::take(&mut group.held).into_iter();
            let rejected = held.map(|(place, error)| (place, ItemStatus::Rejected(error)));
            let rejected = rejected.collect();
            self.settle_places(id, rejected);
            if is_at_rest {
                self.end_group(id);
            }
        }
    }

    /// Whether finding the items at fault takes more requests than are granted.
    fn is_isolation_too_costly(&self) -> bool {
        let granted = u64::from(self.bulk.settings.isolation_limit);
        let spent = self.isolation.requests;
        // Of those that are not at their end, one is counted.
        let batches = self.isolation.batches.saturating_add(1);
        spent >= ISOLATION_GRACE && spent > granted.saturating_mul(batches)
    }

    /// Stops the run if finding the items at fault takes too many requests.
    pub(super) fn weigh_cost(&mut self, error: &Arc<Error>) {
        if self.is_isolation_too_costly() {
            self.stop(StopReason::TooManyRejected {
                rejected: self.isolation.rejected,
                items: self.sent_items,
                requests: self.isolation.requests,
                error: error.clone(),
            });
        }
    }
}
