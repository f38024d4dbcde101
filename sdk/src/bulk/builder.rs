//! How a run is to be done.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::Stream;

use super::driver::Driver;
use super::dry_run::{self, DryRun};
use super::journal::{Journal, JournalReader};
use super::run::Run;
use super::settings::Job;
use super::source::Source;
use crate::client::Client;
use crate::error::Error;
use crate::id::CollectionId;
use crate::model::ItemUpdate;
use crate::retry::RetryPolicy;

/// Any number of updates of the items of a collection, about to be run. Made by [`Client::bulk`]; a clone is a run of its
/// own.
///
/// # The account
///
/// Every item that is taken from the source comes out as one [`Outcome`](super::Outcome): updated, rejected, not
/// attempted, or unknown. Once an attempt may have acted, only updated, unknown, or rejected with that mark follows:
/// [`Error::may_have_acted`](crate::Error::may_have_acted) of the rejection says so. That holds under faults, refusals,
/// cancellation, and a source or an observer that panics; and, with a journal, over a run that is killed and resumed.
///
/// # What happens
///
/// - Batches hold up to 100 items and [`max_batch_bytes`](Self::max_batch_bytes), each item and locale once. Updates of
///   one item in one locale reach the service in the order of the source, whatever the concurrency.
/// - Requests keep the [pace](crate::RateLimiter) of the client and are tried again by its [policy](crate::RetryPolicy). Until
///   the service has accepted one, they are sent one at a time.
/// - A batch that is refused with a 4xx status other than 401, 408, 413 and 429 is split until the items at fault are
///   found; the others are updated. That takes about nine requests for one item in a hundred. An item can be found to be at
///   fault because the others of a refused group were all accepted, without having been sent alone, if the status was
///   400, 404, 409 or 422; for other statuses, such as 403, it is refused twice alone. A refused batch is assumed to have
///   changed nothing, see [`assume_atomic`](Self::assume_atomic).
/// - What became of an update being unknown, later updates of the same item in the same locale are not attempted, since
///   a late request could overwrite them; see [`continue_after_unknown`](Self::continue_after_unknown). Nor are they
///   where an update could not be sent, since it has to come before them.
///
/// # What ends a run
///
/// A run ends when its source has ended and all items are settled. It stops before that for one of these reasons, and no
/// other ([`StopReason`](super::StopReason)); all items that were not sent are then not attempted, and a run with the same
/// journal goes on with them:
///
/// - it is [cancelled](super::Handle::cancel);
/// - 401: after that one request and those under way;
/// - everything is refused alike: after 12 requests in a row, at least 3 of them with a single item, and those under way;
/// - [three](Self::max_consecutive_failures) consecutive batches of which nothing was updated;
/// - more requests than [granted](Self::isolation_limit) are spent on finding rejected items;
/// - the journal cannot be written, or is [of another input](Self::accept_other_input);
/// - the request could not be made at all, which no network and no service is the cause of.
///
/// Nothing more is read from the source than four batches beyond those under way, so memory does not grow with its
/// length, nor does it with a journal, but for what earlier runs have recorded in it, and for the item and locale of each
/// update that is unknown or could not be sent.
///
/// # Files and images
///
/// Webflow imports a file or an image again each time that its field is written, even with the same value. So whatever
/// sends an update twice has that price: a try after one that may have acted, which
/// [`RetryPolicy::retry_ambiguous`](crate::RetryPolicy::retry_ambiguous) forbids, and
/// [`resend_unknown`](Self::resend_unknown).
///
/// ```no_run
/// # async fn example(client: webflow_cms::Client, updates: Vec<webflow_cms::ItemUpdate>) -> Result<(), webflow_cms::Error> {
/// use webflow_cms::CollectionId;
///
/// let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
/// let mut run = client.bulk(collection).journal("sync.journal").run(updates)?;
/// while let Some(outcome) = run.next().await {
///     if !outcome.is_updated() {
///         eprintln!("{outcome}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until it is run"]
pub struct Bulk {
    job: Job,
}

impl Client {
    /// Prepares a bulk update: any number of item updates in a collection, each with a status in the end.
    pub fn bulk(&self, collection: CollectionId) -> Bulk {
        Bulk {
            job: Job::new(self.clone(), collection),
        }
    }
}

impl Bulk {
    /// As [`UpdateRequest::skip_invalid_files`](crate::client::UpdateRequest::skip_invalid_files), for each request; not sent unless
    /// set. With `true`, which is also what the service does when not told, an item counts as updated though a file or an
    /// image of it may have been skipped.
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.job.settings.skip_invalid_files = Some(skip);
        self
    }

    /// How many requests are at work at the same time, waits included; 4 unless set. 0 counts as 1.
    ///
    /// More than 4 gains little: at the 120 requests a minute that Webflow grants at the most, and half a second for an
    /// answer, one is under way at a time, and the others wait for their turn or after a failure.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.job.settings.concurrency = requests.max(1);
        self
    }

    /// How many bytes the body of a request may have; 4 MiB unless set. An item that is larger alone is rejected without
    /// being sent.
    ///
    /// The service's own limit is not documented; a request that is refused as too large (413) is halved, and later ones
    /// are kept as small.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.job.settings.max_batch_bytes = bytes;
        self
    }

    /// Whether a batch that the service refuses is taken to have changed nothing; `true` unless set. It was observed for
    /// live items, and is not documented. With `false` the items of a refused batch are unknown, and none is looked for
    /// that is at fault, unless [`resend_unknown`](Self::resend_unknown) allows to send them again.
    pub fn assume_atomic(mut self, assume: bool) -> Self {
        self.job.settings.assume_atomic = assume;
        self
    }

    /// After how many consecutive batches of which nothing was updated the run stops, provided that they held 100 items or
    /// more together; 3 unless set. 0 counts as 1, and `u32::MAX` is never: then it is not concluded either that
    /// [everything is refused alike](super::StopReason::RefusedAlike), and every item of a missing collection is asked
    /// for.
    pub fn max_consecutive_failures(mut self, batches: u32) -> Self {
        self.job.settings.max_consecutive_failures = batches.max(1);
        self
    }

    /// How many requests may be spent on finding rejected items, for each batch on average; 20 unless set, and `u32::MAX`
    /// is no limit. It is held against the whole run once 200 such requests were made.
    ///
    /// One rejected item in a batch of 100 takes about 9 requests, five take 33, and if all are, 106. Where more is spent,
    /// it is quicker to correct what the rejected items have in common. The run [stops](super::StopReason::TooManyRejected)
    /// and can be resumed.
    pub fn isolation_limit(mut self, requests_per_batch: u32) -> Self {
        self.job.settings.isolation_limit = requests_per_batch;
        self
    }

    /// How long a batch that is not full waits for more when the source gives nothing; 5 seconds unless set.
    pub fn linger(mut self, wait: Duration) -> Self {
        self.job.settings.linger = wait;
        self
    }

    /// Whether an update is attempted although it is unknown what became of an earlier one of the same item in the same
    /// locale; `false` unless set. The earlier one could arrive late and overwrite it.
    ///
    /// It cannot be combined with [`resend_unknown`](Self::resend_unknown), which would send the earlier one after the
    /// later one.
    pub fn continue_after_unknown(mut self, go_on: bool) -> Self {
        self.job.settings.continue_after_unknown = go_on;
        self
    }

    /// Whether the run reads on after an error of the source; `false` unless set, in which case what was read before is
    /// still sent, and what comes after it is not in the account.
    pub fn continue_after_source_error(mut self, go_on: bool) -> Self {
        self.job.settings.continue_after_source_error = go_on;
        self
    }

    /// How requests are tried again: as the client does it unless set, but up to 10 times, so that an outage of a minute
    /// or two does not end a run. A client that tries once does so here too. What is still not sent after the last try
    /// is [not attempted](super::NotAttempted::NotSent), or unknown if a try may have acted; the run goes on with the
    /// next batch.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.job.settings.retry = Some(policy);
        self
    }

    /// How long a try may take, in place of the client's time. It is also the longest that a cancelled run waits for what
    /// is under way. Zero is an error of [`run`](Self::run).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.job.settings.timeout = Some(timeout);
        self
    }

    /// How many items the source has, for the time that is left in [`Progress`](super::Progress), and so that a
    /// [`Report`](super::Report) is complete only if so many were read.
    pub fn expected_items(mut self, items: u64) -> Self {
        self.job.settings.expected_items = Some(items);
        self
    }

    /// Keeps a journal in a file, or goes on with the one that is in it. Its folder must exist. Without a journal, only what
    /// was seen of the outcomes tells what a killed run has done.
    ///
    /// A run goes on with the journal of an earlier one for the same collection and `skip_invalid_files`, with the same
    /// input or a corrected one: rows may be changed, dropped, added, or put in another order. An update is known again by
    /// its item, its locale and its content, and by how many updates of the same item and locale stand before it:
    ///
    /// - What the journal calls updated or rejected is not sent again, and comes out as
    ///   [`AlreadyUpdated`](super::ItemStatus::AlreadyUpdated) or [`RejectedBefore`](super::ItemStatus::RejectedBefore), unless
    ///   [`resend_rejected`](Self::resend_rejected) is set.
    /// - What is in doubt comes out as unknown, unless [`resend_unknown`](Self::resend_unknown) is set.
    /// - What is new, corrected or was not attempted is sent; and so is, whatever is recorded of it, what stands behind such
    ///   an update of the same item and locale, since updates of one item and locale are made in the order of the input.
    ///
    /// What an earlier run has sent stays on the site, even if it is in the input no more: see
    /// [`Report::left_out`](super::Report::left_out). If the journal knows none of the items of the first 100 updates, or of
    /// those that the source gives before it is silent, the run stops before anything is sent; see [`accept_other_input`](Self::accept_other_input).
    ///
    /// The file is of JSON lines, each with a checksum. It holds positions, fingerprints and reasons, but no content of the
    /// items and no token, and takes less than 80 bytes an item. In memory each update that an earlier run has recorded
    /// takes 12 bytes.
    /// While a run uses it, it is locked; the lock is advisory on Unix. [`JournalReader`] looks at
    /// it.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.job.settings.journal = Some(path.into());
        self
    }

    /// Whether the run goes on with a [journal](Self::journal) that knows none of the items of the first 100 updates; `false`
    /// unless set, since it is likely to be of another input then.
    pub fn accept_other_input(mut self, accept: bool) -> Self {
        self.job.settings.accept_other_input = accept;
        self
    }

    /// Whether what an earlier run has sent without learning what came of it is sent again; `false` unless set. The values
    /// end up the same, but Webflow imports files and images again, and what somebody has changed on the site meanwhile is
    /// overwritten.
    pub fn resend_unknown(mut self, again: bool) -> Self {
        self.job.settings.resend_unknown = again;
        self
    }

    /// Whether what an earlier run has found to be rejected is sent again as it is; `false` unless set. A corrected update is
    /// sent in any case: this is for what was corrected on the site, such as a locale that was added to an item.
    pub fn resend_rejected(mut self, again: bool) -> Self {
        self.job.settings.resend_rejected = again;
        self
    }

    /// Whether the journal is on the disk before a request leaves and before an outcome is handed out, so that it survives
    /// the end of the machine and not just that of the process; `false` unless set. Each takes some milliseconds, on a
    /// thread that may block.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.job.settings.fsync = fsync;
        self
    }

    /// Starts a run with the updates of an iterator. Nothing is sent before the [`Run`] is polled.
    ///
    /// The iterator is called on the thread that polls the run, so it should not block for long: other tasks wait
    /// meanwhile. An event of `tracing` at level WARN says so the first time that it takes 0.1 seconds.
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
    /// take, if nothing is refused. All of the source is read, past its errors too, nothing is sent, and nothing is
    /// written: a journal is looked at if there is one.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn dry_run<S, E>(self, updates: S) -> Result<DryRun, Error>
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.job.check()?;
        let journal = match &self.job.settings.journal {
            Some(path) => JournalReader::of_run(path, &self.job.parameters())?,
            None => None,
        };
        dry_run::count(&self.job, Source::stream(updates), journal).await
    }

    fn start(self, source: Source) -> Result<Run, Error> {
        self.job.check()?;
        let journal = match &self.job.settings.journal {
            Some(path) => {
                let journal = Journal::open(path, &self.job.parameters())?;
                Some(journal.fsync(self.job.settings.fsync))
            }
            None => None,
        };
        Ok(Run::new(Driver::new(self.job, source, journal)))
    }
}
