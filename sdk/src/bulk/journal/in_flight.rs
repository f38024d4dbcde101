//! The updates of one run that were sent and have no recorded status.

use std::collections::HashMap;

use super::fingerprint::Fingerprint;
use super::past::Kind;

/// The number of updates from which reverted ones are forgotten.
const MANY: usize = 4096;

/// The count from which the number of open requests of an update is no longer known.
const UNCOUNTED: u8 = u8::MAX;

/// A record that contradicts the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) index: u64,
    pub(super) reason: &'static str,
}

/// The updates in flight, by their position in the input.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    slots: HashMap<u64, Slot>,
    /// The number of updates after the last search for reverted ones.
    looked_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    fingerprint: Fingerprint,
    /// Whether it was unknown before this run sent it.
    was_unknown: bool,
    /// The number of requests that were sent and have no recorded result.
    open: u8,
}

impl Slot {
    fn kind(self) -> Kind {
        match self.open {
            0 if !self.was_unknown => Kind::New,
            _ => Kind::Unknown,
        }
    }
}

impl InFlight {
    /// Returns `true` if an update is in flight.
    pub(super) fn has(&self, index: u64) -> bool {
        self.slots.contains_key(&index)
    }

    /// Returns `true` if a request with the update has no recorded result.
    pub(super) fn is_open(&self, index: u64) -> bool {
        self.slots.get(&index).is_some_and(|slot| slot.open > 0)
    }

    pub(super) fn sent(
        &mut self,
        index: u64,
        fingerprint: Fingerprint,
        was_unknown: bool,
    ) -> Result<(), Contradiction> {
        let slot = self.slots.entry(index).or_insert(Slot {
            fingerprint,
            was_unknown,
            open: 0,
        });
        if slot.fingerprint != fingerprint {
            let reason = "it is recorded with other content";
            return Err(Contradiction { index, reason });
        }
        slot.open = slot.open.saturating_add(1);
        Ok(())
    }

    pub(super) fn unsent(&mut self, index: u64) -> Result<(), Contradiction> {
        let slot = self.open(index)?;
        if slot.open != UNCOUNTED {
            slot.open -= 1;
        }
        Ok(())
    }

    /// Removes an update that is made.
    pub(super) fn updated(&mut self, index: u64) -> Result<Fingerprint, Contradiction> {
        let fingerprint = self.open(index)?.fingerprint;
        self.finished(index);
        Ok(fingerprint)
    }

    /// Removes an update with a recorded status.
    pub(super) fn finished(&mut self, index: u64) {
        self.slots.remove(&index);
    }

    /// Removes the reverted updates if there are many.
    pub(super) fn take_unsent(&mut self) -> Vec<(Fingerprint, Kind)> {
        // The searches are rare enough to be cheap, however many updates there are.
        if self.slots.len() < MANY.max(2 * self.looked_at) {
            return Vec::new();
        }
        let new = |slot: &Slot| slot.kind() == Kind::New;
        let taken = self.slots.extract_if(|_, slot| new(slot)).collect();
        self.looked_at = self.slots.len();
        in_order(taken)
    }

    /// Removes all updates at the end of the run.
    pub(super) fn take_all(&mut self) -> Vec<(Fingerprint, Kind)> {
        in_order(self.slots.drain().collect())
    }

    fn open(&mut self, index: u64) -> Result<&mut Slot, Contradiction> {
        let slot = self.slots.get_mut(&index).filter(|slot| slot.open > 0);
        slot.ok_or(Contradiction {
            index,
            reason: "no request with it was sent",
        })
    }
}

/// Sorts updates in the order of the input.
fn in_order(mut slots: Vec<(u64, Slot)>) -> Vec<(Fingerprint, Kind)> {
    slots.sort_unstable_by_key(|(index, _)| *index);
    slots
        .into_iter()
        .map(|(_, slot)| (slot.fingerprint, slot.kind()))
        .collect()
}

#[cfg(test)]
impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
