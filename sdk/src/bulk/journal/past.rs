//! The records of earlier runs, in 12 bytes per update, and the lookup of the updates of an input.
//!
//! The updates of the input for one item and locale are compared with the recorded ones in order: the first with the
//! first, the second with the second. If both are the same, the recorded status applies. From the first one that
//! differs, or that is to be resent, all later records of the item and locale are void. Updates of one item and locale
//! are applied in the order of the input, so those that follow in the input are sent after it, even if an earlier run
//! has sent them.

use std::collections::BTreeMap;

use super::fingerprint::{Fingerprint, KEY};

/// The minimum number of recent entries before they are merged.
const RECENT: usize = 4096;

/// The recorded status of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// It was only in requests that certainly changed nothing.
    New,
    Updated,
    Rejected,
    /// A request may have made the update, and no result is recorded.
    Unknown,
}

/// The record of an update of the input, and its position among those of its item and locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// `None` if it is not recorded.
    pub(super) recorded: Option<Kind>,
    /// Whether it was rejected although a request may have changed the item. Equal updates share a reason, but not
    /// this.
    pub(super) may_have_acted: bool,
    /// The number of recorded updates of its item and locale before it.
    pub(super) after: u32,
}

/// The recorded statuses to send once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resend {
    pub(crate) unknown: bool,
    pub(crate) rejected: bool,
}

impl Resend {
    fn has(self, kind: Kind) -> bool {
        match kind {
            Kind::New => true,
            Kind::Unknown => self.unknown,
            Kind::Rejected => self.rejected,
            Kind::Updated => false,
        }
    }
}

/// The records of earlier runs.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The entries by key; those of one key in the order of the input.
    entries: Vec<Entry>,
    /// The entries that are not merged yet. They follow those of the same key.
    recent: BTreeMap<([u8; KEY], u32), Entry>,
    pushed: u32,
}

/// A recorded update, in 12 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    fingerprint: Fingerprint,
    state: State,
}

/// A kind and four flags in a byte.
#[derive(Clone, Copy, Debug)]
struct State(u8);

/// It has been replaced and does not count.
const VOID: u8 = 4;
/// It is in the input of the current run.
const CLAIMED: u8 = 8;
/// It was recorded by the run whose records are being read.
const OWN: u8 = 16;
/// It was rejected although a request may have changed the item.
const MAY_HAVE_ACTED: u8 = 32;

impl State {
    fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::New,
            1 => Kind::Updated,
            2 => Kind::Rejected,
            _ => Kind::Unknown,
        }
    }

    fn is(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn set(&mut self, flag: u8) {
        self.0 |= flag;
    }
}

impl From<Kind> for State {
    fn from(kind: Kind) -> Self {
        Self(match kind {
            Kind::New => 0,
            Kind::Updated => 1,
            Kind::Rejected => 2,
            Kind::Unknown => 3,
        })
    }
}

impl Past {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.recent.is_empty()
    }

    /// Returns `true` if there is a record of the item and locale.
    pub(super) fn knows(&self, fingerprint: Fingerprint) -> bool {
        let key = fingerprint.key();
        let first = self.first(key);
        let of_key = |entry: &Entry| entry.fingerprint.key() == key;
        self.entries.get(first).is_some_and(of_key)
            || self
                .recent
                .range((key, 0)..=(key, u32::MAX))
                .next()
                .is_some()
    }

    /// Begins the records of another run.
    pub(super) fn begin_run(&mut self) {
        self.merge();
        for entry in &mut self.entries {
            entry.state.0 &= !OWN;
        }
    }

    /// Adds a request with an update that follows `after` updates of earlier runs, and voids the later ones. Returns
    /// `true` if the same update was unknown.
    pub(super) fn replace(&mut self, fingerprint: Fingerprint, after: u32) -> bool {
        let earlier = self
            .of_key(fingerprint.key())
            .filter(|entry| !entry.state.is(VOID | OWN));
        let mut was_unknown = false;
        for (place, entry) in earlier.enumerate().skip(after as usize) {
            was_unknown |= place == after as usize
                && entry.fingerprint == fingerprint
                && entry.state.kind() == Kind::Unknown;
            entry.state.set(VOID);
        }
        was_unknown
    }

    /// Adds the status of an update.
    pub(super) fn push(&mut self, fingerprint: Fingerprint, kind: Kind) {
        self.push_as(fingerprint, State::from(kind));
    }

    /// Adds a rejected update, and whether a request may have changed the item.
    pub(super) fn push_rejected(&mut self, fingerprint: Fingerprint, may_have_acted: bool) {
        let mut state = State::from(Kind::Rejected);
        if may_have_acted {
            state.set(MAY_HAVE_ACTED);
        }
        self.push_as(fingerprint, state);
    }

    fn push_as(&mut self, fingerprint: Fingerprint, mut state: State) {
        let own = |entry: &&mut Entry| entry.state.is(OWN) && !entry.state.is(VOID);
        if let Some(last) = self.of_key(fingerprint.key()).filter(own).last()
            && last.fingerprint == fingerprint
            && last.state.kind() == Kind::New
        {
            last.state.set(VOID);
        }
        state.set(OWN);
        let place = (fingerprint.key(), self.pushed);
        self.recent.insert(place, Entry { fingerprint, state });
        self.pushed = self.pushed.wrapping_add(1);
        if self.recent.len() >= RECENT.max(self.entries.len() / 16) {
            self.merge();
        }
    }

    /// Looks up an update of the input. The whole input must be looked up in order, each update once.
    pub(super) fn claim(&mut self, fingerprint: Fingerprint, resend: Resend) -> Claim {
        let mut claim = Claim {
            recorded: None,
            may_have_acted: false,
            after: 0,
        };
        let mut is_decided = false;
        for entry in self
            .of_key(fingerprint.key())
            .filter(|entry| !entry.state.is(VOID))
        {
            if entry.state.is(CLAIMED) {
                claim.after += 1;
                continue;
            }
            if is_decided {
                entry.state.set(VOID);
                continue;
            }
            let kind = entry.state.kind();
            if entry.fingerprint == fingerprint {
                claim.recorded = Some(kind);
                claim.may_have_acted = entry.state.is(MAY_HAVE_ACTED);
                if !resend.has(kind) {
                    entry.state.set(CLAIMED);
                    return claim;
                }
            }
            is_decided = true;
            entry.state.set(VOID);
        }
        claim
    }

    /// Returns the number of updates with this status.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        let counts = |entry: &&Entry| !entry.state.is(VOID) && entry.state.kind() == kind;
        self.all().filter(counts).count() as u64
    }

    /// Returns the number of updates that may have changed an item and were not looked up.
    pub(super) fn unclaimed(&self) -> u64 {
        let counts = |entry: &&Entry| {
            !entry.state.is(VOID | CLAIMED)
                && matches!(entry.state.kind(), Kind::Updated | Kind::Unknown)
        };
        self.all().filter(counts).count() as u64
    }

    fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().chain(self.recent.values())
    }

    /// Returns the place of the first entry of a key.
    fn first(&self, key: [u8; KEY]) -> usize {
        self.entries
            .partition_point(|entry| entry.fingerprint.key() < key)
    }

    fn of_key(&mut self, key: [u8; KEY]) -> impl Iterator<Item = &mut Entry> {
        let first = self.first(key);
        self.entries
            .iter_mut()
            .skip(first)
            .take_while(move |entry| entry.fingerprint.key() == key)
            .chain(
                self.recent
                    .range_mut((key, 0)..=(key, u32::MAX))
                    .map(|(_, entry)| entry),
            )
    }

    /// Merges the recent entries into the others, each after those of its key, and drops void entries.
    pub(super) fn merge(&mut self) {
        self.entries.retain(|entry| !entry.state.is(VOID));
        let recent = std::mem::take(&mut self.recent);
        let mut recent = recent
            .into_values()
            .filter(|entry| !entry.state.is(VOID))
            .rev()
            .collect::<Vec<_>>()
            .into_iter()
            .peekable();
        let mut from = self.entries.len();
        let filler = Entry {
            fingerprint: Fingerprint::EMPTY,
            state: State::from(Kind::New),
        };
        self.entries.reserve_exact(recent.len());
        self.entries.resize(from + recent.len(), filler);
        // From the back, so that each entry moves once.
        for to in (0..self.entries.len()).rev() {
            let Some(next) = recent.peek() else { break };
            let last = from.checked_sub(1).and_then(|last| self.entries.get(last));
            let taken = match last {
                Some(last) if last.fingerprint.key() > next.fingerprint.key() => {
                    from -= 1;
                    Some(*last)
                }
                _ => recent.next(),
            };
            if let (Some(place), Some(taken)) = (self.entries.get_mut(to), taken) {
                *place = taken;
            }
        }
    }
}
