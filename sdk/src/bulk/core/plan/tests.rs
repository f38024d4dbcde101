//! Properties of planning, against a planner that examines every entry each time.

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::{ENVELOPE, Entry, Limits, Planner, READ_AHEAD};
use crate::id::ItemId;
use crate::id::ItemKey;
use crate::model::Batch;
use crate::model::ItemUpdate;

fn key(number: usize) -> ItemKey {
    ItemKey {
        id: ItemId::new(format!("{number:024x}")).expect("an id"),
        locale: None,
    }
}

/// The payload is the number of the entry in the input.
fn entry(key_number: usize, bytes: usize, payload: usize) -> Entry<usize> {
    Entry {
        key: key(key_number),
        bytes,
        payload,
    }
}

fn numbers(entries: &[Entry<usize>]) -> Vec<usize> {
    entries.iter().map(|entry| entry.payload).collect()
}

fn limits(items: usize, bytes: usize) -> Limits {
    Limits { items, bytes }
}

#[derive(Clone, Debug)]
enum Step {
    Push {
        key: usize,
        bytes: usize,
    },
    Next {
        flush: bool,
    },
    /// An event of one of the batches in flight.
    Release(usize),
    PutBack(usize),
    Halve(usize),
    Block(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..12_usize, 1..60_usize).prop_map(|(key, bytes)| Step::Push { key, bytes }),
        3 => any::<bool>().prop_map(|flush| Step::Next { flush }),
        3 => any::<usize>().prop_map(Step::Release),
        1 => any::<usize>().prop_map(Step::PutBack),
        1 => any::<usize>().prop_map(Step::Halve),
        1 => any::<usize>().prop_map(Step::Block),
    ];
    proptest::collection::vec(step, 0..200)
}

/// The naive planner.
struct Model {
    limits: Limits,
    bytes: usize,
    pending: Vec<Entry<usize>>,
    again: VecDeque<Vec<Entry<usize>>>,
    held: HashSet<ItemKey>,
    blocked: HashSet<ItemKey>,
}

impl Model {
    fn wants_more(&self) -> bool {
        self.pending.len() < READ_AHEAD * self.limits.items
            && self.pending.iter().map(|entry| entry.bytes).sum::<usize>()
                < READ_AHEAD * self.limits.bytes
    }

    fn next_batch(&mut self, flush: bool) -> Option<Vec<Entry<usize>>> {
        if let Some(batch) = self.again.pop_front() {
            return Some(batch);
        }
        let mut keys = self.held.clone();
        let free = self.pending.iter().filter(|entry| keys.insert(entry.key));
        let (mut batch, mut length, mut full) = (Vec::new(), ENVELOPE - 1, false);
        for entry in free {
            length += 1 + entry.bytes;
            let fits = batch.len() < self.limits.items && length <= self.bytes;
            full |= !fits;
            if fits || batch.is_empty() {
                batch.push(entry.clone());
            }
            if full {
                break;
            }
        }
        full |= batch.len() == self.limits.items;
        if batch.is_empty() || !(full || flush || !self.wants_more()) {
            return None;
        }
        self.pending.retain(|entry| !batch.contains(entry));
        self.held.extend(batch.iter().map(|entry| entry.key));
        Some(batch)
    }
}

proptest! {
    /// The planner agrees with one that examines every entry each time: the oldest free entries, one for each key, up
    /// to the limits. No entry is lost and none is returned twice.
    #[test]
    fn a_batch_is_the_oldest_free_entries_and_all_come_out_once(
        steps in steps(),
        items in 1..6_usize,
        bytes in 40..150_usize,
    ) {
        let limits = limits(items, bytes);
        let mut planner = Planner::new(limits);
        let mut model = Model {
            limits,
            bytes,
            pending: Vec::new(),
            again: VecDeque::new(),
            held: HashSet::new(),
            blocked: HashSet::new(),
        };
        let mut under_way: Vec<Vec<Entry<usize>>> = Vec::new();
        let mut done = Vec::new();
        let mut last_of = HashMap::new();
        let mut pushed = 0;
        for step in steps {
            let chosen = |at: usize| (!under_way.is_empty()).then(|| at % under_way.len());
            match step {
                Step::Push { key, bytes } => {
                    let entry = entry(key, bytes, pushed);
                    pushed += 1;
                    let fits = bytes + ENVELOPE <= limits.bytes;
                    prop_assert_eq!(planner.can_hold(bytes), fits);
                    if !fits {
                        done.push(entry.payload);
                        continue;
                    }
                    let refused = if model.blocked.contains(&entry.key) {
                        done.push(entry.payload);
                        Err(entry.clone())
                    } else {
                        model.pending.push(entry.clone());
                        Ok(())
                    };
                    prop_assert_eq!(planner.push(entry), refused);
                }
                Step::Next { flush } => {
                    let batch = planner.next_batch(flush);
                    prop_assert_eq!(&batch, &model.next_batch(flush));
                    for entry in batch.iter().flatten() {
                        let last = last_of.insert(entry.key, entry.payload);
                        prop_assert!(last <= Some(entry.payload), "an older update of {} is late", entry.key);
                        let held = under_way.iter().flatten().any(|other| other.key == entry.key);
                        prop_assert!(!held, "{} is in two batches", entry.key);
                    }
                    under_way.extend(batch);
                }
                Step::Release(at) => if let Some(at) = chosen(at) {
                    for entry in under_way.swap_remove(at) {
                        planner.release(entry.key);
                        model.held.remove(&entry.key);
                        done.push(entry.payload);
                    }
                },
                Step::PutBack(at) => if let Some(at) = chosen(at) {
                    let batch = under_way.swap_remove(at);
                    model.again.push_back(batch.clone());
                    planner.put_back(batch);
                },
                Step::Halve(at) => if let Some(at) = chosen(at) {
                    let batch = under_way.swap_remove(at);
                    if let [alone] = &batch[..] {
                        planner.release(alone.key);
                        model.held.remove(&alone.key);
                        done.push(alone.payload);
                    } else {
                        let length: usize = batch.iter().map(|entry| entry.bytes + 1).sum();
                        model.bytes = model.bytes.min((length - 1 + ENVELOPE) / 2);
                        let (left, right) = batch.split_at(batch.len() / 2);
                        model.again.extend([left.to_vec(), right.to_vec()]);
                        planner.halve(batch.clone());
                    }
                },
                Step::Block(at) => if let Some(at) = chosen(at) {
                    for entry in under_way.swap_remove(at) {
                        model.blocked.insert(entry.key);
                        done.push(entry.payload);
                        let blocked = planner.block(entry.key);
                        let waiting = model.pending.extract_if(.., |other| other.key == entry.key);
                        prop_assert_eq!(&blocked, &waiting.collect::<Vec<_>>());
                        done.extend(numbers(&blocked));
                        planner.release(entry.key);
                    }
                },
            }
            prop_assert_eq!(planner.wants_more(), model.wants_more());
        }
        prop_assert_eq!(planner.is_empty(), model.pending.is_empty() && model.again.is_empty());
        let rest: Vec<_> = model.again.into_iter().flatten().chain(model.pending).collect();
        let given_up = planner.into_entries();
        prop_assert_eq!(&given_up, &rest);
        done.extend(numbers(&given_up));
        done.extend(under_way.iter().flat_map(|batch| numbers(batch)));
        done.sort_unstable();
        prop_assert!(done.into_iter().eq(0..pushed), "an entry is lost or there twice");
    }

    /// The counted length is the length of the body.
    #[test]
    fn a_batch_that_just_fits_has_the_length_of_its_body(names in proptest::collection::vec(".{0,20}", 1..20)) {
        let updates: Vec<_> = names.iter().enumerate()
            .map(|(number, name)| ItemUpdate::new(key(number).id).field("name", name).expect("a field"))
            .collect();
        let body = Batch::new(updates.clone()).expect("a batch").body().expect("a body").len();
        for (bytes, taken) in [(body, names.len()), (body - 1, names.len() - 1)] {
            let mut planner = Planner::new(limits(100, bytes));
            let mut refused = 0;
            for update in &updates {
                let bytes = serde_json::to_string(&update.entry()).expect("JSON").len();
                if planner.can_hold(bytes) {
                    planner.push(Entry { key: update.key(), bytes, payload: () }).expect("it is taken");
                } else {
                    refused += 1;
                }
            }
            let batch = planner.next_batch(true).unwrap_or_default();
            prop_assert_eq!(batch.len(), taken.min(names.len() - refused));
        }
    }
}

/// Pushes while more is wanted, and takes a batch whenever there is one, with this many in flight. Returns the batches.
fn stream(keys: impl IntoIterator<Item = usize>, together: usize) -> Vec<Vec<Entry<usize>>> {
    let mut planner = Planner::new(limits(100, 100_000));
    let mut input = keys.into_iter().enumerate().peekable();
    let mut under_way = VecDeque::new();
    let mut batches = Vec::new();
    loop {
        while let Some((number, key)) = input.next_if(|_| planner.wants_more()) {
            planner.push(entry(key, 100, number)).expect("it is taken");
        }
        let batch = (under_way.len() < together)
            .then(|| planner.next_batch(input.peek().is_none()))
            .flatten();
        if let Some(batch) = batch {
            under_way.push_back(batch);
        } else if let Some(batch) = under_way.pop_front() {
            for entry in &batch {
                planner.release(entry.key);
            }
            batches.push(batch);
        } else {
            assert!(planner.is_empty() && input.peek().is_none(), "it is stuck");
            assert!(planner.keys.is_empty(), "it remembers what is done");
            return batches;
        }
    }
}

#[test]
fn distinct_keys_make_as_few_batches_as_can_be() {
    for len in [0, 1, 99, 100, 101, 199, 200, 201, 100_000] {
        for together in [1, 4] {
            let batches = stream(0..len, together);
            assert_eq!(batches.len(), len.div_ceil(100), "{len}");
            let all: Vec<_> = batches.iter().flat_map(|batch| numbers(batch)).collect();
            assert!(all.into_iter().eq(0..len), "{len}");
        }
    }
}

#[test]
fn a_single_key_is_sent_one_by_one_in_order() {
    let batches = stream(std::iter::repeat_n(7, 10_000), 4);
    let all: Vec<_> = batches.iter().map(|batch| numbers(batch)).collect();
    assert!(all.into_iter().eq((0..10_000).map(|number| vec![number])));
}

#[test]
fn keys_repeated_now_and_then_cost_one_batch_in_all() {
    let batches = stream((0..10_000).map(|number| number - number % 10 / 9), 1);
    assert_eq!(batches.len(), 101);
}

#[test]
fn what_is_read_ahead_is_bounded() {
    for (bytes, bound) in [(10, 400), (50_000, 8)] {
        for same_key in [false, true] {
            let mut planner = Planner::new(limits(100, 100_000));
            let mut pushed = 0;
            while planner.wants_more() {
                let key = if same_key { 0 } else { pushed };
                planner
                    .push(entry(key, bytes, pushed))
                    .expect("it is taken");
                pushed += 1;
            }
            assert_eq!(pushed, bound, "{bytes} {same_key}");
            assert!(planner.next_batch(false).is_some(), "it is stuck");
        }
    }
}

#[test]
fn a_partial_batch_waits_for_more() {
    let mut planner = Planner::new(limits(3, 1_000));
    for number in 0..2 {
        planner
            .push(entry(number, 10, number))
            .expect("it is taken");
    }
    assert_eq!(planner.next_batch(false), None);
    assert_eq!(
        numbers(&planner.next_batch(true).unwrap_or_default()),
        [0, 1]
    );
}
