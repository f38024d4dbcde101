//! The items that went into one batch, until each of them is settled.

use std::sync::Arc;

use super::super::control::RequestWatch;
use super::super::isolate::{Isolation, Odds};
use super::super::journal::Position;
use super::super::plan::Entry;
use super::super::{ItemStatus, NotAttempted, Unknown};
use crate::error::Error;
use crate::error::FailedAttempt;
use crate::model::ItemUpdate;
use crate::response::UpdateResponse;

pub(crate) type GroupId = u64;

/// Attempts that failed, shared by the items that were in them.
pub(super) type Attempts = Arc<Vec<FailedAttempt>>;

/// An update and its place in the input.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) position: Position,
    pub(super) update: ItemUpdate,
    /// Whether an earlier request, perhaps of an earlier run, may have changed it.
    pub(super) in_doubt: bool,
    /// The attempts of earlier requests of this run that failed without saying anything of it.
    pub(super) attempts: Attempts,
}

impl Item {
    /// What came of it over all requests, if this came of it in the last one.
    pub(super) fn over_all(&self, status: ItemStatus) -> ItemStatus {
        if !(self.in_doubt || self.has_attempts()) {
            return status;
        }
        let knowing =
            |error: &Error| Arc::new(error.clone().after_earlier(&self.attempts, self.in_doubt));
        match status {
            ItemStatus::NotAttempted(_) if self.in_doubt => ItemStatus::Unknown(Unknown::InDoubt),
            ItemStatus::NotAttempted(NotAttempted::NotSent(error)) => {
                ItemStatus::NotAttempted(NotAttempted::NotSent(knowing(&error)))
            }
            ItemStatus::Rejected(error) => ItemStatus::Rejected(knowing(&error)),
            ItemStatus::Unknown(Unknown::Failed(error)) => {
                ItemStatus::Unknown(Unknown::Failed(knowing(&error)))
            }
            status => status,
        }
    }

    fn has_attempts(&self) -> bool {
        !self.attempts.is_empty()
    }
}

/// What came of a request with some of a group.
pub(super) struct Sent {
    pub(super) group: GroupId,
    /// The places in the group of the items that it held.
    pub(super) places: Vec<usize>,
    /// The positions in the request that an error seems to speak of.
    pub(super) named: Vec<usize>,
    /// The response; or, if the run was cancelled meanwhile, whether an attempt may have acted.
    pub(super) answer: Result<Result<UpdateResponse, Error>, bool>,
}

pub(super) struct Group {
    entries: Vec<Option<Entry<Item>>>,
    pub(super) isolation: Isolation,
    /// What is with the request that is under way, if there is one, until all that follows from it is done.
    pub(super) watch: Option<Arc<RequestWatch>>,
    /// How many requests were made for it.
    pub(super) requests: u64,
    /// The last refusal of some of its items.
    pub(super) refusal: Option<Arc<Error>>,
    /// What those were refused for of which one at least is at fault. An item that was alone is none of them.
    pub(super) suspicion: Option<Arc<Error>>,
    /// The last failure of any kind.
    pub(super) failure: Option<Arc<Error>>,
    /// Items that were refused alone, while it is open whether everything is.
    pub(super) held: Vec<(usize, Arc<Error>)>,
    /// The item that was refused alone once, for a reason that may be another one the next time.
    pub(super) refused_once: Option<usize>,
    /// Whether any of its items was updated.
    pub(super) has_updated: bool,
    /// Whether it was too large, and its items are planned anew.
    pub(super) is_halved: bool,
}

/// Some items of a group, about to be sent.
pub(super) struct Probe {
    pub(super) places: Vec<usize>,
    pub(super) updates: Vec<ItemUpdate>,
    pub(super) positions: Vec<Position>,
}

impl Group {
    pub(super) fn new(batch: Vec<Entry<Item>>, odds: Odds) -> Self {
        Self {
            isolation: Isolation::new(batch.len(), odds),
            entries: batch.into_iter().map(Some).collect(),
            watch: None,
            requests: 0,
            refusal: None,
            suspicion: None,
            failure: None,
            held: Vec::new(),
            refused_once: None,
            has_updated: false,
            is_halved: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.watch.is_some()
    }

    /// Whether there is something to be sent.
    pub(super) fn has_probe(&self) -> bool {
        let mut group = self.isolation.group().into_iter().flatten();
        group.any(|place| matches!(self.entries.get(*place), Some(Some(_))))
    }

    /// What is to be sent next.
    pub(super) fn next_probe(&self) -> Option<Probe> {
        let group = self.isolation.group()?;
        let mut probe = Probe {
            places: Vec::with_capacity(group.len()),
            updates: Vec::with_capacity(group.len()),
            positions: Vec::with_capacity(group.len()),
        };
        for place in group {
            if let Some(Some(entry)) = self.entries.get(*place) {
                probe.places.push(*place);
                probe.updates.push(entry.payload.update.clone());
                probe.positions.push(entry.payload.position);
            }
        }
        (!probe.places.is_empty()).then_some(probe)
    }

    /// A request with these failed after it may have acted, or was refused, perhaps in part only.
    pub(super) fn remember(&mut self, places: &[usize], error: &Error, in_doubt: bool) {
        let mut known: Option<(Attempts, Attempts)> = None;
        for place in places {
            let Some(Some(entry)) = self.entries.get_mut(*place) else {
                continue;
            };
            let item = &mut entry.payload;
            item.in_doubt |= in_doubt;
            let after = match &known {
                Some((before, after)) if Arc::ptr_eq(before, &item.attempts) => after.clone(),
                _ => Arc::new([&item.attempts[..], error.failed_attempts()].concat()),
            };
            known = Some((item.attempts.clone(), after.clone()));
            item.attempts = after;
        }
    }

    /// Items that were refused alone are not rejected after all: what is known of them is what their attempts have left.
    pub(super) fn doubt_held(&mut self) {
        for (place, error) in std::mem::take(&mut self.held) {
            if error.may_have_acted() {
                self.remember(&[place], &error, true);
            }
        }
    }

    /// Takes an item out, to settle it.
    pub(super) fn take(&mut self, place: usize) -> Option<Entry<Item>> {
        self.entries.get_mut(place)?.take()
    }

    /// Takes all items out that are not settled.
    pub(super) fn take_rest(&mut self) -> Vec<Entry<Item>> {
        self.entries.iter_mut().filter_map(Option::take).collect()
    }
}
