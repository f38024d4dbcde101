//! A group: the items that went into one batch, until each of them is settled.

use std::sync::Arc;

use super::isolate::{Isolation, Odds};
use super::plan::Entry;
use super::status::{ItemStatus, Unknown};
use crate::error::Error;
use crate::error::FailedAttempt;
use crate::model::ItemUpdate;

/// Names a group: no two groups of a run share a number.
pub(crate) type GroupId = u64;

/// Attempts that failed, shared by the items that were in them.
type Attempts = Arc<Vec<FailedAttempt>>;

/// An update and what is known of it before it is settled.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The position in the source, counted from 0.
    pub(super) index: u64,
    pub(super) update: ItemUpdate,
    /// Whether an earlier request, perhaps of an earlier run, may have changed it.
    pub(super) in_doubt: bool,
    /// The failed attempts of earlier requests of this run that may have changed it.
    pub(super) attempts: Attempts,
}

impl Item {
    pub(super) fn new(index: u64, update: ItemUpdate, in_doubt: bool) -> Self {
        Self {
            index,
            update,
            in_doubt,
            attempts: Attempts::default(),
        }
    }

    /// The settlement over all requests, given that of the last one.
    pub(super) fn over_all(&self, status: ItemStatus) -> ItemStatus {
        if !self.in_doubt {
            return status;
        }
        let with_earlier =
            |error: &Error| Arc::new(error.clone().after_earlier(&self.attempts, true));
        match status {
            ItemStatus::NotAttempted(_) => ItemStatus::Unknown(Unknown::InDoubt),
            ItemStatus::Rejected(error) => ItemStatus::Rejected(with_earlier(&error)),
            ItemStatus::Unknown(Unknown::Failed(error)) => {
                ItemStatus::Unknown(Unknown::Failed(with_earlier(&error)))
            }
            status => status,
        }
    }
}

/// A batch and the search for the items in it that the service refuses.
pub(super) struct Group {
    entries: Vec<Option<Entry<Item>>>,
    pub(super) isolation: Isolation,
    /// The places in the group of the items in the request under way, until its response is handled to the end.
    pub(super) under_way: Option<Vec<usize>>,
    /// How many requests were made for it.
    pub(super) requests: u64,
    /// Why requests with more than one of its items were refused: at least one of those is at fault.
    pub(super) suspicion: Option<Arc<Error>>,
    /// The last failure of any kind.
    pub(super) failure: Option<Arc<Error>>,
    /// Items that were refused alone, while it is open whether everything is.
    pub(super) held: Vec<(usize, Arc<Error>)>,
    /// The item that was refused alone once, for a reason that the next request may not repeat.
    pub(super) refused_once: Option<usize>,
    /// Whether any of its items was updated.
    pub(super) has_updated: bool,
    /// Whether it was too large, and its items are planned anew.
    pub(super) is_halved: bool,
}

/// Some items of a group, about to be sent.
pub(super) struct Probe {
    pub(super) places: Vec<usize>,
    pub(super) indices: Vec<u64>,
    pub(super) updates: Vec<ItemUpdate>,
}

impl Group {
    pub(super) fn new(batch: Vec<Entry<Item>>, odds: Odds) -> Self {
        Self {
            isolation: Isolation::new(batch.len(), odds),
            entries: batch.into_iter().map(Some).collect(),
            under_way: None,
            requests: 0,
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
        self.under_way.is_some()
    }

    /// Whether there is something to be sent.
    pub(super) fn has_probe(&self) -> bool {
        let mut group = self.isolation.group().into_iter().flatten();
        group.any(|place| self.update_at(*place).is_some())
    }

    /// The items to be sent next.
    pub(super) fn next_probe(&self) -> Option<Probe> {
        let group = self.isolation.group()?;
        let mut probe = Probe {
            places: Vec::with_capacity(group.len()),
            indices: Vec::with_capacity(group.len()),
            updates: Vec::with_capacity(group.len()),
        };
        for place in group {
            if let Some(Some(entry)) = self.entries.get(*place) {
                probe.places.push(*place);
                probe.indices.push(entry.payload.index);
                probe.updates.push(entry.payload.update.clone());
            }
        }
        (!probe.places.is_empty()).then_some(probe)
    }

    /// The update at a place, unless it is settled.
    pub(super) fn update_at(&self, place: usize) -> Option<&ItemUpdate> {
        let entry = self.entries.get(place)?.as_ref()?;
        Some(&entry.payload.update)
    }

    /// Keeps the attempts of a failed request that may have changed these items.
    pub(super) fn doubt(&mut self, places: &[usize], error: &Error) {
        let mut known: Option<(Attempts, Attempts)> = None;
        for place in places {
            let Some(Some(entry)) = self.entries.get_mut(*place) else {
                continue;
            };
            let item = &mut entry.payload;
            item.in_doubt = true;
            let after = match &known {
                Some((before, after)) if Arc::ptr_eq(before, &item.attempts) => after.clone(),
                _ => Arc::new([&item.attempts[..], error.failed_attempts()].concat()),
            };
            known = Some((item.attempts.clone(), after.clone()));
            item.attempts = after;
        }
    }

    /// Gives up on rejecting the items that were refused alone: their attempts may have changed them.
    pub(super) fn doubt_held(&mut self) {
        for (place, error) in std::mem::take(&mut self.held) {
            if error.may_have_acted() {
                self.doubt(&[place], &error);
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
