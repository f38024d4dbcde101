//! The meaning of a response for the items that were sent.

use std::sync::Arc;

use super::super::classify::{Meaning, is_hopeless, is_of_items, meaning};
use super::super::group::GroupId;
use super::super::hint;
use super::super::status::{ItemStatus, NotAttempted, Unknown};
use super::super::stop::StopReason;
use super::Machine;
use crate::error::Error;
use crate::error::RetryStopped;
use crate::response::Returned;
use crate::response::UpdateResponse;

impl Machine {
    /// Handles the end of a request.
    pub(super) fn responded(&mut self, id: GroupId, result: Result<UpdateResponse, Error>) {
        let Some(places) = self.under_way(id) else {
            return;
        };
        match result {
            Ok(response) => self.accepted(id, &places, &response),
            Err(error) => self.failed(id, &places, error),
        }
        self.request_ended(id);
    }

    fn accepted(&mut self, id: GroupId, places: &[usize], response: &UpdateResponse) {
        self.has_accepted = true;
        let mut results = Vec::with_capacity(places.len());
        for (entry, place) in places.iter().enumerate() {
            let status = match (response.item_of(entry), response.returned().get(entry)) {
                (Some(item), _) => ItemStatus::Updated(Box::new(item.clone())),
                (None, Some(Returned::Ambiguous(_))) => ItemStatus::Unknown(Unknown::Ambiguous),
                (None, _) => ItemStatus::Unknown(Unknown::NotReturned),
            };
            results.push((*place, status));
        }
        self.record_places(id, results);
        if let Some(group) = self.groups.get_mut(&id) {
            let suspicion = group.suspicion.clone();
            let infer = suspicion.as_deref().is_none_or(is_of_items);
            group.refused_once = None;
            let bad = group.isolation.accepted(infer).bad;
            self.odds = group.isolation.odds();
            if let (Some(place), Some(error)) = (bad, suspicion) {
                self.reject(id, place, error);
            }
        }
        self.reject_held();
    }

    fn failed(&mut self, id: GroupId, places: &[usize], error: Error) {
        let meaning = meaning(&error, places.len());
        let is_in_part = !self.rules.assume_atomic && places.len() > 1;
        let error = Arc::new(error);
        if let Some(group) = self.groups.get_mut(&id) {
            group.failure = Some(error.clone());
        }
        match meaning {
            Meaning::Refused if self.can_isolate(places) => {
                let bad = self.refused(id, places, &error);
                if error.may_have_acted() || is_in_part {
                    let others = places.iter().copied().filter(|place| Some(*place) != bad);
                    self.add_attempts(id, &others.collect::<Vec<_>>(), &error);
                }
                self.weigh(&error);
            }
            Meaning::Refused => {
                let why = Unknown::Refused(error);
                self.record_each(id, places, &ItemStatus::Unknown(why));
            }
            Meaning::TooLarge => {
                self.evidence.refused(id, places.len(), &error);
                if error.may_have_acted() {
                    self.add_attempts(id, places, &error);
                }
                self.too_large(id, places);
            }
            Meaning::Unknown => {
                let why = Unknown::Failed(error.clone());
                self.record_each(id, places, &ItemStatus::Unknown(why));
                if is_hopeless(error.kind()) {
                    self.stop(StopReason::of(error));
                }
            }
            Meaning::Hopeless => self.stop(StopReason::of(error)),
            Meaning::NotSent if error.retry_stopped() == Some(RetryStopped::Aborted) => {
                // The run was cancelled: after any other reason to stop, it has stopped already.
                self.stop(StopReason::Cancelled);
            }
            Meaning::NotSent => {
                let why = NotAttempted::NotSent(error);
                self.record_each(id, places, &ItemStatus::NotAttempted(why));
            }
        }
    }

    /// Returns `true` if refused items can be isolated. An item that was sent alone is at fault itself.
    fn can_isolate(&self, places: &[usize]) -> bool {
        self.rules.may_isolate() || places.len() == 1
    }

    /// Handles a refusal of a group or a part of it. Returns the item if it was alone and is not resent.
    fn refused(&mut self, id: GroupId, places: &[usize], error: &Arc<Error>) -> Option<usize> {
        if self.evidence.refused(id, places.len(), error) {
            self.reject_held();
            self.evidence.refused(id, places.len(), error);
        }
        let group = self.groups.get_mut(&id)?;
        if places.len() > 1 {
            group.suspicion = Some(error.clone());
        }
        if let [place] = places
            && !is_of_items(error)
            && group.refused_once != Some(*place)
        {
            // The refusal may come from a busy firewall and not repeat, so the request is sent once more.
            group.refused_once = Some(*place);
            return None;
        }
        group.refused_once = None;
        let updates = places.iter().filter_map(|place| group.update_at(*place));
        let named: Vec<_> = hint::named(error, &updates.collect::<Vec<_>>())
            .into_iter()
            .filter_map(|position| places.get(position).copied())
            .collect();
        let place = group.isolation.refused(&named).bad?;
        self.odds = group.isolation.odds();
        group.held.push((place, error.clone()));
        Some(place)
    }

    /// Stops the run if the refusals so far justify it.
    fn weigh(&mut self, error: &Arc<Error>) {
        self.weigh_cost(error);
        if self.rules.max_consecutive_failures == u32::MAX {
            return self.reject_held();
        }
        if !self.evidence.is_conclusive() {
            return;
        }
        let (items, requests) = self.evidence.refusals();
        self.stop(StopReason::RepeatedRefusal {
            items,
            requests,
            error: error.clone(),
        });
    }

    /// Rejects an item that is at fault itself.
    fn reject(&mut self, id: GroupId, place: usize, error: Arc<Error>) {
        self.record_places(id, vec![(place, ItemStatus::Rejected(error))]);
    }

    /// Splits a request that had too many bytes into two halves.
    fn too_large(&mut self, id: GroupId, places: &[usize]) {
        // The planner of a stopped run sends nothing, so the group stays as it is.
        if self.stopped.is_some() {
            return;
        }
        // The held items were refused alone, so not for their size.
        self.reject_held();
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.is_halved = true;
        let batch = places.iter().filter_map(|place| group.take(*place));
        let batch = batch.collect();
        let rest = group.take_rest();
        self.planner.halve(batch);
        self.planner.put_back(rest);
        self.end_group(id);
    }

    fn add_attempts(&mut self, id: GroupId, places: &[usize], error: &Error) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.add_attempts(places, error);
        }
    }
}
