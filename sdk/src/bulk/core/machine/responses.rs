//! What a response means for the items that were sent.

use std::sync::Arc;

use super::super::classify::{Meaning, is_hopeless, is_of_items, meaning};
use super::super::group::GroupId;
use super::super::hint;
use super::super::status::{NotAttempted, Settlement, Unknown};
use super::super::stop::StopReason;
use super::Machine;
use crate::error::Error;
use crate::matching::Returned;
use crate::response::UpdateResponse;
use crate::retry::GaveUp;

impl Machine {
    /// Takes in how a request ended.
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
        let mut settled = Vec::with_capacity(places.len());
        for (entry, place) in places.iter().enumerate() {
            let settlement = match (response.item_of(entry), response.returned().get(entry)) {
                (Some(item), _) => Settlement::Updated(Box::new(item.clone())),
                (None, Some(Returned::Ambiguous(_))) => Settlement::Unknown(Unknown::Ambiguous),
                (None, _) => Settlement::Unknown(Unknown::NotReturned),
            };
            settled.push((*place, settlement));
        }
        self.settle_places(id, settled);
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
        self.refusals_speak_of_items();
    }

    fn failed(&mut self, id: GroupId, places: &[usize], error: Error) {
        let meaning = meaning(&error, places.len());
        let is_in_part = !self.rules.assume_atomic && places.len() > 1;
        let error = Arc::new(error);
        if let Some(group) = self.groups.get_mut(&id) {
            group.failure = Some(error.clone());
        }
        match meaning {
            Meaning::Refused if self.may_tell_apart(places) => {
                let bad = self.refused(id, places, &error);
                if error.may_have_acted() || is_in_part {
                    let others = places.iter().copied().filter(|place| Some(*place) != bad);
                    self.remember(id, &others.collect::<Vec<_>>(), &error, true);
                }
                self.weigh(&error);
            }
            Meaning::Refused => {
                let why = Unknown::Refused(error);
                self.settle_each(id, places, &Settlement::Unknown(why));
            }
            Meaning::TooLarge => {
                self.evidence.refused(id, places.len(), &error);
                if error.may_have_acted() {
                    self.remember(id, places, &error, true);
                }
                self.too_large(id, places);
            }
            Meaning::Unknown => {
                let why = Unknown::Failed(error.clone());
                self.settle_each(id, places, &Settlement::Unknown(why));
                if is_hopeless(error.kind()) {
                    self.stop(StopReason::of(error));
                }
            }
            Meaning::Hopeless => self.stop(StopReason::of(error)),
            Meaning::NotSent if error.gave_up() == Some(GaveUp::Forbidden) => {
                // The run was cancelled. Had it another reason to stop, it would have stopped before.
                self.stop(StopReason::Cancelled);
            }
            Meaning::NotSent => {
                let why = NotAttempted::NotSent(error);
                self.settle_each(id, places, &Settlement::NotAttempted(why));
            }
        }
    }

    /// Whether some of what was refused can be sent again to find what is at fault. An item that was alone is.
    fn may_tell_apart(&self, places: &[usize]) -> bool {
        self.rules.may_isolate() || places.len() == 1
    }

    /// A group, or a part of it, was refused. Which item was, if it was alone.
    fn refused(&mut self, id: GroupId, places: &[usize], error: &Arc<Error>) -> Option<usize> {
        if self.evidence.refused(id, places.len(), error) {
            self.refusals_speak_of_items();
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
            // A firewall that was busy, say. It is asked once more, by the same request.
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

    /// Concludes from the refusals so far what can be concluded.
    fn weigh(&mut self, error: &Arc<Error>) {
        self.weigh_cost(error);
        if self.rules.stop_after == u32::MAX {
            return self.refusals_speak_of_items();
        }
        if !self.evidence.is_conclusive() {
            return;
        }
        let (items, requests) = self.evidence.refusals();
        self.stop(StopReason::RefusedAlike {
            items,
            requests,
            error: error.clone(),
        });
    }

    /// An item was refused for itself.
    fn reject(&mut self, id: GroupId, place: usize, error: Arc<Error>) {
        self.settle_places(id, vec![(place, Settlement::Rejected(error))]);
    }

    /// The request had too many bytes: two halves go in its place.
    fn too_large(&mut self, id: GroupId, places: &[usize]) {
        // What is put back now would never be sent; the group is given up as it is.
        if self.stopped.is_some() {
            return;
        }
        // What was held was refused alone, and for another reason.
        self.refusals_speak_of_items();
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

    fn remember(&mut self, id: GroupId, places: &[usize], error: &Error, in_doubt: bool) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.remember(places, error, in_doubt);
        }
    }
}
