//! The settings of a bulk update, and how it starts.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;

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

/// Configures a bulk update of the items of one collection. Create it with [`Client::bulk`].
///
/// A clone configures a run of its own.
///
/// # Statuses
///
/// Every item that the run takes from the source has one [`Outcome`](super::Outcome): updated, rejected, not attempted
/// or unknown. Once an attempt may have acted, only updated, unknown, or rejected with
/// [`Error::may_have_acted`](crate::Error::may_have_acted) can follow. This holds under faults, refusals, cancellation,
/// and a source or an observer that panics. With a journal, it holds across runs that are killed and resumed.
///
/// # Batches and requests
///
/// - A batch holds up to 100 items and [`max_batch_bytes`](Self::max_batch_bytes), each item and locale once. Updates
///   of one item in one locale reach the service in the order of the source, whatever the concurrency.
/// - Requests follow the [rate limiter](crate::RateLimiter) and the [retry policy](crate::RetryPolicy) of the client.
///   Until the service has accepted a request, they are sent one at a time.
/// - A batch that is refused with a 4xx status other than 401, 408, 413 and 429 is split until the items at fault are
///   found. The other items are updated. One item at fault in 100 takes about nine requests. After status 400, 404, 409
///   or 422, an item also counts as rejected if all other items of a refused group were accepted; it is then not sent
///   alone. After any other status, such as 403, it counts as rejected when it was refused twice alone.
/// - A refused batch is assumed to have changed nothing, see [`assume_atomic`](Self::assume_atomic).
/// - After an update with an unknown result, later updates of the same item in the same locale are not attempted,
///   because a late request could overwrite them; see [`continue_after_unknown`](Self::continue_after_unknown). The
///   same holds after an update that could not be sent, because updates keep their order.
///
/// # When a run ends
///
/// A run ends when its source has ended and every item has a status. It stops earlier only for one of these reasons
/// ([`StopReason`](super::StopReason)). The items that were not sent are then not attempted, and a run with the same
/// journal continues with them:
///
/// - It is [cancelled](super::Handle::cancel).
/// - The service responds with 401. Requests in flight finish.
/// - 12 consecutive requests are refused with the same error, at least 3 of them with a single item.
/// - [Three](Self::max_consecutive_failures) consecutive batches have no success.
/// - Isolation takes more requests than the [limit](Self::isolation_limit).
/// - The journal cannot be written, or belongs to [another input](Self::accept_other_input).
/// - A request cannot be built, for a reason that is neither the network nor the service.
///
/// # Memory
///
/// The run reads at most four batches ahead of those in flight, so memory use does not grow with the length of the
/// source. It keeps the item and locale of each update that is unknown or could not be sent, and 12 bytes for each
/// update that earlier runs recorded in the journal.
///
/// # Files and images
///
/// Webflow imports a file or an image again each time that its field is written, even with the same value. That is the
/// price of sending an update twice: by a retry after an attempt that may have acted, which
/// [`RetryPolicy::retry_ambiguous(false)`](crate::RetryPolicy::retry_ambiguous) prevents, and by
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
#[must_use = "a bulk update does nothing unless it is run"]
pub struct Bulk {
    job: Job,
}

impl Client {
    /// Creates a bulk update of items in a collection.
    pub fn bulk(&self, collection: CollectionId) -> Bulk {
        Bulk {
            job: Job::new(self.clone(), collection),
        }
    }
}

impl Bulk {
    /// Sets whether the service skips files and images that it cannot import. Default: the parameter is not sent.
    ///
    /// It applies to each request, like
    /// [`UpdateRequest::skip_invalid_files`](crate::client::UpdateRequest::skip_invalid_files). Without the parameter,
    /// the service behaves as with `true`: an item counts as updated although a file or an image of it may have been
    /// skipped.
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.job.settings.skip_invalid_files = Some(skip);
        self
    }

    /// Sets the maximum number of concurrent requests, including requests that wait. Default: 4. 0 counts as 1.
    ///
    /// A higher number gains little for a long run. Four requests at a time, each half a second long, use Webflow's
    /// maximum of 120 requests within 15 seconds and wait for the rest of the minute.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.job.settings.concurrency = requests.max(1);
        self
    }

    /// Sets the maximum size of a request's body, in bytes. Default: 4 MiB. An item that alone exceeds it is rejected
    /// without being sent.
    ///
    /// The service's limit is not documented. A request that is refused as too large (413) is halved, and later
    /// requests stay as small.
    pub fn max_batch_bytes(mut self, bytes: usize) -> Self {
        self.job.settings.max_batch_bytes = bytes;
        self
    }

    /// Sets whether to assume that a refused batch changed nothing. Default: `true`.
    ///
    /// This was observed for live items and is not documented. With `false`, the items of a refused batch are unknown
    /// and are not isolated, unless [`resend_unknown`](Self::resend_unknown) allows it.
    pub fn assume_atomic(mut self, assume: bool) -> Self {
        self.job.settings.assume_atomic = assume;
        self
    }

    /// Sets after how many consecutive batches without a success the run stops, if they held 100 items or more
    /// together. Default: 3. 0 counts as 1.
    ///
    /// `u32::MAX` is no limit. The run then does not stop for a [repeated refusal](super::StopReason::RepeatedRefusal)
    /// either, and sends every item of a missing collection.
    pub fn max_consecutive_failures(mut self, batches: u32) -> Self {
        self.job.settings.max_consecutive_failures = batches.max(1);
        self
    }

    /// Sets how many requests isolation may take, per batch on average. Default: 20. `u32::MAX` is no limit.
    ///
    /// The limit is checked for the run as a whole, after its first 200 isolation requests. One rejected item in a
    /// batch of 100 takes about 9 requests, five take 33, and 100 take 106. Above the limit, it is quicker to correct
    /// what the rejected items have in common. The run [stops](super::StopReason::TooManyRejected) and can be resumed.
    pub fn isolation_limit(mut self, requests_per_batch: u32) -> Self {
        self.job.settings.isolation_limit = requests_per_batch;
        self
    }

    /// Sets how long a batch that is not full waits for more items while the source is idle. Default: 5 seconds.
    pub fn linger(mut self, wait: Duration) -> Self {
        self.job.settings.linger = wait;
        self
    }

    /// Sets whether to attempt an update although the result of an earlier update of the same item in the same locale
    /// is unknown. Default: `false`, because the earlier one could arrive late and overwrite it.
    ///
    /// It conflicts with [`resend_unknown`](Self::resend_unknown), which would send the earlier update after the later
    /// one.
    pub fn continue_after_unknown(mut self, go_on: bool) -> Self {
        self.job.settings.continue_after_unknown = go_on;
        self
    }

    /// Sets whether to continue after an error of the source. Default: `false`.
    ///
    /// With `false`, the run sends the items before the error. The items behind it are not read and have no status.
    pub fn continue_after_source_error(mut self, go_on: bool) -> Self {
        self.job.settings.continue_after_source_error = go_on;
        self
    }

    /// Sets the retry policy. Default: the policy of the client, with at least 10 attempts unless its retries are
    /// disabled, so that an outage of a minute or two does not end the run.
    ///
    /// An item whose request fails in every attempt is [not attempted](super::NotAttempted::NotSent), or unknown if an
    /// attempt may have acted. The run continues with the next batch.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.job.settings.retry = Some(policy);
        self
    }

    /// Sets the timeout of an attempt. Default: the client's. Zero is an error of [`run`](Self::run).
    ///
    /// A cancelled run waits at most this long for requests in flight.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.job.settings.timeout = Some(timeout);
        self
    }

    /// Sets how many items the source has. [`Progress`](super::Progress) then estimates the remaining time, and a
    /// [`Report`](super::Report) is complete only if exactly that many were read.
    pub fn expected_items(mut self, items: u64) -> Self {
        self.job.settings.expected_items = Some(items);
        self
    }

    /// Sets the file of the journal, which makes the run resumable. The file is created if it does not exist; its
    /// folder must exist.
    ///
    /// The journal is a write-ahead log: each request is recorded before it is sent, and each result before you see it.
    /// A run whose journal was begun by an earlier run continues that run. Both must have the same collection and
    /// `skip_invalid_files`. The input may be the same or a corrected one: you can change, drop, add and reorder rows.
    ///
    /// An update is recognized by its item, locale and content, and by its position among the updates of that item and
    /// locale:
    ///
    /// - Updated and rejected updates are skipped, with the status
    ///   [`AlreadyUpdated`](super::ItemStatus::AlreadyUpdated) or
    ///   [`AlreadyRejected`](super::ItemStatus::AlreadyRejected). See [`resend_rejected`](Self::resend_rejected).
    /// - Unknown updates stay unknown. See [`resend_unknown`](Self::resend_unknown).
    /// - New, corrected and not attempted updates are sent. So are all later updates of the same item and locale,
    ///   whatever their recorded status, because updates of one item and locale are applied in the order of the input.
    ///
    /// What an earlier run changed stays on the site, even if its row is no longer in the input; see
    /// [`Report::not_in_input`](super::Report::not_in_input).
    ///
    /// The run stops before it sends anything if the journal has none of the items of the first 100 updates, or of the
    /// updates that an idle source gave so far; see [`accept_other_input`](Self::accept_other_input).
    ///
    /// The file contains JSON lines with checksums: positions, fingerprints and reasons, but no item content and no
    /// token. It takes less than 80 bytes per item. Each update that earlier runs recorded takes 12 bytes of memory. A
    /// run locks the file; on Unix the lock is advisory. [`JournalReader`] reads it.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> Self {
        self.job.settings.journal = Some(path.into());
        self
    }

    /// Sets whether to continue a [journal](Self::journal) that has none of the items of the first 100 updates.
    /// Default: `false`, because such a journal is likely to belong to another input.
    pub fn accept_other_input(mut self, accept: bool) -> Self {
        self.job.settings.accept_other_input = accept;
        self
    }

    /// Sets whether to send updates whose result is unknown from an earlier run. Default: `false`.
    ///
    /// The values end up the same. But Webflow imports files and images again, and a change that somebody made on the
    /// site in the meantime is overwritten.
    pub fn resend_unknown(mut self, again: bool) -> Self {
        self.job.settings.resend_unknown = again;
        self
    }

    /// Sets whether to send updates that an earlier run recorded as rejected, as they are. Default: `false`.
    ///
    /// Use it after a correction on the site, such as a new locale variant of an item. A corrected update is sent in
    /// any case.
    pub fn resend_rejected(mut self, again: bool) -> Self {
        self.job.settings.resend_rejected = again;
        self
    }

    /// Sets whether each record of the journal reaches the disk before the request is sent or the outcome is returned,
    /// so that the journal survives a crash of the machine. Default: `false`; the journal survives the end of the
    /// process.
    ///
    /// Each record then takes some milliseconds, on a thread for blocking work.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.job.settings.fsync = fsync;
        self
    }

    /// Creates a run with the updates of an iterator. Nothing is sent until the [`Run`] is polled.
    ///
    /// The iterator is called on the thread that polls the run. Other tasks of that thread wait if it blocks. The first
    /// time that it blocks for 0.1 seconds, the run emits a `tracing` event at level WARN.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Journal`](crate::ErrorKind::Journal) with a [`JournalError`](super::JournalError) as its source,
    ///   if the journal cannot be used.
    /// - [`InvalidInput::Bulk`](crate::error::InvalidInput::Bulk) for settings that contradict each other.
    /// - [`InvalidInput::ZeroTimeout`](crate::error::InvalidInput::ZeroTimeout) for an attempt timeout of zero.
    pub fn run<I>(self, updates: I) -> Result<Run, Error>
    where
        I: IntoIterator<Item = ItemUpdate>,
        I::IntoIter: Send + 'static,
    {
        self.start(Source::iter(updates))
    }

    /// Creates a run with the updates of an iterator that can fail, such as the lines of a file. An error has the same
    /// consequences as in [`try_run_stream`](Self::try_run_stream).
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
        self.try_run_stream(futures_util::stream::iter(updates))
    }

    /// Creates a run with the updates of a stream.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_stream<S>(self, updates: S) -> Result<Run, Error>
    where
        S: Stream<Item = ItemUpdate> + Send + 'static,
    {
        self.try_run_stream(updates.map(Ok::<_, Infallible>))
    }

    /// Creates a run with the updates of a stream that can fail.
    ///
    /// An error takes a position in the source, and is [not attempted](super::NotAttempted::Source). See
    /// [`continue_after_source_error`](Self::continue_after_source_error).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn try_run_stream<S, E>(self, updates: S) -> Result<Run, Error>
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.start(Source::stream(updates))
    }

    /// Checks the updates of an iterator without a request, and estimates the requests and the time of a run in which
    /// nothing is refused.
    ///
    /// It reads the whole source, past its errors too. It sends and writes nothing, and only reads the journal if there
    /// is one.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn dry_run<I, E>(self, updates: I) -> Result<DryRun, Error>
    where
        I: IntoIterator<Item = Result<ItemUpdate, E>>,
        I::IntoIter: Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
    {
        self.dry_run_stream(futures_util::stream::iter(updates))
            .await
    }

    /// Does the same as [`dry_run`](Self::dry_run), with the updates of a stream.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn dry_run_stream<S, E>(self, updates: S) -> Result<DryRun, Error>
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
