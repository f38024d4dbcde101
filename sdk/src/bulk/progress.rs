//! How far a run is, and what it took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{ItemStatus, Outcome};
use crate::model::Batch;
use crate::observe::{AttemptEnded, AttemptStarted, Observer, WaitCause, WaitEnded, WaitStarted};
use crate::time::Clock;

/// How many items came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Updated by this run.
    pub updated: u64,
    /// Updated by an earlier run with the same journal.
    pub already_updated: u64,
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
        self.updated + self.already_updated + self.rejected + self.not_attempted + self.unknown
    }

    pub(crate) fn count(&mut self, outcome: &Outcome) {
        *match outcome.status {
            ItemStatus::Updated(_) => &mut self.updated,
            ItemStatus::AlreadyUpdated => &mut self.already_updated,
            ItemStatus::Rejected(_) | ItemStatus::RejectedBefore(_) => &mut self.rejected,
            ItemStatus::NotAttempted(_) => &mut self.not_attempted,
            ItemStatus::Unknown(_) => &mut self.unknown,
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
    /// How many of them, attempts not counted, were made to find what is at fault in a refused batch.
    pub isolation_requests: u64,
    /// The time since the run began.
    pub elapsed: Duration,
    /// Items settled a minute, on average since the run began. Those that an earlier run has updated do not count.
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
    /// How many requests were made to find what is at fault in a refused batch; an attempt that repeats one is not
    /// counted again.
    pub isolation_requests: u64,
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

/// Counts what the run's client tells, and tells it on at once.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Arc<dyn Clock>,
    began: Duration,
    progress: watch::Sender<Progress>,
    requests: AtomicU64,
    sent_again: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    rate_limiter: Duration,
    service: Duration,
    own: Duration,
    /// Those that are not over, each with its end by the time since the run began.
    now: Vec<(WaitCause, Duration)>,
}

impl Recorder {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            began: clock.elapsed(),
            clock,
            progress: watch::Sender::default(),
            requests: AtomicU64::default(),
            sent_again: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            bytes_received: AtomicU64::default(),
            waits: Mutex::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.began)
    }

    /// Tells how far the run is, with what only the run knows.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let elapsed = self.elapsed();
        let requests = self.requests.load(Ordering::Relaxed);
        let waiting = self.waits().now.last().copied();
        self.progress.send_modify(|progress| {
            change(progress);
            progress.elapsed = elapsed;
            progress.requests = requests;
            progress.waiting = waiting;
        });
    }

    pub(crate) fn statistics(&self, items_sent: u64, isolation_requests: u64) -> Statistics {
        let most = u64::try_from(Batch::MAX_ITEMS).unwrap_or(u64::MAX);
        let waits = self.waits();
        Statistics {
            requests: self.requests.load(Ordering::Relaxed),
            sent_again: self.sent_again.load(Ordering::Relaxed),
            isolation_requests,
            least_requests: items_sent.div_ceil(most),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            waited_for_pace: waits.rate_limiter,
            waited_for_service: waits.service,
            waited_by_itself: waits.own,
            elapsed: self.elapsed(),
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn attempt_started(&self, started: &AttemptStarted) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.sent_again
            .fetch_add(u64::from(started.number > 1), Ordering::Relaxed);
        self.tell(|_| {});
    }

    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.bytes_sent
            .fetch_add(ended.bytes_sent, Ordering::Relaxed);
        self.bytes_received
            .fetch_add(ended.bytes_received, Ordering::Relaxed);
    }

    fn wait_started(&self, started: &WaitStarted) {
        let end = self.elapsed().saturating_add(started.expected);
        self.waits().now.push((started.cause, end));
        self.tell(|_| {});
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        {
            let mut waits = self.waits();
            let first = waits
                .now
                .iter()
                .position(|(cause, _)| *cause == ended.cause);
            if let Some(first) = first {
                waits.now.remove(first);
            }
            *match ended.cause {
                WaitCause::RateLimit => &mut waits.rate_limiter,
                WaitCause::RetryAfter => &mut waits.service,
                WaitCause::Backoff => &mut waits.own,
            } += ended.waited;
        }
        self.tell(|_| {});
    }
}
