//! The decision what to send next.

use std::sync::Arc;

use super::super::classify::is_of_items;
use super::super::group::{Group, GroupId, Item, Probe};
use super::super::plan::Entry;
use super::super::status::ItemStatus;
use super::super::stop::StopReason;
use super::{Command, Machine, Request};
use crate::error::Error;
use crate::model::Batch;

/// The number of isolation requests before the limit is checked.
const ISOLATION_GRACE: u64 = 200;

impl Machine {
    /// Sends all requests that may be sent now.
    pub(super) fn launch(&mut self) {
        while self.is_admitted
            && self.stopped.is_none()
            && (self.launch_one() || self.decide_if_idle())
        {}
    }

    /// Sends a request if one may be sent now. Returns `true` if another one may follow.
    fn launch_one(&mut self) -> bool {
        let under_way = self.requests_under_way();
        match self.evidence.is_suspicious() {
            _ if under_way >= self.requests_at_once() => false,
            true => under_way == 0 && self.launch_alone(),
            false => self.launch_next(),
        }
    }

    /// Decides on the held items if nothing else can happen. Returns `true` if there were any.
    fn decide_if_idle(&mut self) -> bool {
        self.requests_under_way() == 0 && self.is_all_for_now() && self.decide_on_held()
    }

    /// Returns the maximum number of concurrent requests. Until the service has accepted one, it is one.
    fn requests_at_once(&self) -> usize {
        match self.has_accepted {
            true => self.rules.concurrency,
            false => 1,
        }
    }

    fn launch_next(&mut self) -> bool {
        let next = self.ready.pop_front().or_else(|| self.new_group());
        next.map(|id| self.send(id)).is_some()
    }

    /// Sends one item alone, preferably of a group of which none was sent alone.
    fn launch_alone(&mut self) -> bool {
        let mut ready = self.ready.iter();
        let place = ready.position(|id| !self.evidence.has_sent_alone(*id));
        let next = match place {
            Some(place) => self.ready.remove(place),
            None if !self.is_all_for_now() && self.planner.is_empty() => return false,
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
        let flush = self.flush || self.source_end.is_some();
        let mut batch = self.planner.next_batch(flush)?;
        // Locales with the most rejected items come first, because isolation begins at the front.
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

    /// Sends the next probe of a group, or ends the group if it has none.
    fn send(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let Some(probe) = group.next_probe() else {
            return self.rest(id);
        };
        group.requests += 1;
        self.totals.isolation_requests += u64::from(group.requests > 1);
        let Probe {
            places,
            indices,
            updates,
        } = probe;
        match Batch::new(updates) {
            Ok(batch) => {
                group.under_way = Some(places);
                self.commands.push(Command::Send(Request {
                    group: id,
                    batch,
                    indices,
                }));
            }
            // A defect of the planner, whose batches are within the limits.
            Err(error) => self.stop(StopReason::Failed(Arc::new(error))),
        }
    }

    /// Queues the next part of a group, or ends the group.
    pub(super) fn go_on(&mut self, id: GroupId) {
        match self.groups.get(&id) {
            Some(group) if group.has_probe() => self.ready.push_back(id),
            Some(_) => self.rest(id),
            None => {}
        }
    }

    /// Ends a group without items to send, unless it holds items that were refused alone.
    fn rest(&mut self, id: GroupId) {
        let group = self.groups.get(&id);
        if group.is_some_and(|group| group.held.is_empty()) {
            self.end_group(id);
        }
    }

    /// Decides on the held items when no request is left and none was accepted since they were refused alone. Returns
    /// `true` if there were any.
    fn decide_on_held(&mut self) -> bool {
        let held = |group: &Group| group.held.first().map(|(_, error)| error.clone());
        let Some(error) = self.groups.values().find_map(held) else {
            return false;
        };
        if is_of_items(&error) || self.has_accepted {
            self.reject_held();
            return true;
        }
        let (items, requests) = self.evidence.refusals();
        self.stop(StopReason::RepeatedRefusal {
            items,
            requests,
            error,
        });
        true
    }

    /// Rejects the held items, because refusals are about items and not about everything.
    pub(super) fn reject_held(&mut self) {
        self.evidence.clear();
        let groups = self.groups.iter();
        let holding = groups.filter(|(_, group)| !group.held.is_empty());
        let holding: Vec<_> = holding.map(|(id, _)| *id).collect();
        for id in holding {
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            let is_at_rest = !group.is_under_way() && !group.has_probe();
            let held = std::mem::take(&mut group.held).into_iter();
            let rejected = held.map(|(place, error)| (place, ItemStatus::Rejected(error)));
            let rejected = rejected.collect();
            self.record_places(id, rejected);
            if is_at_rest {
                self.end_group(id);
            }
        }
    }

    /// Returns `true` if isolation took more requests than the limit.
    fn exceeds_isolation_limit(&self) -> bool {
        let granted = u64::from(self.rules.isolation_limit);
        let spent = self.totals.isolation_requests;
        // Batches in progress count as one.
        let batches = self.totals.batches.saturating_add(1);
        spent >= ISOLATION_GRACE && spent > granted.saturating_mul(batches)
    }

    /// Stops the run if isolation took more requests than the limit.
    pub(super) fn weigh_cost(&mut self, error: &Arc<Error>) {
        if self.exceeds_isolation_limit() {
            self.stop(StopReason::TooManyRejected {
                rejected: self.totals.rejected,
                items: self.totals.sent_items,
                requests: self.totals.isolation_requests,
                error: error.clone(),
            });
        }
    }
}
