//! Bulk runs of the crate `webflow-cms`.

use std::path::Path;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use webflow_cms::bulk::{
    Digest, Handle, Journal as SdkJournal, NotAttempted, Outcome, Parameters, Position,
    Recorded as SdkRecorded, Run as SdkRun, Settlement,
};

use super::{TimedSdk, update};
use crate::client::Entry;
use crate::client::bulk::{Bulk, Counts, End, Job, Journal, Recorded, Run, Settled, Source, Why};

impl Bulk for TimedSdk {
    fn start(&self, job: Job) -> Result<Box<dyn Run>, String> {
        let mut bulk = self
            .client
            .bulk(&self.collection)
            .concurrency(job.concurrency)
            .assume_atomic(job.assume_atomic)
            .stop_after(job.stop_after)
            .continue_after_unknown(job.after_unknown)
            .continue_after_source_error(job.after_source_error)
            .resend_in_doubt(job.resend_in_doubt);
        if let Some(skip) = job.options.skip_invalid_files {
            bulk = bulk.skip_invalid_files(skip);
        }
        if let Some(timeout) = job.options.attempt_timeout {
            bulk = bulk.timeout(timeout);
        }
        if let Some(bytes) = job.max_bytes {
            bulk = bulk.max_batch_bytes(bytes);
        }
        bulk = match job.journal {
            None => bulk,
            Some(Journal::Create(path)) => bulk.create_journal(path),
            Some(Journal::Resume(path)) => bulk.resume_journal(path),
        };
        let run = bulk.run_stream(futures_util::stream::iter(updates(job.source)));
        let run = run.map_err(|error| error.to_string())?;
        Ok(Box::new(Running {
            handle: run.handle(),
            run,
        }))
    }

    fn read_journal(
        &self,
        journal: &Path,
        entries: &[(u64, Entry)],
    ) -> Result<Vec<Recorded>, String> {
        let told = |error: &dyn std::error::Error| error.to_string();
        let journal = SdkJournal::resume(journal, &Parameters::new(self.collection))
            .map_err(|error| told(&error))?;
        let mut recorded = Vec::with_capacity(entries.len());
        for (index, entry) in entries {
            let update = update(entry).map_err(|error| told(&error))?;
            let digest = Digest::of(&update).map_err(|error| told(&error))?;
            let index = *index;
            let known = journal.recorded(Position { index, digest });
            recorded.push(match known.map_err(|error| told(&error))? {
                SdkRecorded::Fresh => Recorded::Fresh,
                SdkRecorded::Updated => Recorded::Updated,
                SdkRecorded::Rejected => Recorded::Rejected,
                SdkRecorded::InDoubt => Recorded::InDoubt,
            });
        }
        let tally = journal.tally();
        let count = |kind| recorded.iter().filter(|known| **known == kind).count() as u64;
        let counted = [Recorded::Updated, Recorded::Rejected, Recorded::InDoubt].map(count);
        if counted == [tally.updated, tally.rejected, tally.in_doubt] {
            Ok(recorded)
        } else {
            Err(format!(
                "its tally is {tally:?}, and its records are {counted:?}"
            ))
        }
    }
}

fn updates(source: Source) -> impl Iterator<Item = Result<webflow_cms::ItemUpdate, String>> + Send {
    source.map(|entry| update(&entry?).map_err(|error| error.to_string()))
}

struct Running {
    run: SdkRun,
    handle: Handle,
}

impl Run for Running {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Settled>> {
        self.run
            .poll_next_unpin(context)
            .map(|outcome| outcome.as_ref().map(settled))
    }

    fn cancel(&self) {
        self.handle.cancel();
    }

    fn counts(&self) -> Counts {
        let counts = self.handle.progress().counts;
        Counts {
            updated: counts.updated,
            updated_before: counts.updated_before,
            rejected: counts.rejected,
            not_attempted: counts.not_attempted,
            unknown: counts.unknown,
        }
    }
}

fn settled(outcome: &Outcome) -> Settled {
    let (end, reason) = match &outcome.settlement {
        Settlement::Updated(_) => (End::Updated, String::new()),
        Settlement::UpdatedBefore => (End::UpdatedBefore, String::new()),
        Settlement::Rejected(error) => (End::Rejected, error.to_string()),
        Settlement::RejectedBefore(reason) => (End::RejectedBefore, format!("{reason:?}")),
        Settlement::NotAttempted(why) => (End::NotAttempted(not_attempted(why)), why.to_string()),
        // What is said in a word that this suite does not know is claimed of nothing.
        Settlement::Unknown(why) => (End::Unknown, why.to_string()),
        other => (End::Unknown, format!("{other:?}")),
    };
    Settled {
        index: outcome.index,
        end,
        reason,
        dead_letter: outcome.dead_letter().ok().flatten(),
    }
}

fn not_attempted(why: &NotAttempted) -> Why {
    match why {
        NotAttempted::Source(_) => Why::Source,
        NotAttempted::Cancelled => Why::Cancelled,
        NotAttempted::NotSent(_) => Why::Failed,
        NotAttempted::AfterUnknown | NotAttempted::AfterNotSent => Why::EarlierFirst,
        _ => Why::Stopped,
    }
}
