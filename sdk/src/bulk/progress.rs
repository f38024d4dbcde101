//! The progress and the statistics of a run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::core::machine::Totals;
use super::{ItemStatus, Outcome};
use crate::model::Batch;
use crate::observe::{AttemptEnded, AttemptStarted, Observer, WaitCause, WaitEnded, WaitStarted};
use crate::time::Clock;

/// The number of items by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Items that this run updated.
    pub updated: u64,
    /// Items that an earlier run with the same journal updated.
    pub already_updated: u64,
    /// Items that this run or an earlier one rejected.
    pub rejected: u64,
    /// Items that were not attempted.
    pub not_attempted: u64,
    /// Items whose result is unknown.
    pub unknown: u64,
}

impl Counts {
    /// Returns the number of items with a status.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.updated + self.already_updated + self.rejected + self.not_attempted + self.unknown
    }

    pub(crate) fn count(&mut self, outcome: &Outcome) {
        *match outcome.status {
            ItemStatus::Updated(_) => &mut self.updated,
            ItemStatus::AlreadyUpdated => &mut self.already_updated,
            ItemStatus::Rejected(_) | ItemStatus::AlreadyRejected(_) => &mut self.rejected,
            ItemStatus::NotAttempted(_) => &mut self.not_attempted,
            ItemStatus::Unknown(_) => &mut self.unknown,
        } += 1;
    }
}

/// The progress of a run.
///
/// It changes when the run takes an item from the source, sends a request, receives a response, or starts or ends a
/// wait.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of items taken from the source, including errors.
    pub items: u64,
    /// The number of items with a status, by status.
    pub counts: Counts,
    /// The number of requests sent, including retries.
    pub requests: u64,
    /// The number of requests sent to isolate rejected items, without retries.
    pub isolation_requests: u64,
    /// The time since the run began.
    pub elapsed: Duration,
    /// The average number of items per minute that received a status. Items that an earlier run updated do not count.
    pub rate: f64,
    /// The estimated remaining time at this rate, if [`expected_items`](super::Bulk::expected_items) is set.
    pub remaining: Option<Duration>,
    /// The cause of the latest wait that has not ended, and when it ends, as the time since the run began.
    pub waiting: Option<(WaitCause, Duration)>,
}

/// The requests, bytes and waits of a run. Those of earlier runs with the same journal are not included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// The number of requests sent, including retries.
    pub requests: u64,
    /// The number of those requests that are retries.
    pub retries: u64,
    /// The number of requests sent to isolate rejected items, without retries.
    pub isolation_requests: u64,
    /// The minimum number of requests for the items that were sent: one for each [`Batch::MAX_ITEMS`] items.
    pub min_requests: u64,
    /// The total size of the bodies of all requests, in bytes.
    pub bytes_sent: u64,
    /// The total size of the bodies of all responses after decompression, in bytes.
    pub bytes_received: u64,
    /// The time that requests waited for the rate limiter. Concurrent waits add up.
    pub waited_for_rate_limit: Duration,
    /// The time that requests waited because the service requested it with `Retry-After`. Concurrent waits add up.
    pub waited_for_retry_after: Duration,
    /// The time that requests waited for the back-off after failures. Concurrent waits add up.
    pub waited_for_backoff: Duration,
    /// The time that the run took.
    pub elapsed: Duration,
}

impl Statistics {
    /// How many times more requests were sent than the items need at the least; 1 is the best there is.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a ratio tolerates the loss of a digit"
    )]
    /// Returns the ratio of the requests to the minimum. The optimum is 1.
    pub fn overhead(&self) -> f64 {
        self.requests as f64 / self.min_requests.max(1) as f64
    }
}

/// An observer of the run's client that counts its events and publishes the progress.
#[derive(Debug)]
pub(crate) struct Recorder {
    clock: Arc<dyn Clock>,
    began: Duration,
    progress: watch::Sender<Progress>,
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    rate_limiter: Duration,
    service: Duration,
    own: Duration,
    /// The waits that have not ended, each with its end as the time since the run began.
    now: Vec<(WaitCause, Duration)>,
}

impl Recorder {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            began: clock.elapsed(),
            clock,
            progress: watch::Sender::default(),
            requests: AtomicU64::default(),
            retries: AtomicU64::default(),
            bytes_sent: AtomicU64::default(),
            bytes_received: AtomicU64::default(),
            waits: Mutex::default(),
        }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn elapsed(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.began)
    }

    /// Publishes the progress after an event of the run.
    pub(crate) fn publish_step(&self, totals: Totals, counts: Counts, expected: Option<u64>) {
        let total = counts.total();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate tolerates the loss of a digit"
        )]
        let rate = match self.elapsed().as_secs_f64() {
            0.0 => 0.0,
            seconds => (total - counts.already_updated) as f64 * 60.0 / seconds,
        };
        let left = expected.map(|items| items.saturating_sub(total));
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let remaining =
            left.and_then(|left| Duration::try_from_secs_f64(left as f64 * 60.0 / rate).ok());
        self.publish(|progress| {
            progress.items = totals.taken;
            progress.counts = counts;
            progress.isolation_requests = totals.isolation_requests;
            progress.rate = rate;
            progress.remaining = remaining;
        });
    }

    /// Publishes the progress after a change to it.
    fn publish(&self, change: impl FnOnce(&mut Progress)) {
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

    pub(crate) fn statistics(&self, totals: Totals) -> Statistics {
        let most = u64::try_from(Batch::MAX_ITEMS).unwrap_or(u64::MAX);
        let waits = self.waits();
        Statistics {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            isolation_requests: totals.isolation_requests,
            min_requests: totals.sent_items.div_ceil(most),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            waited_for_rate_limit: waits.rate_limiter,
            waited_for_retry_after: waits.service,
            waited_for_backoff: waits.own,
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
        self.retries
            .fetch_add(u64::from(started.number > 1), Ordering::Relaxed);
        self.publish(|_| {});
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
        self.publish(|_| {});
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
        self.publish(|_| {});
    }
}
