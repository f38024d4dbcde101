//! Handles of a run, which cancel it and tell how far it is.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::progress::Progress;

/// What a run shares with its handles and with its requests under way.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Whether the run was cancelled or has stopped by itself, so that nothing more is to leave.
    cancelled: AtomicBool,
    told: Notify,
}

impl Control {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Is ready when the run is cancelled.
    pub(crate) async fn cancelled(&self) {
        let mut told = pin!(self.told.notified());
        told.as_mut().enable();
        if !self.is_cancelled() {
            told.await;
        }
    }
}

/// Stops a run, and tells how far it is, from anywhere. Clones are handles of the same run.
#[derive(Clone)]
pub struct Handle {
    pub(crate) control: Arc<Control>,
    pub(crate) progress: watch::Receiver<Progress>,
}

impl Handle {
    /// Cancels the run: no request leaves from now on, and waits end at once. Requests that are under way are waited
    /// for, at the most for the time limit of an attempt, so that it is known what came of them. All other items come out as
    /// not attempted, or as unknown if an attempt of theirs may have acted.
    ///
    /// The run has to be polled on to its end for that. What the source still gives is read, to be accounted for, until it
    /// ends, gives nothing for a second, has been waited for for 10 seconds in all, or has given 100,000 updates more; see [`SourceEnd`](super::SourceEnd). With a
    /// journal, another run can go on. Cancelling a run that has ended, or was cancelled, does nothing.
    pub fn cancel(&self) {
        self.control.cancel();
    }

    /// How far the run is, as of its last step.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// How far the run is, as a channel that changes with it.
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

/// Nothing is left half-changed by a panic under these locks, so a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
