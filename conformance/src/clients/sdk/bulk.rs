//! Bulk runs of the crate `webflow-cms`.

use std::path::Path;
use std::task::{Context, Poll};

use futures_util::{FutureExt, Stream, StreamExt};
use webflow_cms::bulk::{
    Handle, ItemStatus, JournalReader, NotAttempted, Outcome, Recorded as SdkRecorded,
    Run as SdkRun, StopReason,
};

use super::{TimedSdk, update};
use crate::client::Entry;
use crate::client::bulk::{Bulk, Counts, End, Job, Reading, Recorded, Run, Settled, Source, Why};

impl Bulk for TimedSdk {
    fn start(&self, job: Job) -> Result<Box<dyn Run>, String> {
        let mut bulk = self
            .client
            .bulk(self.collection)
            .concurrency(job.concurrency)
            .assume_atomic(job.assume_atomic)
            .max_consecutive_failures(job.stop_after)
            .continue_after_unknown(job.after_unknown)
            .continue_after_source_error(job.after_source_error)
            .resend_unknown(job.resend_in_doubt)
            .accept_other_input(job.accept_other_input);
        if let Some(skip) = job.options.skip_invalid_files {
            bulk = bulk.skip_invalid_files(skip);
        }
        if let Some(timeout) = job.options.attempt_timeout {
            bulk = bulk.attempt_timeout(timeout);
        }
        if let Some(bytes) = job.max_bytes {
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

    fn read_journal(&self, journal: &Path, entries: &[(u64, Entry)]) -> Result<Reading, String> {
        let told = |error: webflow_cms::Error| error.to_string();
        let mut journal = JournalReader::open(journal).map_err(told)?;
        let tally = journal.tally();
        let mut recorded = Vec::with_capacity(entries.len());
        for (_, entry) in entries {
            let update = update(entry).map_err(told)?;
            recorded.push(match journal.recorded(&update).map_err(told)? {
                SdkRecorded::New => Recorded::Fresh,
                SdkRecorded::Updated => Recorded::Updated,
                SdkRecorded::Rejected(reason) => Recorded::Rejected {
                    may_have_acted: reason.may_have_acted(),
                },
                // What is said in a word that this suite does not know may be anything.
                _ => Recorded::InDoubt,
            });
        }
        let mut counted = [0_u64; 3];
        for known in &recorded {
            match known {
                Recorded::Fresh => {}
                Recorded::Updated => counted[0] += 1,
                Recorded::Rejected { .. } => counted[1] += 1,
                Recorded::InDoubt => counted[2] += 1,
            }
        }
        let pairs = [tally.updated, tally.rejected, tally.unknown]
            .into_iter()
            .zip(counted);
        let others = pairs
            .map(|(all, asked)| all.checked_sub(asked))
            .sum::<Option<u64>>();
        let others = others
            .ok_or_else(|| format!("its tally is {tally:?}, and its records are {counted:?}"))?;
        Ok(Reading { recorded, others })
    }
}

fn updates(source: Source) -> impl Stream<Item = Result<webflow_cms::ItemUpdate, String>> + Send {
    source.map(|entry| update(&entry?).map_err(|error| error.to_string()))
}

struct Running {
    /// Is taken when it has ended, for its report.
    run: Option<SdkRun>,
    handle: Handle,
}

impl Run for Running {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Settled>> {
        match &mut self.run {
            Some(run) => run
                .poll_next_unpin(context)
                .map(|outcome| outcome.as_ref().map(settled)),
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
            updated_before: counts.already_updated,
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

fn settled(outcome: &Outcome) -> Settled {
    let (end, reason) = match &outcome.status {
        ItemStatus::Updated(_) => (End::Updated, String::new()),
        ItemStatus::AlreadyUpdated => (End::UpdatedBefore, String::new()),
        ItemStatus::Rejected(error) => (End::Rejected, error.to_string()),
        ItemStatus::RejectedBefore(reason) => (End::RejectedBefore, format!("{reason:?}")),
        ItemStatus::NotAttempted(why) => (End::NotAttempted(not_attempted(why)), why.to_string()),
        // What is said in a word that this suite does not know is claimed of nothing.
        ItemStatus::Unknown(why) => (End::Unknown, why.to_string()),
        other => (End::Unknown, format!("{other:?}")),
    };
    let may_have_acted = match &outcome.status {
        ItemStatus::Rejected(error) => error.may_have_acted(),
        ItemStatus::RejectedBefore(reason) => reason.may_have_acted(),
        _ => false,
    };
    Settled {
        index: outcome.index,
        end,
        reason,
        dead_letter: outcome.dead_letter().ok().flatten(),
        may_have_acted,
    }
}

fn not_attempted(why: &NotAttempted) -> Why {
    match why {
        NotAttempted::Source(_) => Why::Source,
        NotAttempted::Stopped(StopReason::Cancelled) => Why::Cancelled,
        NotAttempted::NotSent(_) => Why::Failed,
        NotAttempted::AfterUnknown | NotAttempted::AfterNotSent => Why::EarlierFirst,
        _ => Why::Stopped,
    }
}
