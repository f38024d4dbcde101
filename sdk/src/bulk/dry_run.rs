//! The dry run of a bulk update.

use std::future::poll_fn;
use std::time::Duration;

use super::core::plan::{Entry, Planner};
use super::core::status::Recorded;
use super::journal::{Fingerprint, JournalReader};
use super::settings::Job;
use super::source::Source;
use crate::error::{Error, InvalidInput};

/// The maximum number of errors in a dry run.
const KEPT: usize = 100;

/// The errors of an input, and an estimate of the run in which the service accepts everything.
#[derive(Debug, Default)]
#[non_exhaustive]
#[must_use = "a dry run reports the errors of the input"]
pub struct DryRun {
    /// The number of items in the source, including errors.
    pub items: u64,
    /// The number of items that an earlier run with the same journal updated or rejected, so that the run would skip
    /// them.
    pub skipped: u64,
    /// The number of items whose result is unknown from an earlier run. 0 if
    /// [`resend_unknown`](super::Bulk::resend_unknown) is set.
    pub unknown: u64,
    /// The number of items that would not be attempted, because an earlier update of the same item in the same locale
    /// is unknown.
    pub not_attempted: u64,
    /// The minimum number of requests. Refusals and failures add to it.
    pub requests: u64,
    /// The total size of their bodies, in bytes.
    pub bytes: u64,
    /// The time that the rate limit takes, as [`RateLimiter::estimate`](crate::RateLimiter::estimate) returns it for
    /// these requests. The latency of the requests is not included. Before its first response, the limiter assumes 60
    /// requests a minute, the lowest limit that Webflow documents.
    pub duration: Duration,
    /// The number of items that cannot be sent: an error of the source in their place, or too large.
    pub errors: u64,
    /// The first 100 items that cannot be sent: their position, counted from 0, and the reason.
    pub first_errors: Vec<(u64, Box<str>)>,
}

impl DryRun {
    fn add_error(&mut self, index: u64, why: &dyn std::fmt::Display) {
        self.errors += 1;
        if self.first_errors.len() < KEPT {
            self.first_errors.push((index, why.to_string().into()));
        }
    }
}

/// Plans the batches of the whole source.
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
            // A dry run reports all errors of the input at once.
            Err(error) => {
                counted.add_error(index, &error);
                continue;
            }
        };
        let line = update.to_json()?;
        if !planner.can_hold(line.len()) {
            let (bytes, most) = (line.len(), job.settings.max_batch_bytes);
            counted.add_error(index, &InvalidInput::UpdateTooLarge { bytes, most });
            continue;
        }
        if let Some(journal) = &mut journal {
            match journal.claim(Fingerprint::new(update.key(), &line), job.settings.resend())? {
                Recorded::Rejected(_) if job.settings.resend_rejected => {}
                Recorded::Updated | Recorded::Rejected(_) => {
                    counted.skipped += 1;
                    continue;
                }
                Recorded::Unknown(_) if !job.settings.resend_unknown => {
                    counted.unknown += 1;
                    if !job.settings.continue_after_unknown {
                        counted.not_attempted += planner.block(update.key()).len() as u64;
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
        counted.not_attempted += u64::from(planner.push(entry).is_err());
        if !planner.wants_more() {
            send(&mut planner, false, &mut counted);
        }
    }
    send(&mut planner, true, &mut counted);
    counted.duration = job.client.rate_limiter().estimate(counted.requests);
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
