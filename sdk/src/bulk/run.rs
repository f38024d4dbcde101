//! A run and its report.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::{StreamExt, stream};

use super::control::{Handle, lock};
use super::driver::Driver;
use super::progress::{Counts, Statistics};
use super::{ItemStatus, NotAttempted, Outcome, SourceEnd, StopReason};

/// The maximum number of outcomes in a report.
const KEPT: usize = 20;

/// A bulk update in progress: a stream of the outcomes of its items. Create it with [`Bulk::run`](super::Bulk::run).
///
/// An outcome is returned as soon as the status of its item is known. The outcomes of one request are in the order of
/// the source.
///
/// A run does nothing unless it is polled. Responses to requests in flight wait in the meantime, so spawn a task for
/// the run if you need time between two outcomes. Dropping a run stops it at once, except for a journal write in
/// progress, for which the drop waits. With a journal, it can be resumed.
///
/// # Panics
///
/// Polling it without a Tokio runtime with its timers and IO enabled panics.
#[must_use = "a run does nothing unless polled"]
pub struct Run {
    outcomes: Pin<Box<dyn Stream<Item = Outcome> + Send>>,
    handle: Handle,
    end: Arc<Mutex<End>>,
}

/// The state of a run at its last outcome, from which its report is made.
#[derive(Default)]
struct End {
    counts: Counts,
    statistics: Statistics,
    items: u64,
    expected_items: Option<u64>,
    not_in_input: u64,
    source_end: Option<SourceEnd>,
    stop_reason: Option<StopReason>,
    missing_fields: u64,
    /// The first outcomes that are not updated or lack fields, without the content of the updates.
    first_problems: Vec<Outcome>,
}

impl End {
    fn update(&mut self, driver: &Driver, outcome: Option<&Outcome>) {
        let machine = &driver.machine;
        self.counts = driver.outbox.counts();
        self.statistics = driver.outbox.recorder.statistics(machine.totals());
        self.items = machine.totals().taken;
        self.expected_items = driver.outbox.expected;
        self.source_end = Some(machine.source_end());
        self.stop_reason = machine.stopped().cloned();
        let Some(outcome) = outcome else {
            if let SourceEnd::Ended = machine.source_end() {
                self.not_in_input = driver.writer.not_in_input();
            }
            return;
        };
        let is_whole = outcome.missing_fields.is_empty();
        self.missing_fields += u64::from(!is_whole);
        // The report gives the reason to stop once, not for each item that was not sent.
        let is_after_stop = matches!(
            outcome.status,
            ItemStatus::NotAttempted(NotAttempted::Stopped(_))
        );
        if self.first_problems.len() < KEPT && !is_after_stop && !(outcome.is_updated() && is_whole)
        {
            self.first_problems.push(outcome.without_content());
        }
    }
}

impl Run {
    pub(crate) fn new(driver: Driver) -> Self {
        let handle = Handle {
            control: driver.control.clone(),
            progress: driver.outbox.recorder.watch(),
        };
        let end = Arc::<Mutex<End>>::default();
        let shared = end.clone();
        let outcomes = stream::unfold(driver, move |mut driver| {
            let shared = shared.clone();
            async move {
                let outcome = driver.next().await;
                lock(&shared).update(&driver, outcome.as_ref());
                outcome.map(|outcome| (outcome, driver))
            }
        });
        Self {
            outcomes: Box::pin(outcomes.fuse()),
            handle,
            end,
        }
    }

    /// Returns a handle that cancels the run and reports its progress.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns the next outcome, or `None` when every item that was taken from the source has one.
    ///
    /// The method is cancel safe: dropping the future loses no outcome.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.outcomes.next().await
    }

    /// Drives the run to its end and returns its report: counts, and the first 20 outcomes that are not updated or lack
    /// fields.
    pub async fn finish(self) -> Report {
        self.for_each(|_| {}).await
    }

    /// Drives the run to its end, calls a function with each outcome, and returns the report.
    ///
    /// # Panics
    ///
    /// If the function panics. The panic is resumed at the end of the run, which is cancelled. The journal then
    /// contains the outcomes that the function was not called with.
    pub async fn for_each(mut self, mut show: impl FnMut(&Outcome)) -> Report {
        let mut panic: Option<Box<dyn Any + Send>> = None;
        while let Some(outcome) = self.next().await {
            if panic.is_none()
                && let Err(caught) = catch_unwind(AssertUnwindSafe(|| show(&outcome)))
            {
                panic = Some(caught);
                self.handle.cancel();
            }
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        let end = lock(&self.end);
        Report {
            counts: end.counts,
            statistics: end.statistics,
            items: end.items,
            expected_items: end.expected_items,
            source_end: end.source_end.clone().unwrap_or(SourceEnd::Abandoned),
            not_in_input: end.not_in_input,
            missing_fields: end.missing_fields,
            stop_reason: end.stop_reason.clone(),
            first_problems: end.first_problems.clone(),
        }
    }
}

impl Stream for Run {
    type Item = Outcome;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Outcome>> {
        self.outcomes.as_mut().poll_next(context)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Run")
            .field("counts", &lock(&self.end).counts)
            .finish_non_exhaustive()
    }
}

/// The result of a run, of bounded size. `Display` writes a few lines for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The number of items by status.
    pub counts: Counts,
    /// The requests, bytes and waits of the run.
    pub statistics: Statistics,
    /// The number of items taken from the source, including errors.
    pub items: u64,
    /// The number of items that [`expected_items`](super::Bulk::expected_items) announced.
    pub expected_items: Option<u64>,
    /// How the source ended.
    pub source_end: SourceEnd,
    /// The number of updates that earlier runs with the same journal made, or may have made, and that are no longer in
    /// the input. What they changed stays. An update that was followed by another one of the same item and locale is
    /// not counted. 0 unless the source was read to its end.
    pub not_in_input: u64,
    /// The number of updated items that were returned without a field that was sent; see
    /// [`Outcome::missing_fields`](super::Outcome::missing_fields).
    pub missing_fields: u64,
    /// The reason if the run stopped before everything was sent.
    pub stop_reason: Option<StopReason>,
    /// The first 20 outcomes that are not updated or lack fields. Their updates contain the id and locale only. Items
    /// that were not attempted because the run stopped are not among them: [`stop_reason`](Self::stop_reason) gives the
    /// reason.
    pub first_problems: Vec<Outcome>,
}

impl Report {
    /// Returns `true` if the source was read to its end, held as many items as expected, and every item is updated, by
    /// this run or an earlier one with the same journal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Counts {
            updated,
            already_updated,
            ..
        } = self.counts;
        self.stop_reason.is_none()
            && matches!(self.source_end, SourceEnd::Ended)
            && self
                .expected_items
                .is_none_or(|expected| expected == self.items)
            && updated + already_updated == self.items
    }
}

impl fmt::Display for Report {
    /// Writes a few lines for people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            updated,
            already_updated,
            rejected,
            not_attempted,
            unknown,
        } = self.counts;
        write!(formatter, "{updated} updated")?;
        for (count, what) in [
            (already_updated, "already updated"),
            (rejected, "rejected"),
            (not_attempted, "not attempted"),
            (unknown, "unknown"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        let Statistics {
            requests,
            min_requests,
            isolation_requests,
            elapsed,
            ..
        } = self.statistics;
        write!(
            formatter,
            "; {requests} requests (minimum {min_requests}) in {:.1} s",
            elapsed.as_secs_f64()
        )?;
        if isolation_requests > 0 {
            write!(
                formatter,
                ", {isolation_requests} of them to isolate rejected items"
            )?;
        }
        if let Some(why) = &self.stop_reason {
            write!(formatter, "\n{why}")?;
        }
        if !matches!(self.source_end, SourceEnd::Ended) {
            write!(formatter, "\n{}", self.source_end)?;
        }
        if let Some(expected) = self.expected_items
            && expected != self.items
        {
            write!(
                formatter,
                "\n{} items were read, but {expected} were expected",
                self.items
            )?;
        }
        if self.not_in_input > 0 {
            write!(
                formatter,
                "\n{} updates of earlier runs are no longer in the input; what they changed stays",
                self.not_in_input
            )?;
        }
        if self.missing_fields > 0 {
            write!(
                formatter,
                "\n{} updated items were returned without a field that was sent",
                self.missing_fields
            )?;
        }
        for outcome in &self.first_problems {
            write!(formatter, "\n{outcome}")?;
        }
        Ok(())
    }
}
