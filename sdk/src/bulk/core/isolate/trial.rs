//! Trials of isolation on batches whose bad entries are known, for the tests.

use super::{Isolation, Odds};

/// Returns the number of requests to resolve a batch with these bad entries, including the first.
pub(crate) fn requests(bad: &[bool]) -> usize {
    with_odds(bad, Odds::default())
}

/// Returns the number of requests with the odds of earlier batches.
pub(crate) fn with_odds(bad: &[bool], odds: Odds) -> usize {
    let mut isolation = Isolation::new(bad.len(), odds);
    let mut requests = 0;
    while let Some(group) = isolation.group() {
        requests += 1;
        if group.iter().any(|position| bad[*position]) {
            isolation.refused(&[]);
        } else {
            isolation.accepted(true);
        }
    }
    requests
}

/// Returns 1.25 times the minimum of any plan that knows the number of bad entries, plus the first request.
pub(crate) fn bound(len: usize, bad: usize) -> f64 {
    let ways = (0..bad).map(|taken| (len - taken) as f64 / (taken + 1) as f64);
    1.25 * ways.product::<f64>().log2().ceil() + 1.0
}

/// Returns a pattern with bad entries at random places.
pub(crate) fn scattered(random: &mut Random, len: usize, count: usize) -> Vec<bool> {
    let mut bad = vec![false; len];
    let mut left = count;
    for (place, entry) in bad.iter_mut().enumerate() {
        *entry = random.below(len - place) < left;
        left -= usize::from(*entry);
    }
    bad
}

/// Returns a pattern with a run of bad neighbours.
pub(crate) fn run(len: usize, start: usize, count: usize) -> Vec<bool> {
    (0..len)
        .map(|place| (start..start + count).contains(&place))
        .collect()
}

/// Returns the worst pattern that a search finds by changing a pattern step by step. It accepts a pattern that is not
/// easier, and sometimes one that is slightly easier, so that it does not stay at its start.
pub(crate) fn hardest(random: &mut Random, start: Vec<bool>, steps: usize) -> (usize, Vec<bool>) {
    let mut here = (requests(&start), start);
    let mut hardest = here.clone();
    for _ in 0..steps {
        let next = changed(random, &here.1);
        let requests = requests(&next);
        if requests + usize::from(random.below(8) == 0) >= here.0 {
            here = (requests, next);
        }
        if here.0 > hardest.0 {
            hardest = here.clone();
        }
    }
    hardest
}

/// Changes one entry, exchanges two, or copies a stretch to another place.
fn changed(random: &mut Random, bad: &[bool]) -> Vec<bool> {
    let mut next = bad.to_vec();
    let (one, other) = (random.below(bad.len()), random.below(bad.len()));
    match random.below(4) {
        0 | 1 => next[one] = !next[one],
        2 => next.swap(one, other),
        _ => {
            let len = 1 + random.below(bad.len() - one.max(other));
            next[other..other + len].copy_from_slice(&bad[one..one + len]);
        }
    }
    next
}

/// The numbers of requests of many runs.
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) p99: usize,
    pub(crate) worst: usize,
}

impl Summary {
    pub(crate) fn of(requests: impl IntoIterator<Item = usize>) -> Self {
        let mut requests: Vec<_> = requests.into_iter().collect();
        requests.sort_unstable();
        Self {
            mean: requests.iter().sum::<usize>() as f64 / requests.len() as f64,
            p99: requests[(requests.len() * 99).div_ceil(100) - 1],
            worst: requests[requests.len() - 1],
        }
    }
}

/// A generator of the same numbers in each run (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}
