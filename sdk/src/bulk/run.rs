//! A run, from the outside.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt, stream};

use super::control::{Handle, lock};
use super::engine::Engine;
use super::progress::{Counts, Statistics};
use super::{ItemStatus, NotAttempted, Outcome, SourceEnd, StopReason};

/// How many outcomes that are no update a report keeps.
const KEPT: usize = 20;

/// A bulk update that is under way: a stream of what came of each item. Made by [`Bulk::run`](super::Bulk::run).
///
/// Outcomes come as items are settled, and those of one request in the order of the source. Nothing happens unless the
/// run is polled, and dropping it stops it at once; with a journal it can be resumed. Whoever takes their time between
/// two outcomes should have it run in a task of its own, since the answers to requests under way wait meanwhile.
///
/// # Panics
///
/// Polling it without a Tokio runtime, with its timers and its network, panics.
pub struct Run {
    outcomes: Pin<Box<dyn Stream<Item = Outcome> + Send>>,
    handle: Handle,
    end: Arc<Mutex<End>>,
}

/// What is known of a run when it has ended, or as far as it is.
#[derive(Default)]
struct End {
    counts: Counts,
    statistics: Statistics,
    taken: u64,
    expected: Option<u64>,
    left_out: u64,
    source: Option<SourceEnd>,
    stopped: Option<StopReason>,
    missing_fields: u64,
    /// The first outcomes that are worth to be told, without the updates themselves.
    others: Vec<Outcome>,
}

impl End {
    fn see(&mut self, engine: &Engine, outcome: Option<&Outcome>) {
        self.counts = engine.counts();
        self.statistics = engine.statistics();
        self.taken = engine.taken();
        self.expected = engine.expected();
        self.source = Some(engine.source_end());
        self.stopped = engine.stopped().cloned();
        let Some(outcome) = outcome else {
            self.left_out = engine.left_out();
            return;
        };
        let is_whole = outcome.missing_fields.is_empty();
        self.missing_fields += u64::from(!is_whole);
        // Why a run stopped is told once, not for each item that it did not come to.
        let is_left = matches!(
            outcome.status,
            ItemStatus::NotAttempted(NotAttempted::Stopped(_))
        );
        if self.others.len() < KEPT && !is_left && !(outcome.is_updated() && is_whole) {
            self.others.push(outcome.without_content());
        }
    }
}

impl Run {
    pub(crate) fn new(engine: Engine) -> Self {
        let handle = engine.handle();
        let end = Arc::<Mutex<End>>::default();
        let shared = end.clone();
        let outcomes = stream::unfold(engine, move |mut engine| {
            let shared = shared.clone();
            async move {
                let outcome = engine.next().await;
                lock(&shared).see(&engine, outcome.as_ref());
                outcome.map(|outcome| (outcome, engine))
            }
        });
        Self {
            outcomes: Box::pin(outcomes.fuse()),
            handle,
            end,
        }
    }

    /// A handle that cancels the run and tells how far it is.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The next outcome; none when every item that was taken from the source has one.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Outcome> {
        self.outcomes.next().await
    }

    /// Drives the run to its end and says what came of it, in a bounded size: counts, and the first 20 outcomes that are
    /// no update or lack fields.
    pub async fn finish(self) -> Report {
        self.for_each(|_| {}).await
    }

    /// Drives the run to its end, shows each outcome to a function, and says what came of it.
    ///
    /// # Panics
    ///
    /// If the function does, but not before the end of the run, which is cancelled then: the outcomes that the function
    /// has not seen are in the journal.
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
            taken: end.taken,
            expected: end.expected,
            source: end.source.clone().unwrap_or(SourceEnd::NotReadOn),
            left_out: end.left_out,
            missing_fields: end.missing_fields,
            stopped: end.stopped.clone(),
            others: end.others.clone(),
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

/// What came of a run, in a bounded size. Its `Display` is a few lines for people.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// How many items came to what.
    pub counts: Counts,
    /// What it took.
    pub statistics: Statistics,
    /// How many items were taken from the source, errors included.
    pub taken: u64,
    /// How many there should have been, as [`expected_items`](super::Bulk::expected_items) said.
    pub expected: Option<u64>,
    /// How the source ended.
    pub source: SourceEnd,
    /// How many updates earlier runs with the same journal have made, or may have made, that are not in the input any
    /// more, not counting what stands before another update of the same item and locale. What they changed stays. 0 unless
    /// the source was read to its end.
    pub left_out: u64,
    /// How many updated items came back without a field that was sent; see
    /// [`Outcome::missing_fields`](super::Outcome::missing_fields).
    pub missing_fields: u64,
    /// Why the run stopped before everything was sent, if it did.
    pub stopped: Option<StopReason>,
    /// The first outcomes that are no update, or that lack fields, 20 at the most, with updates that only tell what they
    /// address. What was not attempted since the run stopped is not among them: [`stopped`](Self::stopped) says why.
    pub others: Vec<Outcome>,
}

impl Report {
    /// Whether the source was read to its end, held as many items as were expected, and all of them are updated, by this
    /// run or an earlier one with the same journal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Counts {
            updated,
            already_updated,
            ..
        } = self.counts;
        self.stopped.is_none()
            && matches!(self.source, SourceEnd::Ended)
            && self.expected.is_none_or(|expected| expected == self.taken)
            && updated + already_updated == self.taken
    }
}

impl fmt::Display for Report {
    /// In a few lines, for people.
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
            (already_updated, "updated before"),
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
            least_requests,
            isolation_requests,
            elapsed,
            ..
        } = self.statistics;
        write!(
            formatter,
            "; {requests} requests (minimum {least_requests}) in {:.1} s",
            elapsed.as_secs_f64()
        )?;
        if isolation_requests > 0 {
            write!(
                formatter,
                ", {isolation_requests} of them to find what was refused in a batch"
            )?;
        }
        if let Some(why) = &self.stopped {
            write!(formatter, "\n{why}")?;
        }
        if !matches!(self.source, SourceEnd::Ended) {
            write!(formatter, "\n{}", self.source)?;
        }
        if let Some(expected) = self.expected
            && expected != self.taken
        {
            write!(
                formatter,
                "\n{} items were read, and {expected} were expected",
                self.taken
            )?;
        }
        if self.left_out > 0 {
            write!(
                formatter,
                "\n{} updates of earlier runs are not in the input any more; what they changed stays",
                self.left_out
            )?;
        }
        if self.missing_fields > 0 {
            write!(
                formatter,
                "\n{} updated items came back without a field that was sent",
                self.missing_fields
            )?;
        }
        for outcome in &self.others {
            write!(formatter, "\n{outcome}")?;
        }
        Ok(())
    }
}
