//! What a run would do, without doing it.

use std::future::poll_fn;
use std::time::Duration;

use super::core::plan::{Entry, Planner};
use super::core::status::Recorded;
use super::journal::{Fingerprint, JournalReader};
use super::settings::Job;

use super::source::Source;
use crate::error::{Error, InvalidInput};

/// How many faults of the input are kept one by one.
const KEPT: usize = 100;

/// What a run would send, if the service accepted everything, and what is wrong with the input.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct DryRun {
    /// How many items there are, errors of the source included.
    pub items: u64,
    /// How many of them an earlier run with the same journal has settled.
    pub settled_before: u64,
    /// How many of them an earlier run may have sent, so that they would come out as unknown; 0 if what is in doubt would
    /// be sent again.
    pub in_doubt: u64,
    /// How many of them would not be attempted, since an earlier update of the same item in the same locale is in doubt.
    pub held_back: u64,
    /// How many requests would be sent at the least: what is refused or fails takes more.
    pub requests: u64,
    /// How many bytes their bodies have together.
    pub bytes: u64,
    /// How long it would take at the pace that the client has now, not counting the time for the last answer. Before its
    /// first answer, that is the lowest that Webflow documents: 60 requests a minute.
    pub time: Duration,
    /// How many items could not be sent, since the source has an error in their place or they are too large.
    pub faults: u64,
    /// The position of each item that could not be sent, counted from 0, and why; the first 100.
    pub first_faults: Vec<(u64, Box<str>)>,
}

impl DryRun {
    fn fault(&mut self, index: u64, why: &dyn std::fmt::Display) {
        self.faults += 1;
        if self.first_faults.len() < KEPT {
            self.first_faults.push((index, why.to_string().into()));
        }
    }
}

/// Plans all of a source.
pub(super) async fn count(
    job: &Job,
    mut source: Source,
    mut journal: Option<JournalReader>,
) -> Result<DryRun, Error> {
    let mut counted = DryRun::default();
    let mut planner = Planner::new(job.limits());
    let clock = &*job.client.transport().parts().effects.clock;
    while let Some(taken) = poll_fn(|context| source.poll_next(clock, context)).await {
        let index = counted.items;
        counted.items += 1;
        let update = match taken {
            Ok(update) => update,
            // All that is wrong with the input is to be found at once.
            Err(error) => {
                counted.fault(index, &error);
                continue;
            }
        };
        let line = update.to_json()?;
        if !planner.can_hold(line.len()) {
            let (bytes, most) = (line.len(), job.settings.max_batch_bytes);
            counted.fault(index, &InvalidInput::UpdateTooLarge { bytes, most });
            continue;
        }
        if let Some(journal) = &mut journal {
            match journal.claim(Fingerprint::new(update.key(), &line), job.settings.resend())? {
                Recorded::Rejected(_) if job.settings.resend_rejected => {}
                Recorded::Updated | Recorded::Rejected(_) => {
                    counted.settled_before += 1;
                    continue;
                }
                Recorded::Unknown(_) if !job.settings.resend_unknown => {
                    counted.in_doubt += 1;
                    if !job.settings.continue_after_unknown {
                        counted.held_back += planner.block(update.key()).len() as u64;
                    }
                    continue;
                }
                Recorded::Unknown(_) | Recorded::New => {}
            }
        }
        let entry = Entry {
            key: update.key(),
            bytes: line.len(),
            payload: (),
        };
        counted.held_back += u64::from(planner.push(entry).is_err());
        if !planner.wants_more() {
            send(&mut planner, false, &mut counted);
        }
    }
    send(&mut planner, true, &mut counted);
    let gaps = u32::try_from(counted.requests.saturating_sub(1)).unwrap_or(u32::MAX);
    counted.time = job.client.rate_limiter().interval().saturating_mul(gaps);
    Ok(counted)
}

/// Counts the batches as if each were accepted before the next one is made.
fn send(planner: &mut Planner<()>, flush: bool, counted: &mut DryRun) {
    while let Some(batch) = planner.next_batch(flush) {
        counted.requests += 1;
        let entries: usize = batch.iter().map(|entry| entry.bytes + 1).sum();
        let envelope = r#"{"items":[]}"#.len().saturating_sub(1);
        counted.bytes += u64::try_from(entries + envelope).unwrap_or(u64::MAX);
        for entry in batch {
            planner.release(entry.key);
        }
    }
}
