//! What an answer means for the items that were sent.

use std::sync::Arc;

use http::StatusCode;

use super::super::control::{is_of_content, lock};
use super::super::journal::{Position, Settled};
use super::super::{NotAttempted, Outcome, Settlement, Unknown};
use super::Engine;
use super::group::{Group, GroupId, Item, Sent};
use crate::error::Error;
use crate::{Batch, ErrorKind, GaveUp, ItemKey, UpdateResponse};

/// What a request's failure says about the items in it.
#[derive(Clone, Copy)]
enum Meaning {
    /// Something in the batch is not accepted.
    Content,
    /// The request had too many bytes.
    TooLarge,
    /// No request of this run can succeed.
    Hopeless,
    /// Nothing was changed, for reasons that are not the items'.
    NotSent,
    /// Something may have been changed.
    Unknown,
}

/// Whether the next update of a key may be sent when one is settled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NextOfKey {
    Free,
    Blocked,
}

/// Whether no request of this token can succeed.
fn is_hopeless(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unauthorized | ErrorKind::Forbidden)
}

impl Engine {
    /// Takes in what came of a request.
    pub(super) fn sent(&mut self, sent: Sent) {
        let id = sent.group;
        match sent.answer {
            Ok(Ok(response)) => self.accepted(id, &sent.places, &response),
            Ok(Err(error)) => {
                let meaning = self.meaning(&error);
                self.failed(id, &sent.places, &sent.named, Arc::new(error), meaning);
            }
            Err(may_have_acted) => {
                let settlement = match may_have_acted {
                    true => Settlement::Unknown(Unknown::Cancelled),
                    false => Settlement::NotAttempted(self.why_stopped()),
                };
                let places = sent.places.into_iter();
                let settled = places.map(|place| (place, settlement.clone())).collect();
                self.settle_places(id, settled);
            }
        }
        if self.stopped.is_some() {
            self.give_up(id);
        } else {
            self.send(id);
        }
    }

    fn accepted(&mut self, id: GroupId, places: &[usize], response: &UpdateResponse) {
        self.has_accepted = true;
        let returned: Vec<_> = (0..places.len())
            .map(|entry| response.item_of(entry).cloned())
            .collect();
        let mut settled = Vec::with_capacity(places.len());
        for (place, item) in places.iter().zip(returned) {
            settled.push((
                *place,
                match item {
                    Some(item) => Settlement::Updated(Box::new(item)),
                    None => Settlement::Unknown(Unknown::NotReturned),
                },
            ));
        }
        self.settle_places(id, settled);
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let bad = group.isolation.accepted().bad;
        let refusal = group.refusal.clone();
        if let (Some(place), Some(error)) = (bad, refusal) {
            self.settle_place(id, place, Settlement::Rejected(error));
        }
    }

    /// What a failure means, an earlier try of the same request included.
    fn meaning(&self, error: &Error) -> Meaning {
        match self.meaning_of_last_try(error) {
            // The batch as it is can never be accepted, so the others in it can be told apart from those at fault.
            meaning @ (Meaning::Content | Meaning::TooLarge)
                if self.bulk.settings.assume_atomic =>
            {
                meaning
            }
            _ if error.may_have_acted() => Meaning::Unknown,
            meaning => meaning,
        }
    }

    /// Splitting a batch is right only if its content was refused.
    fn meaning_of_last_try(&self, error: &Error) -> Meaning {
        let speaks_of_an_item = error.code().is_some_and(|code| code.contains("item"));
        match error.kind() {
            ErrorKind::BadRequest => Meaning::Content,
            ErrorKind::NotFound | ErrorKind::Conflict if speaks_of_an_item || self.has_accepted => {
                Meaning::Content
            }
            ErrorKind::PayloadTooLarge => Meaning::TooLarge,
            kind if is_hopeless(kind) => Meaning::Hopeless,
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::InvalidInput => {
                Meaning::Hopeless
            }
            ErrorKind::OtherStatus
                if error
                    .status()
                    .is_some_and(|status| status.is_client_error())
                    && error.status() != Some(StatusCode::REQUEST_TIMEOUT) =>
            {
                Meaning::Hopeless
            }
            _ => Meaning::NotSent,
        }
    }

    fn failed(
        &mut self,
        id: GroupId,
        places: &[usize],
        named: &[usize],
        error: Arc<Error>,
        meaning: Meaning,
    ) {
        let each = |settlement: Settlement| {
            let places = places.iter();
            places.map(|place| (*place, settlement.clone())).collect()
        };
        if let Some(group) = self.groups.get_mut(&id) {
            group.failure = Some(error.clone());
            if error.may_have_acted() {
                group.doubt(places);
            }
        }
        if !self.bulk.settings.assume_atomic
            && matches!(meaning, Meaning::Content | Meaning::Hopeless)
            && is_of_content(error.kind())
        {
            let why = Unknown::Refused(error.clone());
            self.settle_places(id, each(Settlement::Unknown(why)));
            if let Meaning::Hopeless = meaning {
                self.stop(NotAttempted::Stopped(error));
            }
            return;
        }
        match meaning {
            Meaning::Content => self.refused(id, places, named, error),
            Meaning::TooLarge => self.too_large(id, places, error),
            Meaning::Unknown => {
                let why = Unknown::Failed(error.clone());
                self.settle_places(id, each(Settlement::Unknown(why)));
                if is_hopeless(error.kind()) {
                    self.stop(NotAttempted::Stopped(error));
                }
            }
            Meaning::Hopeless => self.stop(NotAttempted::Stopped(error)),
            Meaning::NotSent if error.gave_up() == Some(GaveUp::Forbidden) => {
                // Either the run was cancelled, or its journal cannot be written, which is told in its own place.
                self.look_at_journal();
                self.stop(NotAttempted::Cancelled);
            }
            Meaning::NotSent => {
                let why = NotAttempted::NotSent(error);
                self.settle_places(id, each(Settlement::NotAttempted(why)));
            }
        }
    }

    /// The batch, or a part of it, was refused for what is in it.
    fn refused(&mut self, id: GroupId, places: &[usize], named: &[usize], error: Arc<Error>) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        let named: Vec<_> = named
            .iter()
            .filter_map(|position| places.get(*position).copied())
            .collect();
        let bad = group.isolation.refused(&named).bad;
        group.refusal = Some(error.clone());
        if let Some(place) = bad {
            self.settle_place(id, place, Settlement::Rejected(error));
        }
    }

    /// The request had too many bytes: two halves go in its place, or if it was one item alone, that cannot be sent.
    fn too_large(&mut self, id: GroupId, places: &[usize], error: Arc<Error>) {
        if let [place] = places {
            return self.settle_place(id, *place, Settlement::Rejected(error));
        }
        // What is put back now would never be sent; the group is given up as it is.
        if self.stopped.is_some() {
            return;
        }
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.is_halved = true;
        let batch = places.iter().filter_map(|place| group.take(*place));
        let batch = batch.collect();
        let rest = group.take_rest();
        if let Err(entry) = self.planner.halve(batch) {
            self.settle(entry.payload, Settlement::Rejected(error));
        }
        self.planner.put_back(rest);
    }

    /// Ends a group all of whose probes are answered. What is left of it goes into a batch again.
    pub(super) fn end_group(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        self.planner.put_back(group.take_rest());
        if !group.is_halved {
            self.count_in_vain(&group);
        }
    }

    /// Ends a group of a run that has stopped.
    pub(super) fn give_up(&mut self, id: GroupId) {
        let Some(mut group) = self.groups.remove(&id) else {
            return;
        };
        for entry in group.take_rest() {
            self.not_attempted(entry.payload);
        }
    }

    /// Stops the run if batch after batch comes to nothing.
    fn count_in_vain(&mut self, group: &Group) {
        if group.has_updated {
            self.in_vain = (0, 0);
            return;
        }
        self.in_vain.0 += 1;
        self.in_vain.1 += group.len();
        let (batches, items) = self.in_vain;
        if batches >= self.bulk.settings.stop_after && items >= Batch::MAX_ITEMS {
            let error = Error::in_vain(batches, items, group.failure.clone());
            self.stop(NotAttempted::Stopped(Arc::new(error)));
        }
    }

    fn settle_place(&mut self, id: GroupId, place: usize, settlement: Settlement) {
        self.settle_places(id, vec![(place, settlement)]);
    }

    /// Settles items of a group: in the journal, in one write, before any of them is handed out.
    fn settle_places(&mut self, id: GroupId, settled: Vec<(usize, Settlement)>) {
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

    pub(super) fn settle(&mut self, item: Item, settlement: Settlement) {
        self.settle_all(vec![(item, settlement)]);
    }

    /// Settles items that hold their keys, so that the next of each may go.
    fn settle_all(&mut self, items: Vec<(Item, Settlement)>) {
        for (key, next) in self.conclude(items) {
            match next {
                NextOfKey::Free => self.planner.release(key),
                NextOfKey::Blocked => self.block(key),
            }
        }
    }

    /// Settles items and leaves their keys as they are: each key, and what is to become of it.
    pub(super) fn conclude(
        &mut self,
        mut items: Vec<(Item, Settlement)>,
    ) -> Vec<(ItemKey, NextOfKey)> {
        for (item, settlement) in &mut items {
            *settlement = item.over_all(settlement.clone());
        }
        self.record(&items);
        let mut keys = Vec::with_capacity(items.len());
        for (item, settlement) in items {
            self.count_sent(&settlement);
            let key = item.update.key();
            keys.push((
                key,
                match settlement {
                    Settlement::Unknown(_) if self.bulk.settings.continue_after_unknown => {
                        NextOfKey::Free
                    }
                    Settlement::Unknown(_) => NextOfKey::Blocked,
                    // A resumed run sends it, and must not do so after a later one.
                    Settlement::NotAttempted(_) => {
                        self.not_sent.insert(key);
                        NextOfKey::Blocked
                    }
                    _ => NextOfKey::Free,
                },
            ));
            let outcome = Outcome::new(item.position.index, Some(item.update), settlement);
            self.hand_out(outcome);
        }
        keys
    }

    /// Counts what the least number of requests is reckoned from: items that a request was sent for.
    fn count_sent(&mut self, settlement: &Settlement) {
        self.sent_items += match settlement {
            Settlement::Updated(_) | Settlement::Unknown(_) => 1,
            Settlement::Rejected(error) => u64::from(error.invalid_input().is_none()),
            _ => 0,
        };
    }

    fn record(&self, items: &[(Item, Settlement)]) {
        let Some(journal) = &self.journal else { return };
        let reasons: Vec<_> = items
            .iter()
            .map(|(_, settlement)| match settlement {
                Settlement::Rejected(error) => Some(super::super::Reason::of(error)),
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
            && let Err(error) = lock(journal).settled(settled)
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
        self.hold_back(item, self.why_stopped());
    }

    fn why_stopped(&self) -> NotAttempted {
        self.stopped.clone().unwrap_or(NotAttempted::Cancelled)
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
