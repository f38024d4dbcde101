//! Stopping a run, and being with its requests in the moments that count.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use http::StatusCode;
use tokio::sync::{Notify, watch};

use super::journal::{Journal, JournalError, Position};
use super::progress::Progress;
use crate::error::ErrorKind;
use crate::http::attempts::Watch;
use crate::retry::Failed;

/// What a run and its handles share.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Whether the run was cancelled or has stopped by itself, so that nothing more is to leave.
    cancelled: AtomicBool,
    told: Notify,
    /// The first fault of the journal.
    fault: Mutex<Option<JournalError>>,
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

    pub(crate) fn journal_failed(&self, error: JournalError) {
        lock(&self.fault).get_or_insert(error);
    }

    pub(crate) fn take_journal_fault(&self) -> Option<JournalError> {
        lock(&self.fault).take()
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

pub(crate) type SharedJournal = Arc<Mutex<Journal>>;

/// Is with one request: records that it leaves before it does, and takes that back if it changed nothing.
#[derive(Debug)]
pub(crate) struct RequestWatch {
    control: Arc<Control>,
    journal: Option<SharedJournal>,
    items: Vec<Position>,
    assume_atomic: bool,
    under_way: AtomicBool,
    may_have_acted: AtomicBool,
}

impl RequestWatch {
    pub(crate) fn new(
        control: Arc<Control>,
        journal: Option<SharedJournal>,
        items: Vec<Position>,
        assume_atomic: bool,
    ) -> Self {
        Self {
            control,
            journal,
            items,
            assume_atomic,
            under_way: AtomicBool::new(false),
            may_have_acted: AtomicBool::new(false),
        }
    }

    /// Drives a call to its end, or to where it waits and the run is cancelled. In that case, whether a try of it may
    /// have acted.
    pub(crate) async fn until_cancelled<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, bool> {
        let mut call = pin!(call);
        let mut cancelled = pin!(self.control.cancelled());
        let mut is_cancelled = false;
        std::future::poll_fn(|context| {
            is_cancelled = is_cancelled || cancelled.as_mut().poll(context).is_ready();
            let gives_up = || is_cancelled && !self.under_way.load(Ordering::Relaxed);
            if !gives_up()
                && let Poll::Ready(done) = call.as_mut().poll(context)
            {
                return Poll::Ready(Ok(done));
            }
            if gives_up() {
                return Poll::Ready(Err(self.may_have_acted.load(Ordering::Relaxed)));
            }
            Poll::Pending
        })
        .await
    }

    /// Whether a request with the items has left, of which it is not known that it changed nothing.
    pub(crate) fn may_have_acted(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) || self.may_have_acted.load(Ordering::Relaxed)
    }

    fn record(&self, record: impl FnOnce(&mut Journal) -> Result<(), JournalError>) -> bool {
        let Some(journal) = &self.journal else {
            return true;
        };
        match record(&mut lock(journal)) {
            Ok(()) => true,
            Err(error) => {
                self.control.journal_failed(error);
                false
            }
        }
    }
}

impl Watch for RequestWatch {
    fn leaving(&self) -> bool {
        if self.control.is_cancelled() || !self.record(|journal| journal.sent(&self.items)) {
            return false;
        }
        self.under_way.store(true, Ordering::Relaxed);
        true
    }

    fn failed(&self, failed: &Failed) {
        self.under_way.store(false, Ordering::Relaxed);
        let in_part = !self.assume_atomic
            && self.items.len() > 1
            && is_of_content(failed.kind, failed.status);
        if failed.may_have_acted() || in_part {
            self.may_have_acted.store(true, Ordering::Relaxed);
        } else {
            self.record(|journal| journal.unsent(&self.items));
        }
    }
}

/// Whether a request may have been refused for the items in it. Whoever did may have changed those before the one at
/// fault.
pub(crate) fn is_of_content(kind: ErrorKind, status: Option<StatusCode>) -> bool {
    match kind {
        ErrorKind::BadRequest
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict => true,
        ErrorKind::UnexpectedStatus => status.is_some_and(|status| {
            status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
        }),
        _ => false,
    }
}

/// Nothing is left half-changed by a panic under these locks, so a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
