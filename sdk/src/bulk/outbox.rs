//! The outcomes of a run on their way out, counted as they come.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Outcome;
use super::core::machine::{SettledItem, Totals};
use super::progress::{Counts, Recorder};

/// Outcomes that are not handed out yet, and the progress of the run that they are a part of.
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

    /// How many items came to what, those included that are not handed out yet.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn extend(&mut self, settled: impl IntoIterator<Item = SettledItem>) {
        for settled in settled {
            let outcome = Outcome::new(settled.index, settled.update, settled.status);
            self.counts.count(&outcome);
            self.outcomes.push_back(outcome);
        }
    }

    /// The next outcome, in the order in which items were settled.
    pub(crate) fn pop(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Publishes how far the run is.
    pub(crate) fn tell(&self, totals: Totals) {
        self.recorder.tell_step(totals, self.counts, self.expected);
    }
}
