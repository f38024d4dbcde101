//! A group: the items of one batch until each of them has a status.

use std::sync::Arc;

use super::isolate::{Isolation, Odds};
use super::plan::Entry;
use super::status::{ItemStatus, Unknown};
use crate::error::Error;
use crate::error::FailedAttempt;
use crate::model::ItemUpdate;

/// The number of a group, unique within a run.
pub(crate) type GroupId = u64;

/// Failed attempts, shared by the items that were in them.
type Attempts = Arc<Vec<FailedAttempt>>;

/// An update and its history in the run.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// The position in the source, counted from 0.
    pub(super) index: u64,
    pub(super) update: ItemUpdate,
    /// Whether an earlier request, of this run or an earlier one, may have changed it.
    pub(super) may_have_changed: bool,
    /// The failed attempts of this run that may have changed it.
    pub(super) attempts: Attempts,
}

impl Item {
    pub(super) fn new(index: u64, update: ItemUpdate, may_have_changed: bool) -> Self {
        Self {
            index,
            update,
            may_have_changed,
            attempts: Attempts::default(),
        }
    }

    /// Returns the status after all requests, given the status after the last one.
    pub(super) fn status_after(&self, status: ItemStatus) -> ItemStatus {
        if !self.may_have_changed {
            return status;
        }
        let with_earlier =
            |error: &Error| Arc::new(error.clone().after_earlier(&self.attempts, true));
        match status {
            ItemStatus::NotAttempted(_) => ItemStatus::Unknown(Unknown::EarlierRequest),
            ItemStatus::Rejected(error) => ItemStatus::Rejected(with_earlier(&error)),
            ItemStatus::Unknown(Unknown::Failed(error)) => {
                ItemStatus::Unknown(Unknown::Failed(with_earlier(&error)))
            }
            status => status,
        }
    }
}

/// A batch and the search for the items in it that the service rejects.
pub(super) struct Group {
    entries: Vec<Option<Entry<Item>>>,
    pub(super) isolation: Isolation,
    /// The places in the group of the items in the request in flight, until its response is handled.
    pub(super) under_way: Option<Vec<usize>>,
    /// The number of requests that were sent for it.
    pub(super) requests: u64,
    /// The refusal of a request with more than one of its items, at least one of which is at fault.
    pub(super) suspicion: Option<Arc<Error>>,
    /// The error of the last failure of any kind.
    pub(super) failure: Option<Arc<Error>>,
    /// Items that were refused alone, until it is decided whether everything is refused.
    pub(super) held: Vec<(usize, Arc<Error>)>,
    /// The item that was refused alone once, with a refusal that may not repeat.
    pub(super) refused_once: Option<usize>,
    /// Whether any of its items was updated.
    pub(super) has_updated: bool,
    /// Whether the batch was too large, so that its items are planned anew.
    pub(super) is_halved: bool,
}

/// The items of a group to send next.
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

    /// Returns `true` if there are items to send.
    pub(super) fn has_probe(&self) -> bool {
        let mut group = self.isolation.group().into_iter().flatten();
        group.any(|place| self.update_at(*place).is_some())
    }

    /// Returns the items to send next.
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

    /// Returns the update at a place, unless it has a status.
    pub(super) fn update_at(&self, place: usize) -> Option<&ItemUpdate> {
        let entry = self.entries.get(place)?.as_ref()?;
        Some(&entry.payload.update)
    }

    /// Adds the attempts of a failed request that may have changed these items.
    pub(super) fn add_attempts(&mut self, places: &[usize], error: &Error) {
        let mut known: Option<(Attempts, Attempts)> = None;
        for place in places {
            let Some(Some(entry)) = self.entries.get_mut(*place) else {
                continue;
            };
            let item = &mut entry.payload;
            item.may_have_changed = true;
            let after = match &known {
                Some((before, after)) if Arc::ptr_eq(before, &item.attempts) => after.clone(),
                _ => Arc::new([&item.attempts[..], error.failed_attempts()].concat()),
            };
            known = Some((item.attempts.clone(), after.clone()));
            item.attempts = after;
        }
    }

    /// Returns the held items to the group without rejecting them. Attempts with them may have changed them.
    pub(super) fn release_held(&mut self) {
        for (place, error) in std::mem::take(&mut self.held) {
            if error.may_have_acted() {
                self.add_attempts(&[place], &error);
            }
        }
    }

    /// Removes an item that gets its status.
    pub(super) fn take(&mut self, place: usize) -> Option<Entry<Item>> {
        self.entries.get_mut(place)?.take()
    }

    /// Removes all items without a status.
    pub(super) fn take_rest(&mut self) -> Vec<Entry<Item>> {
        self.entries.iter_mut().filter_map(Option::take).collect()
    }
}
