//! How far a run is, and what it took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Outcome, Settlement};
use crate::{Batch, Observer, TryEnded, TryStarted, WaitCause, WaitEnded, WaitStarted};

/// How many items came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Updated by this run.
    pub updated: u64,
    /// Updated by an earlier run with the same journal.
    pub updated_before: u64,
    /// Rejected, by this run or an earlier one.
    pub rejected: u64,
    /// Not attempted.
    pub not_attempted: u64,
    /// Unknown.
    pub unknown: u64,
}

impl Counts {
    /// How many items are settled.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.updated + self.updated_before + self.rejected + self.not_attempted + self.unknown
    }

    pub(crate) fn count(&mut self, outcome: &Outcome) {
        *match outcome.settlement {
            Settlement::Updated(_) => &mut self.updated,
            Settlement::UpdatedBefore => &mut self.updated_before,
            Settlement::Rejected(_) | Settlement::RejectedBefore(_) => &mut self.rejected,
            Settlement::NotAttempted(_) => &mut self.not_attempted,
            Settlement::Unknown(_) => &mut self.unknown,
        } += 1;
    }
}

/// How far a run is, as of its last step: when it last took an item from the source, or learned what came of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// How many items were taken from the source, errors included.
    pub taken: u64,
    /// What came of those that are settled.
    pub counts: Counts,
    /// How many requests were sent.
    pub requests: u64,
    /// The time since the run began.
    pub elapsed: Duration,
    /// Items settled a minute, on average since the run began. Those that an earlier run has settled count too, so it is
    /// too high for a while after a run was resumed.
    pub rate: f64,
    /// How long the rest takes at this rate, if the run was told how many items there are.
    pub remaining: Option<Duration>,
    /// The wait that began last, if any request waits: its cause, and when it ends, by the time since the run began.
    pub waiting: Option<(WaitCause, Duration)>,
}

/// What a run took. What an earlier run with the same journal took is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// The requests that were sent, all tries counted.
    pub requests: u64,
    /// Those of them that repeat an earlier one.
    pub sent_again: u64,
    /// How many requests the items that were sent need at the least: one for each [`Batch::MAX_ITEMS`].
    pub least_requests: u64,
    /// The bytes of all requests' bodies.
    pub bytes_sent: u64,
    /// The bytes of all answers' bodies, decoded.
    pub bytes_received: u64,
    /// What calls have waited for their turn, added up over those at work in one time.
    pub waited_for_pace: Duration,
    /// What calls have waited because the service asked for it, added up as above.
    pub waited_for_service: Duration,
    /// What calls have waited by themselves after failures, added up as above.
    pub waited_by_itself: Duration,
    /// How long the run took.
    pub elapsed: Duration,
}

impl Statistics {
    /// How many times more requests were sent than the items need at the least; 1 is the best there is.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio is none the worse for a lost digit"
    )]
    pub fn overhead(&self) -> f64 {
        self.requests as f64 / self.least_requests.max(1) as f64
    }
}

/// Counts what the run's client tells.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    requests: AtomicU64,
    sent_again: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    pace: Duration,
    service: Duration,
    own: Duration,
    now: u64,
    /// The cause of the wait that began last, and how long it was to be.
    last: Option<(WaitCause, Duration)>,
    began: u64,
}

impl Recorder {
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The wait that began last, if any call waits; and a number that changes with each wait.
    pub(crate) fn waiting(&self) -> Option<(u64, WaitCause, Duration)> {
        let waits = self.waits();
        let (cause, expected) = waits.last?;
        (waits.now > 0).then_some((waits.began, cause, expected))
    }

    pub(crate) fn statistics(&self, items_sent: u64, elapsed: Duration) -> Statistics {
        let most = u64::try_from(Batch::MAX_ITEMS).unwrap_or(u64::MAX);
        let waits = self.waits();
        Statistics {
            requests: self.requests(),
            sent_again: self.sent_again.load(Ordering::Relaxed),
            least_requests: items_sent.div_ceil(most),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            waited_for_pace: waits.pace,
            waited_for_service: waits.service,
            waited_by_itself: waits.own,
            elapsed,
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn try_started(&self, started: &TryStarted) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.sent_again
            .fetch_add(u64::from(started.number > 1), Ordering::Relaxed);
    }

    fn try_ended(&self, ended: &TryEnded) {
        self.bytes_sent
            .fetch_add(ended.bytes_sent, Ordering::Relaxed);
        self.bytes_received
            .fetch_add(ended.bytes_received, Ordering::Relaxed);
    }

    fn wait_started(&self, started: &WaitStarted) {
        let mut waits = self.waits();
        waits.now += 1;
        waits.began += 1;
        waits.last = Some((started.cause, started.expected));
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        let mut waits = self.waits();
        waits.now = waits.now.saturating_sub(1);
        *match ended.cause {
            WaitCause::Pace => &mut waits.pace,
            WaitCause::RetryAfter => &mut waits.service,
            WaitCause::Backoff => &mut waits.own,
        } += ended.waited;
    }
}
