//! The items that went into one batch, until each of them is settled.

use std::sync::Arc;

use super::super::isolate::Isolation;
use super::super::journal::Position;
use super::super::plan::Entry;
use super::super::{Settlement, Unknown};
use crate::error::Error;
use crate::{ItemUpdate, UpdateResponse};

pub(super) type GroupId = u64;

/// An update and its place in the input.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) position: Position,
    pub(super) update: ItemUpdate,
    /// Whether an earlier request, perhaps of an earlier run, may have changed it.
    pub(super) in_doubt: bool,
}

impl Item {
    /// What came of it over all requests, if this came of it in the last one.
    pub(super) fn over_all(&self, settlement: Settlement) -> Settlement {
        match settlement {
            Settlement::NotAttempted(_) if self.in_doubt => Settlement::Unknown(Unknown::InDoubt),
            Settlement::Rejected(error) if self.in_doubt => {
                Settlement::Unknown(Unknown::Failed(error))
            }
            settlement => settlement,
        }
    }
}

/// What came of a request with some of a group.
pub(super) struct Sent {
    pub(super) group: GroupId,
    /// The places in the group of the items that it held.
    pub(super) places: Vec<usize>,
    /// The positions in the request that an error seems to speak of.
    pub(super) named: Vec<usize>,
    /// The answer; or, if the run was cancelled meanwhile, whether a try may have acted.
    pub(super) answer: Result<Result<UpdateResponse, Error>, bool>,
}

pub(super) struct Group {
    entries: Vec<Option<Entry<Item>>>,
    pub(super) isolation: Isolation,
    /// The last refusal of some of its items.
    pub(super) refusal: Option<Arc<Error>>,
    /// The last failure of any kind.
    pub(super) failure: Option<Arc<Error>>,
    /// Whether any of its items was updated.
    pub(super) has_updated: bool,
    /// Whether it was too large, and its items are planned anew.
    pub(super) is_halved: bool,
}

impl Group {
    pub(super) fn new(batch: Vec<Entry<Item>>) -> Self {
        Self {
            isolation: Isolation::new(batch.len()),
            entries: batch.into_iter().map(Some).collect(),
            refusal: None,
            failure: None,
            has_updated: false,
            is_halved: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What is to be sent next: the places, the updates, and their positions in the input.
    pub(super) fn next_probe(&self) -> Option<(Vec<usize>, Vec<ItemUpdate>, Vec<Position>)> {
        let group = self.isolation.group()?;
        let mut places = Vec::with_capacity(group.len());
        let mut updates = Vec::with_capacity(group.len());
        let mut positions = Vec::with_capacity(group.len());
        for place in group {
            if let Some(Some(entry)) = self.entries.get(*place) {
                places.push(*place);
                updates.push(entry.payload.update.clone());
                positions.push(entry.payload.position);
            }
        }
        (!places.is_empty()).then_some((places, updates, positions))
    }

    /// A request with these may have changed them.
    pub(super) fn doubt(&mut self, places: &[usize]) {
        for place in places {
            if let Some(Some(entry)) = self.entries.get_mut(*place) {
                entry.payload.in_doubt = true;
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
