//! What the suite asks of a client that updates any number of items by itself.
//!
//! A run takes entries one by one from a source, sends them in as many requests as it likes, and says of each position of the
//! source what came of it. With a journal it can be ended at any moment and be resumed.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::{Entry, Options};

/// A client's way to update any number of items.
pub trait Bulk {
    /// Makes a run. Nothing is sent until it is polled, and dropping it ends it at once.
    ///
    /// # Errors
    ///
    /// Why there can be no such run.
    fn start(&self, job: Job) -> Result<Box<dyn Run>, String>;

    /// Reads a journal: what it holds of each of these entries, with their positions, in the order of the source.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn read_journal(
        &self,
        journal: &Path,
        entries: &[(u64, Entry)],
    ) -> Result<JournalContents, String>;
}

/// Where a run takes its entries from. An error takes a position like an entry.
pub type Source = Pin<Box<dyn Stream<Item = Result<Entry, String>> + Send>>;

/// What a run is to do.
pub struct Job {
    /// The entries.
    pub source: Source,
    /// What each of its requests asks for.
    pub options: Options,
    /// How many requests may be at work at the same time.
    pub concurrency: usize,
    /// How many bytes the body of a request may have, if there is a bound.
    pub max_batch_bytes: Option<usize>,
    /// Whether a request that is refused is taken to have changed nothing.
    pub assume_atomic: bool,
    /// After how many batches in a row of which nothing was updated the run ends.
    pub max_consecutive_failures: u32,
    /// Whether an entry is sent although it is unknown what came of an earlier one for the same item and locale.
    pub continue_after_unknown: bool,
    /// Whether the run reads on after an error of the source.
    pub continue_after_source_error: bool,
    /// The journal, if there is one: a file in which the run writes down what it does, and from which it goes on if an
    /// earlier run has.
    pub journal: Option<PathBuf>,
    /// Whether what a resumed run finds in doubt is sent again.
    pub resend_unknown: bool,
    /// Whether the run goes on with a journal that knows none of its first entries.
    pub accept_other_input: bool,
}

/// A run that was started.
pub trait Run: Send {
    /// The next settled entry, or the end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<ItemReport>>;

    /// Ends the run in good order: nothing more is sent, and each entry that was taken is accounted for.
    fn cancel(&self);

    /// How many entries have come to what, so far.
    fn counts(&self) -> Counts;

    /// Whether the client calls the run complete, once it has ended: the source was read to its end, and all of it is
    /// updated.
    fn is_complete(&mut self) -> bool;
}

/// What came of one position of the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReport {
    /// The position, counted from 0.
    pub index: u64,
    /// What came of it.
    pub end: ItemStatus,
    /// Why, for people to read.
    pub reason: String,
    /// The line of JSON that the client keeps of an entry that was not updated, if it has one.
    pub dead_letter: Option<String>,
    /// Whether an entry that is called rejected is said to have been changed, perhaps, by an earlier request.
    pub may_have_acted: bool,
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemStatus {
    /// The service has updated the item.
    Updated,
    /// An earlier run with the same journal has updated it.
    AlreadyUpdated,
    /// The entry was refused.
    Rejected,
    /// An earlier run with the same journal has found that it is refused.
    AlreadyRejected,
    /// Nothing that can have changed the item was sent.
    NotAttempted(NotAttemptedReason),
    /// The item may have been changed.
    Unknown,
}

/// Why an entry was not attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotAttemptedReason {
    /// The source gave an error in its place.
    Source,
    /// The run was cancelled.
    Cancelled,
    /// The run has ended before its end.
    Stopped,
    /// Its requests failed, and changed nothing.
    Failed,
    /// An earlier entry for the same item and locale is not settled for good, and has to come first.
    Blocked,
}

/// How many entries came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Updated by this run.
    pub updated: u64,
    /// Updated by an earlier run with the same journal.
    pub already_updated: u64,
    /// Refused, in this run or an earlier one.
    pub rejected: u64,
    /// Not attempted.
    pub not_attempted: u64,
    /// Unknown.
    pub unknown: u64,
}

impl Counts {
    /// Counts settled entries.
    #[must_use]
    pub fn of(settled: &[ItemReport]) -> Self {
        let mut counts = Self::default();
        for settled in settled {
            *match settled.end {
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

/// What a journal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalContents {
    /// What it holds of each entry that was asked for, in their order.
    pub recorded: Vec<Recorded>,
    /// How many other entries it holds.
    pub others: u64,
}

/// What a journal holds of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing, or nothing that can have changed the item.
    New,
    /// It is updated.
    Updated,
    /// It was refused, and perhaps changed all the same by an earlier request.
    Rejected {
        /// Whether it is said to have been changed, perhaps.
        may_have_acted: bool,
    },
    /// A request may have changed the item.
    Unknown,
}
