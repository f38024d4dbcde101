//! The outcomes of a run that were not returned yet.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Outcome;
use super::core::machine::{ItemResult, Totals};
use super::progress::{Counts, Recorder};

/// A queue of outcomes, and the counts and progress of the run.
pub(crate) struct Outbox {
    outcomes: VecDeque<Outcome>,
    counts: Counts,
    pub(super) recorder: Arc<Recorder>,
    pub(super) expected: Option<u64>,
}

impl Outbox {
    pub(crate) fn new(recorder: Arc<Recorder>, expected: Option<u64>) -> Self {
        Self {
            outcomes: VecDeque::new(),
            counts: Counts::default(),
            recorder,
            expected,
        }
    }

    /// Returns the number of items by status, including outcomes still in the queue.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn extend(&mut self, results: impl IntoIterator<Item = ItemResult>) {
        for result in results {
            let outcome = Outcome::new(result.index, result.update, result.status);
            self.counts.count(&outcome);
            self.outcomes.push_back(outcome);
        }
    }

    /// Removes the next outcome, in the order in which the items received their status.
    pub(crate) fn pop(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Publishes the progress of the run.
    pub(crate) fn publish(&self, totals: Totals) {
        self.recorder
            .publish_step(totals, self.counts, self.expected);
    }
}
