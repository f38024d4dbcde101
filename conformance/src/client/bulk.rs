//! The interface between the rules and a client that updates any number of items.
//!
//! A run takes entries from a source, sends them in any number of requests, and reports a status for each position of
//! the source. A run with a journal can be interrupted at any moment and resumed.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::{Entry, Options};

/// The bulk runs of a client.
pub trait Bulk {
    /// Starts a run. Nothing is sent until it is polled. Dropping it interrupts it at once.
    ///
    /// # Errors
    ///
    /// The reason why the run cannot start.
    fn start(&self, job: Job) -> Result<Box<dyn Run>, String>;

    /// Reads a journal: the record of each of these entries, given with their positions, in the order of the source.
    ///
    /// # Errors
    ///
    /// The reason why the journal cannot be read.
    fn read_journal(
        &self,
        journal: &Path,
        entries: &[(u64, Entry)],
    ) -> Result<JournalContents, String>;
}

/// The source of a run. An error takes a position like an entry.
pub type Source = Pin<Box<dyn Stream<Item = Result<Entry, String>> + Send>>;

/// Configures a run.
pub struct Job {
    /// The entries.
    pub source: Source,
    /// The options of each request.
    pub options: Options,
    /// Maximum number of requests in flight.
    pub concurrency: usize,
    /// Maximum length of a request's body in bytes. `None` is unlimited.
    pub max_batch_bytes: Option<usize>,
    /// Whether to assume that a refused request changed nothing.
    pub assume_atomic: bool,
    /// Number of consecutive batches without an update after which the run stops.
    pub max_consecutive_failures: u32,
    /// Whether an entry is sent although the status of an earlier one for the same item and locale is unknown.
    pub continue_after_unknown: bool,
    /// Whether the run continues after an error of the source.
    pub continue_after_source_error: bool,
    /// The journal file, if any. The run records its requests and results there, and resumes the runs that the file
    /// records.
    pub journal: Option<PathBuf>,
    /// Whether a resumed run resends unknown entries.
    pub resend_unknown: bool,
    /// Whether the run accepts a journal that has none of its first entries.
    pub accept_other_input: bool,
}

/// A run in progress.
pub trait Run: Send {
    /// The report of the next finished entry, or the end of the run.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<ItemReport>>;

    /// Cancels the run: nothing more is sent, and each entry that was taken is reported.
    fn cancel(&self);

    /// The counts so far.
    fn counts(&self) -> Counts;

    /// Whether the client calls the run complete: it has ended, the source was read to its end, and every entry is
    /// updated.
    fn is_complete(&mut self) -> bool;
}

/// The report of one position of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReport {
    /// The position, from 0.
    pub index: u64,
    /// The status of the entry.
    pub status: ItemStatus,
    /// The reason of the status, for people.
    pub reason: String,
    /// The client's dead letter of an entry that was not updated: a line of JSON, if it writes one.
    pub dead_letter: Option<String>,
    /// Whether a rejected entry may have been changed by an earlier request, as the client reports it.
    pub may_have_acted: bool,
}

/// The status of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemStatus {
    /// The service updated the item.
    Updated,
    /// An earlier run with the same journal updated the item.
    AlreadyUpdated,
    /// The entry was rejected.
    Rejected,
    /// An earlier run with the same journal rejected the entry.
    AlreadyRejected,
    /// No request that may have changed the item was sent.
    NotAttempted(NotAttemptedReason),
    /// The item may have been changed.
    Unknown,
}

/// The reason why an entry was not attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotAttemptedReason {
    /// The source returned an error at this position.
    Source,
    /// The run was cancelled.
    Cancelled,
    /// The run stopped early.
    Stopped,
    /// The requests failed and changed nothing.
    Failed,
    /// An earlier entry for the same item and locale is not finished and has to come first.
    Blocked,
}

/// Number of entries of each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Updated by this run.
    pub updated: u64,
    /// Updated by an earlier run with the same journal.
    pub already_updated: u64,
    /// Rejected by this run or an earlier one.
    pub rejected: u64,
    /// Not attempted.
    pub not_attempted: u64,
    /// Unknown.
    pub unknown: u64,
}

impl Counts {
    /// Counts the reports of entries.
    #[must_use]
    pub fn of(reports: &[ItemReport]) -> Self {
        let mut counts = Self::default();
        for report in reports {
            *match report.status {
                ItemStatus::Updated => &mut counts.updated,
                ItemStatus::AlreadyUpdated => &mut counts.already_updated,
                ItemStatus::Rejected | ItemStatus::AlreadyRejected => &mut counts.rejected,
                ItemStatus::NotAttempted(_) => &mut counts.not_attempted,
                ItemStatus::Unknown => &mut counts.unknown,
            } += 1;
        }
        counts
    }
}

/// The contents of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalContents {
    /// The record of each requested entry, in their order.
    pub recorded: Vec<Recorded>,
    /// Number of other entries in the journal.
    pub others: u64,
}

/// The record of an entry in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// No record, or none of a request that may have changed the item.
    New,
    /// The item is updated.
    Updated,
    /// The entry was rejected.
    Rejected {
        /// Whether an earlier request may have changed the item all the same.
        may_have_acted: bool,
    },
    /// A request may have changed the item.
    Unknown,
}
