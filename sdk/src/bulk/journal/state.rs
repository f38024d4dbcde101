//! What a journal knows of each item, in a few bytes, or in a few bits where its own run has settled it.

use std::collections::BTreeMap;

use super::format::Record;
use super::{Digest, Position, Verdict};

/// How many positions lie together. Inputs are dense; one that is not takes more bytes an item, and no more than the
/// records in the file allow.
const CHUNK: usize = 128;

/// A count from which it is no longer known how many requests of an item are open.
const MANY: u8 = u8::MAX;

/// What is recorded of an item, for the one who decides whether to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recorded {
    /// It was never sent, or only in requests that have certainly changed nothing.
    Fresh,
    /// It is updated.
    Updated,
    /// It was rejected; [`Journal::reason`](super::Journal::reason) says why.
    Rejected,
    /// A request with it may have changed it, and it is not known whether one has. Sending it once more ends in the
    /// same content, but Webflow imports each file and image in it again.
    InDoubt,
}

/// How many items are recorded as what. [`Fresh`](Recorded::Fresh) ones are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Items that are updated.
    pub updated: u64,
    /// Items that were rejected.
    pub rejected: u64,
    /// Items that a request may have changed.
    pub in_doubt: u64,
}

/// A record that contradicts the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub(super) index: u64,
    pub(super) reason: &'static str,
}

#[derive(Debug, Default)]
pub(super) struct State {
    chunks: BTreeMap<u64, Chunk>,
    /// The first chunk of which no earlier run has recorded anything; none while the records of one are taken.
    first_own: Option<u64>,
    /// Where in the file the reasons are of the items that have one.
    reasons: BTreeMap<u64, u64>,
    tally: Tally,
}

#[derive(Debug)]
enum Chunk {
    Open(Box<OpenChunk>),
    /// All are settled for good, by this run, which knows its own input: there is nothing to compare. The bits tell
    /// which are updated; the others were rejected.
    Settled([u64; CHUNK / 64]),
}

#[derive(Debug)]
struct OpenChunk {
    digests: [Digest; CHUNK],
    slots: [Slot; CHUNK],
    /// How many are settled for good.
    settled: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    known: Known,
    /// Requests that have left, and of which it is not recorded what came of them.
    open: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Nothing,
    Digest,
    Updated,
    Rejected,
    Unknown,
}

#[derive(Clone, Copy)]
enum Event {
    Sent,
    Unsent,
    Settled(Verdict),
}

impl Slot {
    fn is_settled(self) -> bool {
        matches!(self.known, Known::Updated | Known::Rejected)
    }

    fn recorded(self) -> Recorded {
        match (self.known, self.open) {
            (Known::Updated, _) => Recorded::Updated,
            (Known::Rejected, _) => Recorded::Rejected,
            (Known::Nothing | Known::Digest, 0) => Recorded::Fresh,
            (Known::Nothing | Known::Digest | Known::Unknown, _) => Recorded::InDoubt,
        }
    }

    /// The law of a journal: an item is settled for good once it is updated or rejected, and nothing can have come of
    /// what was not sent.
    fn after(self, event: Event) -> Result<Self, &'static str> {
        let Self { known, open } = self;
        match (known, event) {
            (Known::Updated, _) => Err("it is updated already"),
            (Known::Rejected, _) => Err("it was rejected already"),
            (_, Event::Sent) => Ok(Self {
                known: if known == Known::Nothing {
                    Known::Digest
                } else {
                    known
                },
                open: open.saturating_add(1),
            }),
            (_, Event::Unsent | Event::Settled(Verdict::Updated)) if open == 0 => {
                Err("no request with it has left")
            }
            (Known::Nothing | Known::Digest, Event::Settled(Verdict::Unknown)) if open == 0 => {
                Err("no request with it has left")
            }
            (_, Event::Unsent) => Ok(Self {
                known,
                open: if open == MANY { MANY } else { open - 1 },
            }),
            (_, Event::Settled(verdict)) => Ok(Self {
                known: match verdict {
                    Verdict::Updated => Known::Updated,
                    Verdict::Rejected => Known::Rejected,
                    Verdict::Unknown => Known::Unknown,
                },
                open: 0,
            }),
        }
    }
}

impl State {
    /// What is recorded of an item, or none if it is another item that was recorded at its position.
    pub(super) fn recorded(&self, item: Position) -> Option<Recorded> {
        let (chunk, at) = place(item.index);
        let Some(chunk) = self.chunks.get(&chunk) else {
            return Some(Recorded::Fresh);
        };
        let same = match chunk {
            Chunk::Open(open) => {
                open.slots[at].known == Known::Nothing || open.digests[at] == item.digest
            }
            Chunk::Settled(_) => true,
        };
        same.then(|| chunk.slot(at).recorded())
    }

    /// Takes no more records of earlier runs. Those that come now are of this one.
    pub(super) fn begin_own(&mut self) {
        let last = self.chunks.last_key_value();
        self.first_own = Some(last.map_or(0, |(number, _)| number.saturating_add(1)));
    }

    /// One more than the highest position that is recorded.
    pub(super) fn end(&self) -> u64 {
        self.chunks.last_key_value().map_or(0, |(number, chunk)| {
            let known = |at: &usize| chunk.slot(*at).known != Known::Nothing;
            let last = (0..CHUNK).rfind(known).unwrap_or_default();
            (number * CHUNK as u64 + last as u64).saturating_add(1)
        })
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Where in the file the line is that holds the reason of an item.
    pub(super) fn reason(&self, index: u64) -> Option<u64> {
        self.reasons.get(&index).copied()
    }

    /// Takes a record that begins at this offset of the file. If it contradicts the earlier ones, a part of it may have
    /// been taken all the same.
    pub(super) fn apply(&mut self, record: &Record<'_>, offset: u64) -> Result<(), Contradiction> {
        match record {
            Record::Sent(items) => items
                .iter()
                .try_for_each(|item| self.step(item.index, Some(item.digest), Event::Sent)),
            // Ends at the first that is not recorded, however long a run may be.
            Record::Unsent(runs) => runs
                .iter()
                .flat_map(|&(first, last)| first..=last)
                .try_for_each(|index| self.step(index, None, Event::Unsent)),
            Record::Settled(item, verdict, reason) => {
                self.step(item.index, Some(item.digest), Event::Settled(*verdict))?;
                match reason {
                    Some(_) => self.reasons.insert(item.index, offset),
                    None => self.reasons.remove(&item.index),
                };
                Ok(())
            }
        }
    }

    /// How many digests are in memory.
    #[cfg(test)]
    pub(super) fn digests(&self) -> usize {
        let open = self
            .chunks
            .values()
            .filter(|chunk| matches!(chunk, Chunk::Open(_)));
        open.count() * CHUNK
    }

    fn step(
        &mut self,
        index: u64,
        digest: Option<Digest>,
        event: Event,
    ) -> Result<(), Contradiction> {
        let contradiction = |reason| Contradiction { index, reason };
        let (number, at) = place(index);
        let before = self.chunks.get(&number).map(|chunk| chunk.slot(at));
        let before = before.unwrap_or_default();
        let after = before.after(event).map_err(contradiction)?;
        let chunk = self.chunks.entry(number).or_default();
        // Nothing comes after what is settled, so none that is settled as a whole gets here.
        if let Chunk::Open(open) = chunk {
            if let Some(digest) = digest {
                if before.known != Known::Nothing && open.digests[at] != digest {
                    return Err(contradiction("it is recorded with another digest"));
                }
                open.digests[at] = digest;
            }
            open.slots[at] = after;
            open.settled += usize::from(after.is_settled());
            if open.settled == CHUNK && self.first_own.is_some_and(|first| first <= number) {
                *chunk = Chunk::Settled(open.updated());
            }
        }
        self.count(before, |count| count - 1);
        self.count(after, |count| count + 1);
        Ok(())
    }

    fn count(&mut self, slot: Slot, change: impl FnOnce(u64) -> u64) {
        let count = match slot.recorded() {
            Recorded::Fresh => return,
            Recorded::Updated => &mut self.tally.updated,
            Recorded::Rejected => &mut self.tally.rejected,
            Recorded::InDoubt => &mut self.tally.in_doubt,
        };
        *count = change(*count);
    }
}

impl Chunk {
    fn slot(&self, at: usize) -> Slot {
        match self {
            Self::Open(open) => open.slots[at],
            Self::Settled(updated) => Slot {
                known: match updated[at / 64] >> (at % 64) & 1 {
                    1 => Known::Updated,
                    _ => Known::Rejected,
                },
                open: 0,
            },
        }
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self::Open(Box::new(OpenChunk {
            digests: [Digest::default(); CHUNK],
            slots: [Slot::default(); CHUNK],
            settled: 0,
        }))
    }
}

impl OpenChunk {
    fn updated(&self) -> [u64; CHUNK / 64] {
        let mut updated = [0; CHUNK / 64];
        for (at, slot) in self.slots.iter().enumerate() {
            updated[at / 64] |= u64::from(slot.known == Known::Updated) << (at % 64);
        }
        updated
    }
}

/// The number of the chunk of a position, and the place in it, which is below its size.
fn place(index: u64) -> (u64, usize) {
    let size = CHUNK as u64;
    (index / size, (index % size) as usize)
}
