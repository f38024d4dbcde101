//! The updates of one run that are sent and not settled.

use std::collections::HashMap;

use super::fingerprint::Fingerprint;
use super::past::Kind;

/// From how many updates on those that were taken back are forgotten.
const MANY: usize = 4096;

/// A count from which it is no longer known how many requests of an update are open.
const UNCOUNTED: u8 = u8::MAX;

/// A record that contradicts the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) index: u64,
    pub(super) reason: &'static str,
}

/// By their positions in the input.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    slots: HashMap<u64, Slot>,
    /// How many there were when those that were taken back were last looked for.
    looked_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    fingerprint: Fingerprint,
    /// Whether it was unknown what became of it before this run sent it.
    was_unknown: bool,
    /// Requests that have left, and of which it is not recorded what came of them.
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
    /// Whether an update is among them.
    pub(super) fn has(&self, index: u64) -> bool {
        self.slots.contains_key(&index)
    }

    /// Whether it is not known what came of a request with an update.
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
            let reason = "it is recorded with another content";
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

    /// An update is known to be made.
    pub(super) fn updated(&mut self, index: u64) -> Result<Fingerprint, Contradiction> {
        let fingerprint = self.open(index)?.fingerprint;
        self.settled(index);
        Ok(fingerprint)
    }

    /// It is recorded what came of an update.
    pub(super) fn settled(&mut self, index: u64) {
        self.slots.remove(&index);
    }

    /// Takes out the updates that were taken back, if there are many.
    pub(super) fn take_unsent(&mut self) -> Vec<(Fingerprint, Kind)> {
        // Looked for rarely enough to be cheap, however many there are.
        if self.slots.len() < MANY.max(2 * self.looked_at) {
            return Vec::new();
        }
        let new = |slot: &Slot| slot.kind() == Kind::New;
        let taken = self.slots.extract_if(|_, slot| new(slot)).collect();
        self.looked_at = self.slots.len();
        in_order(taken)
    }

    /// Takes out all updates, at the end of the run.
    pub(super) fn take_all(&mut self) -> Vec<(Fingerprint, Kind)> {
        in_order(self.slots.drain().collect())
    }

    fn open(&mut self, index: u64) -> Result<&mut Slot, Contradiction> {
        let slot = self.slots.get_mut(&index).filter(|slot| slot.open > 0);
        slot.ok_or(Contradiction {
            index,
            reason: "no request with it has left",
        })
    }
}

/// In the order of the input.
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
