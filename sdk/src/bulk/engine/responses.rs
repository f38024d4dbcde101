//! What a response means for the items that were sent.

use std::sync::Arc;

use super::super::control::is_of_content;
use super::super::{ItemStatus, NotAttempted, StopReason, Unknown};
use super::Engine;
use super::group::{GroupId, Sent};
use crate::error::Error;
use crate::error::{ErrorKind, RetryStopped};
use crate::response::{Returned, UpdateResponse};

/// What a request's failure says about the items in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Something in the batch is not accepted, or nothing is that is sent.
    Refused,
    /// The request had too many bytes.
    TooLarge,
    /// No request of this run can succeed.
    Hopeless,
    /// Nothing was changed, for reasons that are not the items'.
    NotSent,
    /// Something may have been changed.
    Unknown,
}

impl Engine {
    /// Takes in what came of a request.
    pub(super) fn sent(&mut self, sent: Sent) {
        let id = sent.group;
        match sent.answer {
            Ok(Ok(response)) => self.accepted(id, &sent.places, &response),
            Ok(Err(error)) => self.failed(id, &sent.places, &sent.named, error),
            Err(may_have_acted) => {
                let status = match may_have_acted {
                    true => ItemStatus::Unknown(Unknown::Cancelled),
                    false => ItemStatus::NotAttempted(self.why_not_attempted()),
                };
                self.settle_each(id, &sent.places, &status);
            }
        }
        // Until here, the group is not to be ended by whatever follows from the response.
        if let Some(group) = self.groups.get_mut(&id) {
            group.watch = None;
        }
        if self.stopped.is_some() {
            self.give_up(id);
        } else {
            self.go_on(id);
        }
    }

    fn accepted(&mut self, id: GroupId, places: &[usize], response: &UpdateResponse) {
        self.has_accepted = true;
        let mut settled = Vec::with_capacity(places.len());
        for (entry, place) in places.iter().enumerate() {
            let status = match (response.item_of(entry), response.returned().get(entry)) {
                (Some(item), _) => ItemStatus::Updated(Box::new(item.clone())),
                (None, Some(Returned::Ambiguous(_))) => ItemStatus::Unknown(Unknown::Ambiguous),
                (None, _) => ItemStatus::Unknown(Unknown::NotReturned),
            };
            settled.push((*place, status));
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

    fn failed(&mut self, id: GroupId, places: &[usize], named: &[usize], error: Error) {
        let meaning = meaning(&error, places.len());
        let is_in_part = !self.bulk.settings.assume_atomic && places.len() > 1;
        let error = Arc::new(error);
        if let Some(group) = self.groups.get_mut(&id) {
            group.failure = Some(error.clone());
        }
        match meaning {
            Meaning::Refused if self.may_tell_apart(places) => {
                let bad = self.refused(id, places, named, &error);
                if error.may_have_acted() || is_in_part {
                    let others = places.iter().copied().filter(|place| Some(*place) != bad);
                    self.remember(id, &others.collect::<Vec<_>>(), &error, true);
                }
                self.weigh(&error);
            }
            Meaning::Refused => {
                let why = Unknown::Refused(error);
                self.settle_each(id, places, &ItemStatus::Unknown(why));
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
                self.settle_each(id, places, &ItemStatus::Unknown(why));
                if is_hopeless(error.kind()) {
                    self.stop(StopReason::of(error));
                }
            }
            Meaning::Hopeless => self.stop(StopReason::of(error)),
            Meaning::NotSent if error.retry_stopped() == Some(RetryStopped::Aborted) => {
                // Either the run was cancelled, or its journal cannot be written, which is told in its own place.
                self.look_at_journal();
                self.stop(StopReason::Cancelled);
            }
            Meaning::NotSent => {
                let why = NotAttempted::NotSent(error);
                self.settle_each(id, places, &ItemStatus::NotAttempted(why));
            }
        }
    }

    /// Whether some of what was refused can be sent again to find what is at fault. An item that was alone is.
    fn may_tell_apart(&self, places: &[usize]) -> bool {
        self.bulk.settings.may_isolate() || places.len() == 1
    }

    /// A group, or a part of it, was refused. Which item was, if it was alone.
    fn refused(
        &mut self,
        id: GroupId,
        places: &[usize],
        named: &[usize],
        error: &Arc<Error>,
    ) -> Option<usize> {
        if self.evidence.refused(id, places.len(), error) {
            self.refusals_speak_of_items();
            self.evidence.refused(id, places.len(), error);
        }
        let group = self.groups.get_mut(&id)?;
        group.refusal = Some(error.clone());
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
        let named: Vec<_> = named
            .iter()
            .filter_map(|position| places.get(*position).copied())
            .collect();
        let place = group.isolation.refused(&named).bad?;
        self.odds = group.isolation.odds();
        group.held.push((place, error.clone()));
        Some(place)
    }

    /// Concludes from the refusals so far what can be concluded.
    fn weigh(&mut self, error: &Arc<Error>) {
        self.weigh_cost(error);
        if self.bulk.settings.max_consecutive_failures == u32::MAX {
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
        self.settle_places(id, vec![(place, ItemStatus::Rejected(error))]);
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

/// Whether no request of this token can succeed.
fn is_hopeless(kind: ErrorKind) -> bool {
    kind == ErrorKind::Unauthorized
}

/// Whether such a refusal speaks of items, if it does not speak of everything. Another one, such as a 403, may be the
/// whim of a firewall, so an item is asked for a second time before it is held for rejected.
pub(super) fn is_of_items(error: &Error) -> bool {
    matches!(
        error.status().map(|status| status.as_u16()),
        Some(400 | 404 | 409 | 413 | 422)
    )
}

/// What a failure of a request with so many items means, its earlier attempts included.
fn meaning(error: &Error, items: usize) -> Meaning {
    match error.kind() {
        // The batch as it is can never be accepted, so the others in it can be told apart from those at fault.
        ErrorKind::PayloadTooLarge if items > 1 => Meaning::TooLarge,
        ErrorKind::PayloadTooLarge => Meaning::Refused,
        kind if is_of_content(kind, error.status()) => Meaning::Refused,
        _ if error.may_have_acted() => Meaning::Unknown,
        kind if is_hopeless(kind) => Meaning::Hopeless,
        ErrorKind::InvalidInput => Meaning::Hopeless,
        _ => Meaning::NotSent,
    }
}
