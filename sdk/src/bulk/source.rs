//! The source of a run: a stream of updates, of which one at a time is polled.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use super::InvalidRow;
use crate::model::ItemUpdate;
use crate::text::panic_text;
use crate::time::{Clock, Sleep};

/// How long a source may keep its thread from other tasks without a warning.
const BLOCKING: Duration = Duration::from_millis(100);

/// What a source gives in place of an update.
pub(crate) type SourceError = Arc<dyn std::error::Error + Send + Sync>;

/// The source of a run, until it ends.
pub(crate) struct Source {
    updates: Option<Updates>,
    has_blocked: bool,
    /// Runs out when the source was silent for long enough.
    silence: Option<Sleep>,
    silent_since: Option<Duration>,
}

/// What a source has come up with.
pub(crate) enum Polled {
    /// The next update, an error in its place, or the end; and how long it was waited for.
    Given(Option<Result<ItemUpdate, SourceError>>, Duration),
    /// Nothing, for as long as it was to be waited for.
    Silent,
}

type Updates = Pin<Box<dyn Stream<Item = Result<ItemUpdate, SourceError>> + Send>>;

impl Source {
    pub(crate) fn iter<I>(updates: I) -> Self
    where
        I: IntoIterator<Item = ItemUpdate>,
        I::IntoIter: Send + 'static,
    {
        Self::new(Box::pin(stream::iter(updates).map(Ok)))
    }

    pub(crate) fn stream<S, E>(updates: S) -> Self
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let shared = |error: E| SourceError::from(error.into());
        Self::new(Box::pin(updates.map(move |update| update.map_err(shared))))
    }

    fn new(updates: Updates) -> Self {
        Self {
            updates: Some(updates),
            has_blocked: false,
            silence: None,
            silent_since: None,
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.updates.is_none()
    }

    pub(crate) fn end(&mut self) {
        self.updates = None;
    }

    /// Waits for the source as if it had been silent for no time until now.
    pub(crate) fn forget_silence(&mut self) {
        (self.silence, self.silent_since) = (None, None);
    }

    /// What the source gives, or that it gives nothing for so long.
    pub(crate) fn poll(
        &mut self,
        clock: &dyn Clock,
        patience: Option<Duration>,
        context: &mut Context<'_>,
    ) -> Poll<Polled> {
        if let Poll::Ready(given) = self.poll_next(clock, context) {
            let since = |since| clock.elapsed().saturating_sub(since);
            let waited = self.silent_since.map_or(Duration::ZERO, since);
            self.forget_silence();
            return Poll::Ready(Polled::Given(given, waited));
        }
        self.silent_since.get_or_insert_with(|| clock.elapsed());
        let Some(patience) = patience else {
            return Poll::Pending;
        };
        let silence = self.silence.get_or_insert_with(|| clock.sleep(patience));
        ready!(Pin::new(silence).poll(context));
        self.silence = None;
        Poll::Ready(Polled::Silent)
    }

    /// The next update, or the end. A source that panics has ended with an error, which tells of the panic. The first
    /// time that a source blocks its thread for 0.1 seconds, a warning says so.
    pub(crate) fn poll_next(
        &mut self,
        clock: &dyn Clock,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<ItemUpdate, SourceError>>> {
        let Some(updates) = &mut self.updates else {
            return Poll::Ready(None);
        };
        let began = clock.elapsed();
        let polled = catch_unwind(AssertUnwindSafe(|| updates.as_mut().poll_next(context)));
        let took = clock.elapsed().saturating_sub(began);
        if took >= BLOCKING && !self.has_blocked {
            self.has_blocked = true;
            tracing::warn!(
                ?took,
                "the source of a bulk run blocks its thread, and other tasks wait meanwhile"
            );
        }
        let polled = polled.unwrap_or_else(|panic| {
            self.end();
            Poll::Ready(Some(Err(Arc::from(message(&*panic)))))
        });
        let ends = |error: &SourceError| {
            let row = error.downcast_ref::<InvalidRow>();
            row.is_some_and(InvalidRow::ends_input)
        };
        match &polled {
            Poll::Ready(None) => self.end(),
            Poll::Ready(Some(Err(error))) if ends(error) => self.end(),
            _ => {}
        }
        polled
    }
}

fn message(panic: &(dyn Any + Send)) -> Box<dyn std::error::Error + Send + Sync> {
    match panic_text(panic) {
        Some(text) => format!("it panicked: {text}").into(),
        None => "it panicked".into(),
    }
}
