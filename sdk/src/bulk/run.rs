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
use super::{NotAttempted, Outcome, Settlement};

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
    stopped: Option<NotAttempted>,
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
                *lock(&shared) = End {
                    counts: engine.counts(),
                    statistics: engine.statistics(),
                    stopped: engine.stopped().cloned(),
                };
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
    /// no update. Outcomes that were taken before are counted, but not among those 20.
    pub async fn report(self) -> Report {
        self.for_each(|_| {}).await
    }

    /// Drives the run to its end, shows each outcome to a function, and says what came of it.
    ///
    /// # Panics
    ///
    /// If the function does, but not before the end of the run, which is cancelled then: the outcomes that the function
    /// has not seen are in the journal.
    pub async fn for_each(mut self, mut show: impl FnMut(&Outcome)) -> Report {
        let mut others = Vec::new();
        let mut panic: Option<Box<dyn Any + Send>> = None;
        while let Some(outcome) = self.next().await {
            if panic.is_none()
                && let Err(caught) = catch_unwind(AssertUnwindSafe(|| show(&outcome)))
            {
                panic = Some(caught);
                self.handle.cancel();
            }
            if others.len() < KEPT && !outcome.is_updated() {
                others.push(Outcome {
                    update: None,
                    ..outcome
                });
            }
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        let end = lock(&self.end);
        Report {
            counts: end.counts,
            statistics: end.statistics,
            stopped: end.stopped.clone(),
            others,
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
    /// Why the run stopped before its end, if it did.
    pub stopped: Option<NotAttempted>,
    /// The first outcomes that are no update, 20 at the most, without the updates themselves.
    pub others: Vec<Outcome>,
}

impl Report {
    /// Whether every item is updated, by this run or an earlier one with the same journal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Counts {
            updated,
            updated_before,
            ..
        } = self.counts;
        self.stopped.is_none() && updated + updated_before == self.counts.settled()
    }
}

impl fmt::Display for Report {
    /// In a few lines, for people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            updated,
            updated_before,
            rejected,
            not_attempted,
            unknown,
        } = self.counts;
        write!(formatter, "{updated} updated")?;
        for (count, what) in [
            (updated_before, "updated before"),
            (rejected, "rejected"),
            (not_attempted, "not attempted"),
            (unknown, "unknown"),
        ] {
            if count > 0 {
                write!(formatter, ", {count} {what}")?;
            }
        }
        let statistics = &self.statistics;
        write!(
            formatter,
            "; {} requests ({:.2} times the least) in {:.1} s",
            statistics.requests,
            statistics.overhead(),
            statistics.elapsed.as_secs_f64()
        )?;
        if let Some(why) = &self.stopped {
            write!(formatter, "\n{why}")?;
        }
        for outcome in &self.others {
            write!(formatter, "\nitem {}: ", outcome.index)?;
            match &outcome.settlement {
                Settlement::Rejected(error) => write!(formatter, "rejected: {error}")?,
                Settlement::RejectedBefore(reason) => {
                    write!(formatter, "rejected before: {}", reason.message())?;
                }
                Settlement::NotAttempted(why) => write!(formatter, "not attempted: {why}")?,
                Settlement::Unknown(why) => write!(formatter, "unknown: {why}")?,
                Settlement::Updated(_) | Settlement::UpdatedBefore => {
                    formatter.write_str("updated")?;
                }
            }
        }
        Ok(())
    }
}
