//! Handles of a run, for its progress and its cancellation.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::progress::Progress;

/// The state that a run shares with its handles and its requests in flight.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Whether the run was cancelled or has stopped for another reason. No further attempt may then be sent.
    cancelled: AtomicBool,
    stopped: Notify,
}

impl Control {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.stopped.notify_waiters();
    }

    /// Completes when the run is cancelled.
    pub(crate) async fn cancelled(&self) {
        let mut notified = pin!(self.stopped.notified());
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

/// Cancels a run, and reports its progress, from any task or thread. Clones share the run.
#[derive(Clone)]
#[must_use = "a handle does nothing unless one of its methods is called"]
pub struct Handle {
    pub(crate) control: Arc<Control>,
    pub(crate) progress: watch::Receiver<Progress>,
}

impl Handle {
    /// Cancels the run. No further request is sent, and waits end at once.
    ///
    /// Requests in flight finish, at most within the attempt timeout, so that their results are known. All other items
    /// are not attempted, or unknown if an attempt with them may have acted. With a journal, another run can continue.
    ///
    /// The run must still be polled to its end. To give its remaining items a status, it reads the source until one of
    /// these:
    ///
    /// - the source ends;
    /// - the source is idle for 1 second, or for 10 seconds in total;
    /// - 100,000 more items were read.
    ///
    /// The report's [`SourceEnd`](super::SourceEnd) says whether the source was read to its end. Cancelling a run that
    /// has ended, or was cancelled, has no effect.
    pub fn cancel(&self) {
        self.control.cancel();
    }

    /// Returns the progress of the run.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Returns a channel with the progress of the run, to wait for its next change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Handle")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

/// Locks a mutex, also a poisoned one: a panic leaves nothing half-changed under these locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
