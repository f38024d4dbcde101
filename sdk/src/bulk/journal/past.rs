//! What earlier runs have recorded, in 12 bytes an update, and which of it an input speaks of again.
//!
//! An update of the input is held against the recorded ones of its item and locale, the first against the first, the
//! second against the second. Where both are alike, it is known what came of it. From the first that differs, or that is to be
//! sent once more, all that is recorded behind it is void: updates of one item and locale are applied in the order of
//! the input, so what comes later in the input has to be sent after it, even if an earlier run has sent it already.

use std::collections::BTreeMap;

use super::fingerprint::{Fingerprint, KEY};

/// How many entries are kept beside the others before they are merged, at the least.
const RECENT: usize = 4096;

/// What is recorded of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// It was sent only in requests that have certainly changed nothing.
    New,
    Updated,
    Rejected,
    /// A request with it may have changed the item, and it is not known whether one has.
    Unknown,
}

/// What is recorded of an update of the input, and where it stands among those of its item and locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// `None` where nothing like it is recorded.
    pub(super) recorded: Option<Kind>,
    /// Whether it was rejected and may have been changed all the same. Updates that are alike share a reason, and not this.
    pub(super) may_have_acted: bool,
    /// How many recorded updates of its item and locale come before it.
    pub(super) after: u32,
}

/// What is to be sent although an earlier run has recorded what came of it.
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

#[derive(Debug, Default)]
pub(super) struct Past {
    /// By key; those of one key in the order of the input.
    entries: Vec<Entry>,
    /// Entries that are not among the others yet. They come behind those of the same key.
    recent: BTreeMap<([u8; KEY], u32), Entry>,
    pushed: u32,
}

/// Twelve bytes: there is one for each recorded update.
#[derive(Clone, Copy, Debug)]
struct Entry {
    fingerprint: Fingerprint,
    state: State,
}

/// A kind and four flags, in a byte.
#[derive(Clone, Copy, Debug)]
struct State(u8);

/// It counts no more: it has been replaced.
const VOID: u8 = 4;
/// The input of the run that is now has it.
const CLAIMED: u8 = 8;
/// The run whose records are being read has recorded it.
const OWN: u8 = 16;
/// It was rejected, and a request may have changed the item all the same.
const DOUBTFUL: u8 = 32;

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

    /// Whether anything is recorded of an item in a locale.
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

    /// The records of another run begin.
    pub(super) fn begin_run(&mut self) {
        self.merge();
        for entry in &mut self.entries {
            entry.state.0 &= !OWN;
        }
    }

    /// A request with an update is recorded, which stands behind so many of the earlier runs. Whether it was unknown
    /// what became of that same update.
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

    /// Records what came of an update.
    pub(super) fn push(&mut self, fingerprint: Fingerprint, kind: Kind) {
        self.push_as(fingerprint, State::from(kind));
    }

    /// Records that an update was rejected, and whether a request may have changed the item all the same.
    pub(super) fn push_rejected(&mut self, fingerprint: Fingerprint, may_have_acted: bool) {
        let mut state = State::from(Kind::Rejected);
        if may_have_acted {
            state.set(DOUBTFUL);
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

    /// Looks up an update of the input. All of the input is looked up in its order, each update once.
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
                claim.may_have_acted = entry.state.is(DOUBTFUL);
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

    /// How many are recorded as this.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        let counts = |entry: &&Entry| !entry.state.is(VOID) && entry.state.kind() == kind;
        self.all().filter(counts).count() as u64
    }

    /// How many updates may have changed an item, and are not in the input that was looked up.
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

    /// Where the entries of a key begin.
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

    /// Brings the recent entries among the others, each behind those of its key, and drops what is void.
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
        // From the back, so that nothing has to make room.
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
