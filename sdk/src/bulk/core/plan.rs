//! The planner: which updates share a batch, and in which order the batches are sent.
//!
//! A batch takes the oldest entries up to its limits, one for each key. **At most one batch at a time holds a key.**
//! The next entry of that key waits until the key is [`released`](Planner::release), and then takes its place by age.
//! So the updates of one key reach the service in the order of the input, however many batches are in flight. Entries
//! of other keys do not wait for it.
//!
//! A planner holds the entries that were pushed and not returned, and asks for at most four batches of them. That fills
//! batches past a few repeated keys, and memory use does not grow with the input. If most entries have the same key,
//! batches are small, because a faster order would be wrong.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::id::ItemKey;

/// The length of a body without the entries and the commas between them.
const ENVELOPE: usize = br#"{"items":[]}"#.len();

/// The number of batches that are read ahead.
const READ_AHEAD: usize = 4;

/// The limits of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    /// The maximum length of the body.
    pub(crate) bytes: usize,
}

/// An update to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<T> {
    pub(crate) key: ItemKey,
    /// The length of its JSON.
    pub(crate) bytes: usize,
    /// The data that the caller attaches.
    pub(crate) payload: T,
}

/// Groups a stream of entries into batches.
///
/// Every entry that is pushed is returned once: by [`push`](Self::push) itself, in a batch, by [`block`](Self::block),
/// or by [`into_entries`](Self::into_entries).
#[derive(Debug)]
pub(crate) struct Planner<T> {
    limits: Limits,
    /// The maximum length of a new batch. It starts as the limit, and decreases when a batch is too large.
    bytes: usize,
    /// The state of each key that is not free.
    keys: HashMap<ItemKey, Key<T>>,
    /// The entries that the next batch may take, by age.
    ready: BTreeMap<u64, Entry<T>>,
    /// Batches that were put back, which are sent before anything else.
    again: VecDeque<Vec<Entry<T>>>,
    pushed: u64,
    ready_bytes: usize,
    waiting: usize,
    waiting_bytes: usize,
}

#[derive(Debug)]
struct Key<T> {
    state: State,
    /// The entries after the one that holds the key, by age.
    waiting: VecDeque<(u64, Entry<T>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The entry of this age is ready.
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

    /// Returns `true` if another entry should be pushed. Otherwise a push is still accepted.
    pub(crate) fn wants_more(&self) -> bool {
        self.ready.len() + self.waiting < READ_AHEAD.saturating_mul(self.limits.items)
            && self.ready_bytes.saturating_add(self.waiting_bytes)
                < READ_AHEAD.saturating_mul(self.limits.bytes)
    }

    /// Returns `true` if a batch can hold an entry of this many bytes.
    pub(crate) fn can_hold(&self, bytes: usize) -> bool {
        body(1, bytes) <= self.limits.bytes
    }

    /// Adds an entry, which must be small enough for a batch. It is returned if its key was [`blocked`](Self::block).
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

    /// Returns the next batch. It holds its keys until they are [released](Self::release) or [blocked](Self::block).
    ///
    /// Unless `flush` is set, a batch is returned only if nothing can join it: it is full, or the planner
    /// [wants](Self::wants_more) no more entries.
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
            // An entry that exceeds a lowered limit can still be sent alone.
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

    /// Frees a key whose entry in a batch has its status, so that its next entry can be sent.
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

    /// Blocks a key whose last entry is unknown or could not be sent. Returns its entries by age. Later entries of the
    /// key are refused.
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

    /// Puts a batch back to be resent unchanged. It keeps its keys.
    pub(crate) fn put_back(&mut self, batch: Vec<Entry<T>>) {
        if !batch.is_empty() {
            self.again.push_back(batch);
        }
    }

    /// Puts a batch back that was too large for the service, in two halves. Later batches have at most half of its
    /// length.
    pub(crate) fn halve(&mut self, mut batch: Vec<Entry<T>>) {
        let bytes = batch.iter().map(|entry| entry.bytes).sum();
        self.bytes = self.bytes.min(body(batch.len(), bytes) / 2);
        let half = batch.split_off(batch.len() / 2);
        self.put_back(batch);
        self.put_back(half);
    }

    /// Returns `true` if all entries are returned.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting == 0 && self.again.is_empty()
    }

    /// Returns all entries: first those of batches that were put back, then the others by age.
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

/// Returns the length of a body with this many entries of this many bytes in total.
fn body(entries: usize, bytes: usize) -> usize {
    bytes
        .saturating_add(ENVELOPE)
        .saturating_add(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests;
