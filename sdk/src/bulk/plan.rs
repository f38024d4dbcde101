//! Which updates share a batch, and in which order the batches go.
//!
//! A batch takes the oldest entries, up to its limits, one for each key. **At any moment one batch at the most holds a
//! key**: the next entry of that key waits until the key is [`released`](Planner::release), and then takes its place by
//! age, so the updates of one key reach the server in the order of the input, however many batches are under way.
//! Entries of other keys do not wait for it.
//!
//! A planner holds what was pushed and not handed out, and asks for no more than four batches of that: enough to fill
//! batches past a few repeated keys, and little enough to forget about, however long the input is. Where most entries
//! have the same key, batches are small, for no order of sending is both faster and right.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::id::ItemKey;

/// What is in a body besides the entries and the commas between them.
const ENVELOPE: usize = br#"{"items":[]}"#.len();

/// How many batches of entries are read ahead.
const READ_AHEAD: usize = 4;

/// How much a batch may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    /// The length of the whole body.
    pub(crate) bytes: usize,
}

/// An update that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<T> {
    pub(crate) key: ItemKey,
    /// The length of its JSON.
    pub(crate) bytes: usize,
    /// What the caller wants to have with it.
    pub(crate) payload: T,
}

/// Turns a stream of entries into batches. Every entry that is pushed comes out once: from [`push`](Self::push) itself,
/// in a batch, from [`block`](Self::block), or from [`into_entries`](Self::into_entries).
#[derive(Debug)]
pub(crate) struct Planner<T> {
    limits: Limits,
    /// No batch that is to be filled is larger. It starts as the limit, and is lowered by what turned out too large.
    bytes: usize,
    /// For each key that is anything but free, where it is and what waits for it.
    keys: HashMap<ItemKey, Key<T>>,
    /// The entries that a batch may take, by age.
    ready: BTreeMap<u64, Entry<T>>,
    /// Batches that were handed out once, and go out again before anything else.
    again: VecDeque<Vec<Entry<T>>>,
    pushed: u64,
    ready_bytes: usize,
    waiting: usize,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Key<T> {
    state: State,
    /// The entries behind the one that holds the key, by age.
    waiting: VecDeque<(u64, Entry<T>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// One of its entries is ready, the one of this age.
    Ready(u64),
    /// One of its entries is in a batch.
    InBatch,
    Blocked,
}

impl<T> Planner<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            bytes: limits.bytes,
            keys: HashMap::new(),
            ready: BTreeMap::new(),
            again: VecDeque::new(),
            pushed: 0,
            ready_bytes: 0,
            waiting: 0,
            waiting_bytes: 0,
        }
    }

    /// Whether another entry should be pushed. If not, enough is here for now; a push is taken all the same.
    pub(crate) fn wants_more(&self) -> bool {
        self.ready.len() + self.waiting < READ_AHEAD.saturating_mul(self.limits.items)
            && self.ready_bytes.saturating_add(self.waiting_bytes)
                < READ_AHEAD.saturating_mul(self.limits.bytes)
    }

    /// Whether a batch could hold an entry of so many bytes, if only alone.
    pub(crate) fn can_hold(&self, bytes: usize) -> bool {
        body(1, bytes) <= self.limits.bytes
    }

    /// Takes an entry, which is younger than all that were pushed before and small enough to be held by a batch. It is given
    /// back if its key was [`blocked`](Self::block).
    pub(crate) fn push(&mut self, entry: Entry<T>) -> Result<(), Entry<T>> {
        let age = self.pushed;
        match self.keys.entry(entry.key) {
            Place::Occupied(key) if key.get().state == State::Blocked => {
                return Err(entry);
            }
            Place::Occupied(mut key) => {
                self.waiting += 1;
                self.waiting_bytes += entry.bytes;
                key.get_mut().waiting.push_back((age, entry));
            }
            Place::Vacant(key) => {
                key.insert(Key {
                    state: State::Ready(age),
                    waiting: VecDeque::new(),
                });
                self.ready_bytes += entry.bytes;
                self.ready.insert(age, entry);
            }
        }
        self.pushed += 1;
        Ok(())
    }

    /// The next batch, whose keys it holds until they are [released](Self::release) or [blocked](Self::block).
    ///
    /// Unless `flush` is set, a batch is handed out only if nothing could join it: it is full, or no more entries are
    /// [wanted](Self::wants_more).
    pub(crate) fn next_batch(&mut self, flush: bool) -> Option<Vec<Entry<T>>> {
        if let Some(batch) = self.again.pop_front() {
            return Some(batch);
        }
        let full = self.ready.len() >= self.limits.items
            || body(self.ready.len(), self.ready_bytes) > self.bytes;
        if !(full || flush || !self.wants_more()) {
            return None;
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.limits.items.max(1) {
            let Some(next) = self.ready.first_entry() else {
                break;
            };
            // What is too large for a lowered limit can still be tried alone.
            let fits = body(batch.len() + 1, bytes + next.get().bytes) <= self.bytes;
            if !(fits || batch.is_empty()) {
                break;
            }
            let entry = next.remove();
            bytes += entry.bytes;
            if let Some(key) = self.keys.get_mut(&entry.key) {
                key.state = State::InBatch;
            }
            batch.push(entry);
        }
        self.ready_bytes -= bytes;
        (!batch.is_empty()).then_some(batch)
    }

    /// The entry of a batch that held this key is done with, so the next one may go.
    pub(crate) fn release(&mut self, key: ItemKey) {
        let Place::Occupied(mut place) = self.keys.entry(key) else {
            return;
        };
        if place.get().state != State::InBatch {
            return;
        }
        if let Some((age, entry)) = place.get_mut().waiting.pop_front() {
            place.get_mut().state = State::Ready(age);
            self.waiting -= 1;
            self.waiting_bytes -= entry.bytes;
            self.ready_bytes += entry.bytes;
            self.ready.insert(age, entry);
        } else {
            place.remove();
        }
    }

    /// No entry of this key is to be sent any more, since it is not known what became of the last one. Hands out what
    /// is here of it, by age; what is pushed of it from now on is refused.
    pub(crate) fn block(&mut self, key: ItemKey) -> Vec<Entry<T>> {
        let blocked = Key {
            state: State::Blocked,
            waiting: VecDeque::new(),
        };
        let Some(before) = self.keys.insert(key, blocked) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        if let State::Ready(age) = before.state
            && let Some(entry) = self.ready.remove(&age)
        {
            self.ready_bytes -= entry.bytes;
            entries.push(entry);
        }
        for (_, entry) in before.waiting {
            self.waiting -= 1;
            self.waiting_bytes -= entry.bytes;
            entries.push(entry);
        }
        entries
    }

    /// Takes a batch back that is to be sent again as it is. It keeps its keys.
    pub(crate) fn put_back(&mut self, batch: Vec<Entry<T>>) {
        if !batch.is_empty() {
            self.again.push_back(batch);
        }
    }

    /// Takes a batch back that was too large for the server, to be sent in two halves, and fills none with more bytes
    /// than a half from now on.
    pub(crate) fn halve(&mut self, mut batch: Vec<Entry<T>>) {
        let bytes = batch.iter().map(|entry| entry.bytes).sum();
        self.bytes = self.bytes.min(body(batch.len(), bytes) / 2);
        let half = batch.split_off(batch.len() / 2);
        self.put_back(batch);
        self.put_back(half);
    }

    /// Whether all entries are handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting == 0 && self.again.is_empty()
    }

    /// Gives up: the entries that are here. First those of batches that were taken back, then the others by age.
    pub(crate) fn into_entries(self) -> Vec<Entry<T>> {
        let mut others = self.ready;
        others.extend(self.keys.into_values().flat_map(|key| key.waiting));
        self.again
            .into_iter()
            .flatten()
            .chain(others.into_values())
            .collect()
    }
}

/// The length of a body with so many entries, of so many bytes together.
fn body(entries: usize, bytes: usize) -> usize {
    bytes
        .saturating_add(ENVELOPE)
        .saturating_add(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests;
