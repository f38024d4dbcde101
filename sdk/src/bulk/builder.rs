//! How a run is to be done.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::Stream;

use super::dry_run::{self, DryRun};
use super::engine::Engine;
use super::journal::{Journal, Parameters};
use super::plan::Limits;
use super::run::Run;
use super::source::Source;
use crate::error::{Error, InvalidInput};
use crate::{Batch, Client, CollectionId, ItemUpdate, RetryPolicy};

/// Any number of updates of the items of a collection, about to be run. Made by [`Client::bulk`]; a clone is a run of its
/// own.
///
/// # The account
///
/// Every item that is taken from the source comes out as one [`Outcome`](super::Outcome): updated, rejected, not
/// attempted, or unknown. Once a try may have acted, only updated or unknown follows. So under faults, refusals,
/// cancellation, and a source or an observer that panics; and, with a journal, over a run that is killed and resumed.
///
/// # What happens
///
/// - Batches hold up to 100 items and [`max_batch_bytes`](Self::max_batch_bytes), each item and locale once. Updates of
///   one item in one locale reach the service in the order of the source, whatever the concurrency.
/// - Requests keep the [pace](crate::Pace) of the client and are tried again by its [policy](crate::RetryPolicy).
/// - A batch that is refused for what is in it is split until the items at fault are found; the others are updated. That
///   takes about nine requests for one item in a hundred. An item can be found to be at fault because the others of a
///   refused group were all accepted, without having been sent alone; and a refused batch is assumed to have changed
///   nothing, see [`assume_atomic`](Self::assume_atomic).
/// - 401, 403 and a collection that is not found end the run. So do [three](Self::stop_after) batches in a row of which
///   nothing was updated. All other items are then not attempted.
/// - What became of an update being unknown, later updates of the same item in the same locale are not attempted, since
///   a late request could overwrite them; see [`continue_after_unknown`](Self::continue_after_unknown). Nor are they
///   where an update could not be sent, since it has to come before them.
///
/// Nothing more is read from the source than four batches beyond those under way, so memory does not grow with its
/// length; but for a journal, which takes about 10 bytes an item.
///
/// # Files and images
///
/// Webflow imports a file or an image again each time that its field is written, even with the same value. So whatever
/// sends an update twice has that price: a try after one that may have acted, which
/// [`RetryPolicy::if_may_have_acted`](crate::RetryPolicy::if_may_have_acted) forbids, and
/// [`resend_in_doubt`](Self::resend_in_doubt).
///
/// ```no_run
/// # async fn example(client: webflow_cms::Client, updates: Vec<webflow_cms::ItemUpdate>) -> Result<(), webflow_cms::Error> {
/// use webflow_cms::CollectionId;
///
/// let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
/// let mut run = client.bulk(&collection).create_journal("sync.journal").run(updates)?;
/// while let Some(outcome) = run.next().await {
///     if !outcome.is_updated() {
///         eprintln!("item {} of the source: {:?}", outcome.index, outcome.settlement);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until it is run"]
pub struct Bulk {
    pub(crate) client: Client,
    pub(crate) collection: CollectionId,
    pub(crate) settings: Settings,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) skip_invalid_files: Option<bool>,
    pub(crate) concurrency: usize,
    pub(crate) max_batch_bytes: usize,
    pub(crate) assume_atomic: bool,
    pub(crate) stop_after: u32,
    pub(crate) continue_after_unknown: bool,
    pub(crate) continue_after_source_error: bool,
    pub(crate) resend_in_doubt: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) expected_items: Option<u64>,
    journal: Option<JournalFile>,
    fsync: bool,
}

#[derive(Clone, Debug)]
enum JournalFile {
    Create(PathBuf),
    Resume(PathBuf),
}

impl Bulk {
    pub(crate) fn new(client: Client, collection: CollectionId) -> Self {
        Self {
            client,
            collection,
            settings: Settings {
                skip_invalid_files: None,
                concurrency: 4,
                max_batch_bytes: 4 * 1024 * 1024,
                assume_atomic: true,
                stop_after: 3,
                continue_after_unknown: false,
                continue_after_source_error: false,
                resend_in_doubt: false,
                retry: None,
                timeout: None,
                expected_items: None,
                journal: None,
                fsync: false,
            },
        }
    }

    /// As [`UpdateRequest::skip_invalid_files`](crate::UpdateRequest::skip_invalid_files), for each request; not sent unless
    /// set. With `true`, which is also what the service does when not told, an item counts as updated though a file or an
    /// image of it may have been skipped.
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.settings.skip_invalid_files = Some(skip);
        self
    }

    /// How many requests are at work at the same time, waits included; 4 unless set. 0 counts as 1.
    ///
    /// More than 4 gains little: at the 120 requests a minute that Webflow grants at the most, and half a second for an
    /// answer, one is under way at a time, and the others wait for their turn or after a failure.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.settings.concurrency = requests.max(1);
        self
    }

    /// How many bytes the body of a request may have; 4 MiB unless set. An item that is larger alone is rejected without
    /// being sent.
    ///
    /// The service's own limit is not documented; a request that is refused as too large (413) is halved, and later ones
    /// are kept as small.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_batch_bytes = bytes;
        self
    }

    /// Whether a batch that the service refuses is taken to have changed nothing; `true` unless set. It was observed for
    /// live items, and is not documented. With `false` the items of a refused batch are unknown, and none is looked for
    /// that is at fault.
    pub fn assume_atomic(mut self, assume: bool) -> Self {
        self.settings.assume_atomic = assume;
        self
    }

    /// After how many batches in a row of which nothing was updated the run stops, provided that they held 100 items or
    /// more together; 3 unless set. 0 counts as 1, and `u32::MAX` is never.
    ///
    /// One wrong field name in 40,000 items would cost hours without it.
    pub fn stop_after(mut self, batches: u32) -> Self {
        self.settings.stop_after = batches.max(1);
        self
    }

    /// Whether an update is attempted although it is unknown what became of an earlier one of the same item in the same
    /// locale; `false` unless set. The earlier one could arrive late and overwrite it.
    ///
    /// It cannot be combined with [`resend_in_doubt`](Self::resend_in_doubt), which would send the earlier one after the
    /// later one.
    pub fn continue_after_unknown(mut self, go_on: bool) -> Self {
        self.settings.continue_after_unknown = go_on;
        self
    }

    /// Whether the run reads on after an error of the source; `false` unless set, in which case what was read before is
    /// still sent, and what comes after it is not in the account.
    pub fn continue_after_source_error(mut self, go_on: bool) -> Self {
        self.settings.continue_after_source_error = go_on;
        self
    }

    /// How requests are tried again: as the client does it unless set, but up to 10 times, so that an outage of a minute
    /// or two does not end a run. A client that tries once does so here too. What is still not sent after the last try
    /// is [not attempted](super::NotAttempted::NotSent), or unknown if a try may have acted; the run goes on with the
    /// next batch.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = Some(policy);
        self
    }

    /// How long a try may take, in place of the client's time. It is also the longest that a cancelled run waits for what
    /// is under way. Zero is an error of [`run`](Self::run).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// How many items the source has, for the time that is left in [`Progress`](super::Progress), and for nothing else.
    pub fn expected_items(mut self, items: u64) -> Self {
        self.settings.expected_items = Some(items);
        self
    }

    /// Keeps a [journal](super::Journal) in a file that does not exist yet, or is empty; its folder must exist. A run that
    /// has ended in whatever way can be resumed with it. Without one, only what was seen of the outcomes tells what a
    /// killed run has done.
    pub fn create_journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.journal = Some(JournalFile::Create(path.into()));
        self
    }

    /// Goes on with the journal of an earlier run, which must be of the same collection, `skip_invalid_files` and input.
    /// The input may have got longer at its end, and what no request has held may have changed.
    ///
    /// What the journal calls updated or rejected is not sent again, and comes out as
    /// [`UpdatedBefore`](super::Settlement::UpdatedBefore) or [`RejectedBefore`](super::Settlement::RejectedBefore). What
    /// is in doubt comes out as unknown, unless [`resend_in_doubt`](Self::resend_in_doubt) is set. What was not attempted
    /// is attempted.
    pub fn resume_journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.journal = Some(JournalFile::Resume(path.into()));
        self
    }

    /// Whether what an earlier run has sent without learning what came of it is sent again; `false` unless set. The values
    /// end up the same, but Webflow imports files and images again, and what somebody has changed on the site meanwhile is
    /// overwritten.
    pub fn resend_in_doubt(mut self, again: bool) -> Self {
        self.settings.resend_in_doubt = again;
        self
    }

    /// Whether the journal is on the disk before a request leaves and before an outcome is handed out, so that it survives
    /// the end of the machine and not just that of the process; `false` unless set. Each takes some milliseconds, in which
    /// the thread is blocked.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.settings.fsync = fsync;
        self
    }

    /// Starts a run with the updates of an iterator. Nothing is sent before the [`Run`] is polled.
    ///
    /// The iterator is called on the thread that polls the run, so it should not block for long.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Journal`](crate::ErrorKind::Journal) if the journal cannot be used, with a
    /// [`JournalError`](super::JournalError) as the source; [`InvalidInput::Bulk`] for settings that contradict each other,
    /// [`InvalidInput::ZeroTimeout`] and [`InvalidInput::Backoff`].
    pub fn run<I>(self, updates: I) -> Result<Run, Error>
    where
        I: IntoIterator<Item = ItemUpdate>,
        I::IntoIter: Send + 'static,
    {
        self.start(Source::iter(updates))
    }

    /// Starts a run with the updates of an iterator that may hold errors in their place, such as the lines of a file.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn try_run<I, E>(self, updates: I) -> Result<Run, Error>
    where
        I: IntoIterator<Item = Result<ItemUpdate, E>>,
        I::IntoIter: Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.run_stream(futures_util::stream::iter(updates))
    }

    /// Starts a run with the updates of a stream, which may hold errors in their place: each takes a position in the
    /// source and comes out as [not attempted](super::NotAttempted::Source). See also
    /// [`continue_after_source_error`](Self::continue_after_source_error).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_stream<S, E>(self, updates: S) -> Result<Run, Error>
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.start(Source::stream(updates))
    }

    /// Checks everything that can be checked here, and says how many requests a run would send and how long it would
    /// take, if nothing is refused. All of the source is read, nothing is sent, and no journal is made; one that would be
    /// resumed is locked and read.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), but that a journal to be made exists already is not noticed; and if the journal is of other
    /// input.
    pub async fn dry_run<S, E>(self, updates: S) -> Result<DryRun, Error>
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.check()?;
        let journal = match &self.settings.journal {
            Some(JournalFile::Resume(_)) => self.open_journal()?,
            _ => None,
        };
        dry_run::count(&self, Source::stream(updates), journal.as_ref()).await
    }

    fn start(self, source: Source) -> Result<Run, Error> {
        self.check()?;
        let journal = self.open_journal()?;
        Ok(Run::new(Engine::new(self, source, journal)))
    }

    fn check(&self) -> Result<(), Error> {
        let Settings {
            continue_after_unknown,
            resend_in_doubt,
            ..
        } = &self.settings;
        if *continue_after_unknown && *resend_in_doubt {
            return Err(InvalidInput::Bulk {
                reason: "what is in doubt cannot be sent again if later updates of the same items were attempted",
            }
            .into());
        }
        if self
            .settings
            .timeout
            .is_some_and(|timeout| timeout.is_zero())
        {
            return Err(InvalidInput::ZeroTimeout.into());
        }
        self.settings
            .retry
            .as_ref()
            .map_or(Ok(()), RetryPolicy::check)
    }

    fn open_journal(&self) -> Result<Option<Journal>, Error> {
        let mut parameters = Parameters::new(self.collection);
        if let Some(skip) = self.settings.skip_invalid_files {
            parameters = parameters.skip_invalid_files(skip);
        }
        let journal = match &self.settings.journal {
            None => return Ok(None),
            Some(JournalFile::Create(path)) => Journal::create(path, &parameters),
            Some(JournalFile::Resume(path)) => Journal::resume(path, &parameters),
        };
        let journal = journal.map_err(Error::journal)?;
        Ok(Some(journal.fsync(self.settings.fsync)))
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            items: Batch::MAX_ITEMS,
            bytes: self.settings.max_batch_bytes,
        }
    }
}
