//! What a run would do, without doing it.

use std::future::poll_fn;
use std::time::Duration;

use super::Digest;
use super::builder::Bulk;
use super::journal::{Journal, Position, Recorded};
use super::plan::{Entry, Planner, Refused};
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
    bulk: &Bulk,
    mut source: Source,
    journal: Option<&Journal>,
) -> Result<DryRun, Error> {
    let mut counted = DryRun::default();
    let mut planner = Planner::new(bulk.limits());
    while let Some(taken) = poll_fn(|context| source.poll_next(context)).await {
        let index = counted.items;
        counted.items += 1;
        let update = match taken {
            Ok(update) => update,
            Err(error) => {
                counted.fault(index, &error);
                if !bulk.settings.continue_after_source_error {
                    source.end();
                }
                continue;
            }
        };
        let line = update.to_json()?;
        if let Some(journal) = journal {
            let digest = Digest::of_line(&line);
            let recorded = journal.recorded(Position { index, digest });
            match recorded.map_err(Error::journal)? {
                Recorded::Updated | Recorded::Rejected => {
                    counted.settled_before += 1;
                    continue;
                }
                Recorded::InDoubt if !bulk.settings.resend_in_doubt => {
                    counted.in_doubt += 1;
                    continue;
                }
                Recorded::InDoubt | Recorded::Fresh => {}
            }
        }
        let entry = Entry {
            key: update.key(),
            bytes: line.len(),
            payload: (),
        };
        if let Err(Refused::TooLarge(entry) | Refused::Blocked(entry)) = planner.push(entry) {
            let most = bulk.settings.max_batch_bytes;
            let bytes = entry.bytes;
            counted.fault(index, &InvalidInput::UpdateTooLarge { bytes, most });
        }
        if !planner.wants_more() {
            send(&mut planner, false, &mut counted);
        }
    }
    if let Some(journal) = journal {
        journal.check_end(counted.items).map_err(Error::journal)?;
    }
    send(&mut planner, true, &mut counted);
    let gaps = u32::try_from(counted.requests.saturating_sub(1)).unwrap_or(u32::MAX);
    counted.time = bulk.client.pace().interval().saturating_mul(gaps);
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
