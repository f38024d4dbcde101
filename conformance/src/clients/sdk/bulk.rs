//! Bulk runs of the crate `webflow-cms`.

use std::path::Path;
use std::task::{Context, Poll};

use futures_util::{FutureExt, Stream, StreamExt};
use webflow_cms::bulk::{
    Handle, ItemStatus as SdkStatus, JournalReader, NotAttempted, Outcome, Recorded as SdkRecorded,
    Run as SdkRun, StopReason,
};

use super::{TimedSdk, update};
use crate::client::Entry;
use crate::client::bulk::{
    Bulk, Counts, ItemReport, ItemStatus, Job, JournalContents, NotAttemptedReason, Recorded, Run,
    Source,
};

impl Bulk for TimedSdk {
    fn start(&self, job: Job) -> Result<Box<dyn Run>, String> {
        let mut bulk = self
            .client
            .bulk(self.collection)
            .concurrency(job.concurrency)
            .assume_atomic(job.assume_atomic)
            .max_consecutive_failures(job.max_consecutive_failures)
            .continue_after_unknown(job.continue_after_unknown)
            .continue_after_source_error(job.continue_after_source_error)
            .resend_unknown(job.resend_unknown)
            .accept_other_input(job.accept_other_input);
        if let Some(skip) = job.options.skip_invalid_files {
            bulk = bulk.skip_invalid_files(skip);
        }
        if let Some(timeout) = job.options.attempt_timeout {
            bulk = bulk.attempt_timeout(timeout);
        }
        if let Some(bytes) = job.max_batch_bytes {
            bulk = bulk.max_batch_bytes(bytes);
        }
        if let Some(path) = job.journal {
            bulk = bulk.journal(path);
        }
        let run = bulk.run_stream(updates(job.source));
        let run = run.map_err(|error| error.to_string())?;
        Ok(Box::new(Running {
            handle: run.handle(),
            run: Some(run),
        }))
    }

    fn read_journal(
        &self,
        journal: &Path,
        entries: &[(u64, Entry)],
    ) -> Result<JournalContents, String> {
        let reported = |error: webflow_cms::Error| error.to_string();
        let mut journal = JournalReader::open(journal).map_err(reported)?;
        let counts = journal.counts();
        let mut recorded = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            let update = update(entry).map_err(reported)?;
            recorded.push(match journal.look_up(&update).map_err(reported)? {
                SdkRecorded::New => Recorded::New,
                SdkRecorded::Updated => Recorded::Updated,
                SdkRecorded::Rejected(reason) => Recorded::Rejected {
                    may_have_acted: reason.may_have_acted(),
                },
                // A variant unknown to this suite may mean anything.
                _ => Recorded::Unknown,
            });
        }
        let mut counted = [0_u64; 3];
        for known in &recorded {
            match known {
                Recorded::New => {}
                Recorded::Updated => counted[0] += 1,
                Recorded::Rejected { .. } => counted[1] += 1,
                Recorded::Unknown => counted[2] += 1,
            }
        }
        let pairs = [counts.updated, counts.rejected, counts.unknown]
            .into_iter()
            .zip(counted);
        let others = pairs
            .map(|(all, asked)| all.checked_sub(asked))
            .sum::<Option<u64>>();
        let others = others
            .ok_or_else(|| format!("its counts are {counts:?}, and its records are {counted:?}"))?;
        Ok(JournalContents { recorded, others })
    }
}

fn updates(source: Source) -> impl Stream<Item = Result<webflow_cms::ItemUpdate, String>> + Send {
    source.map(|entry| update(&entry?).map_err(|error| error.to_string()))
}

struct Running {
    /// Taken at the end of the run, for its report.
    run: Option<SdkRun>,
    handle: Handle,
}

impl Run for Running {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<ItemReport>> {
        match &mut self.run {
            Some(run) => run
                .poll_next_unpin(context)
                .map(|outcome| outcome.as_ref().map(item_report)),
            None => Poll::Ready(None),
        }
    }

    fn cancel(&self) {
        self.handle.cancel();
    }

    fn counts(&self) -> Counts {
        let counts = self.handle.progress().counts;
        Counts {
            updated: counts.updated,
            already_updated: counts.already_updated,
            rejected: counts.rejected,
            not_attempted: counts.not_attempted,
            unknown: counts.unknown,
        }
    }

    fn is_complete(&mut self) -> bool {
        let report = self.run.take().map(|run| run.finish().now_or_never());
        report.flatten().is_some_and(|report| report.is_complete())
    }
}

fn item_report(outcome: &Outcome) -> ItemReport {
    let (end, reason) = match &outcome.status {
        SdkStatus::Updated(_) => (ItemStatus::Updated, String::new()),
        SdkStatus::AlreadyUpdated => (ItemStatus::AlreadyUpdated, String::new()),
        SdkStatus::Rejected(error) => (ItemStatus::Rejected, error.to_string()),
        SdkStatus::AlreadyRejected(reason) => (ItemStatus::AlreadyRejected, format!("{reason:?}")),
        SdkStatus::NotAttempted(why) => (
            ItemStatus::NotAttempted(not_attempted(why)),
            why.to_string(),
        ),
        // A variant unknown to this suite claims nothing.
        SdkStatus::Unknown(why) => (ItemStatus::Unknown, why.to_string()),
        other => (ItemStatus::Unknown, format!("{other:?}")),
    };
    let may_have_acted = match &outcome.status {
        SdkStatus::Rejected(error) => error.may_have_acted(),
        SdkStatus::AlreadyRejected(reason) => reason.may_have_acted(),
        _ => false,
    };
    ItemReport {
        index: outcome.index,
        status: end,
        reason,
        dead_letter: outcome.dead_letter().ok().flatten(),
        may_have_acted,
    }
}

fn not_attempted(why: &NotAttempted) -> NotAttemptedReason {
    match why {
        NotAttempted::Source(_) => NotAttemptedReason::Source,
        NotAttempted::Stopped(StopReason::Cancelled) => NotAttemptedReason::Cancelled,
        NotAttempted::NotSent(_) => NotAttemptedReason::Failed,
        NotAttempted::AfterUnknown | NotAttempted::AfterNotSent => NotAttemptedReason::Blocked,
        _ => NotAttemptedReason::Stopped,
    }
}
