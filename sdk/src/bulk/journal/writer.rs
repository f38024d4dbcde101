//! The writer of a journal, which keeps blocking work off the threads of async tasks.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use tokio::task::{JoinError, spawn_blocking};

use super::append::Journal;
use super::fingerprint::Fingerprint;
use super::parameters::{Position, RecordedStatus};
use super::past::Resend;
use crate::bulk::core::machine::{self, Event};
use crate::bulk::core::status::Recorded;
use crate::bulk::core::stop::StopReason;
use crate::error::{JournalError, JournalFailure as Failure};
use crate::id::ItemKey;
use crate::observe::Observers;
use crate::time::Clock;

/// Writes the records of a run to its journal, one after the other, each on a thread for blocking work.
///
/// Clones write to the same journal. Without a journal, every item is new and nothing is written. If a write fails,
/// [`take_fault`](Self::take_fault) returns the error, and the run must stop.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Inner>);

struct Inner {
    /// `None` without a journal, and after the writer is closed. Locked during a write.
    journal: Arc<Mutex<Option<Journal>>>,
    has_journal: bool,
    /// The positions of the items without a status, by their index in the source.
    positions: Mutex<HashMap<u64, Position>>,
    fault: Mutex<Option<JournalError>>,
    observers: Observers,
    clock: Arc<dyn Clock>,
}

impl Writer {
    pub(crate) fn new(
        journal: Option<Journal>,
        observers: Observers,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self(Arc::new(Inner {
            has_journal: journal.is_some(),
            journal: Arc::new(Mutex::new(journal)),
            positions: Mutex::default(),
            fault: Mutex::default(),
            observers,
            clock,
        }))
    }

    /// Looks up the record of the next update of the source.
    pub(crate) async fn look_up(
        &self,
        index: u64,
        key: ItemKey,
        line: &str,
        resend: Resend,
    ) -> Recorded {
        if !self.0.has_journal {
            return Recorded::New;
        }
        let fingerprint = Fingerprint::new(key, line);
        let look_up = |journal: &mut Journal| {
            let found = journal.look_up(index, fingerprint, resend);
            (found, journal.take_fault())
        };
        let Some(((position, recorded), fault)) = self.read(look_up).await else {
            return Recorded::New;
        };
        lock(&self.0.positions).insert(index, position);
        self.note(fault.map_or(Ok(()), Err));
        recorded
    }

    /// Returns the event that the journal belongs to this input or does not, or `None` if that is not known yet. With
    /// `is_all`, no further updates are looked up, and it is known.
    pub(crate) async fn judge(&self, is_all: bool) -> Option<Event> {
        let can_tell = |journal: &Journal| is_all || journal.is_judged();
        let judge = |journal: &mut Journal| can_tell(journal).then(|| journal.judge());
        match self.read(judge).await?? {
            Ok(()) => Some(Event::Admitted),
            Err(error) => Some(stop(error)),
        }
    }

    /// Records that a request with these items is about to be sent. Returns `true` if it is recorded.
    pub(crate) async fn sent(&self, indices: &[u64]) -> bool {
        let positions = self.positions(indices);
        self.write(move |journal| journal.sent(&positions)).await
    }

    /// Records that a request with these items changed nothing.
    pub(crate) async fn unsent(&self, indices: &[u64]) {
        let positions = self.positions(indices);
        self.write(move |journal| journal.unsent(&positions)).await;
    }

    /// Records the statuses of sent items in one write.
    pub(crate) async fn record(&self, results: &[machine::ItemResult]) {
        let records: Vec<_> = {
            let positions = lock(&self.0.positions);
            let record = |result: &machine::ItemResult| {
                let position = positions.get(&result.index)?;
                Some((*position, RecordedStatus::of(&result.status)?))
            };
            results.iter().filter_map(record).collect()
        };
        for result in results {
            self.forget(result.index);
        }
        if !records.is_empty() {
            self.write(move |journal| journal.finished(&records)).await;
        }
    }

    /// Forgets the position of an item with a status.
    pub(crate) fn forget(&self, index: u64) {
        if self.0.has_journal {
            lock(&self.0.positions).remove(&index);
        }
    }

    /// Takes the event that stops the run after the first failed write or read.
    pub(crate) fn take_fault(&self) -> Option<Event> {
        lock(&self.0.fault).take().map(stop)
    }

    /// Returns the number of updates of earlier runs that are not in the input, once all of it was looked up.
    pub(crate) fn not_in_input(&self) -> u64 {
        let journal = lock(&self.0.journal);
        journal.as_ref().map_or(0, Journal::not_in_input)
    }

    /// Closes the journal, so that another run can use it. It waits for a write in progress, and drops writes that have
    /// not begun.
    pub(crate) fn close(&self) {
        drop(lock(&self.0.journal).take());
    }

    fn positions(&self, indices: &[u64]) -> Vec<Position> {
        let positions = lock(&self.0.positions);
        let place = |index| positions.get(index).copied();
        indices.iter().filter_map(place).collect()
    }

    /// Writes a record, and returns `true` if it is written. A write that has begun finishes even if this future is
    /// dropped.
    pub(super) async fn write<F>(&self, record: F) -> bool
    where
        F: FnOnce(&mut Journal) -> Result<(), JournalError> + Send + 'static,
    {
        if !self.0.has_journal {
            return true;
        }
        let _writing = self.0.observers.write_started(&*self.0.clock);
        self.note(match self.off_thread(record).await {
            Ok(written) => written.unwrap_or(Ok(())),
            // The runtime shut down before the write began.
            Err(error) => {
                let failure = Failure::io("write to it")(io::Error::other(error));
                let unwritten = |journal: &Journal| Err(journal.error(failure));
                lock(&self.0.journal).as_ref().map_or(Ok(()), unwritten)
            }
        })
    }

    /// Reads from the journal: at once, unless a write is in progress. Returns `None` if there is no journal.
    async fn read<T>(&self, read: impl FnOnce(&mut Journal) -> T) -> Option<T> {
        loop {
            match self.0.journal.try_lock() {
                Ok(mut journal) => return journal.as_mut().map(read),
                Err(TryLockError::Poisoned(journal)) => {
                    return journal.into_inner().as_mut().map(read);
                }
                Err(TryLockError::WouldBlock) => {}
            }
            // Waits for the lock on a thread that may block.
            let _ = self.off_thread(|_| ()).await;
        }
    }

    async fn off_thread<T, F>(&self, work: F) -> Result<Option<T>, JoinError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Journal) -> T + Send + 'static,
    {
        let journal = Arc::clone(&self.0.journal);
        let done = spawn_blocking(move || lock(&journal).as_mut().map(work)).await;
        done.map_err(|error| match error.is_panic() {
            true => resume_unwind(error.into_panic()),
            false => error,
        })
    }

    /// Keeps the first error. Returns `true` if there is none.
    fn note(&self, done: Result<(), JournalError>) -> bool {
        let Err(fault) = done else { return true };
        lock(&self.0.fault).get_or_insert(fault);
        false
    }
}

fn stop(error: JournalError) -> Event {
    Event::Stop(StopReason::Journal(Arc::new(error)))
}

/// Locks a mutex, also a poisoned one: a panic leaves nothing half-changed under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Writer").finish_non_exhaustive()
    }
}
