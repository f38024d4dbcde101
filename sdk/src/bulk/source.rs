//! The source of a run: a stream of item updates.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_util::{StreamExt, stream};

use super::InvalidRow;
use crate::model::ItemUpdate;
use crate::text::panic_text;
use crate::time::{Clock, Sleep};

/// The time for which a source may block its thread without a warning.
const BLOCKING: Duration = Duration::from_millis(100);

/// An error that a source gives in place of an update.
pub(crate) type SourceError = Arc<dyn std::error::Error + Send + Sync>;

/// The source of a run until its end.
pub(crate) struct Source {
    updates: Option<Updates>,
    has_blocked: bool,
    /// Completes when the source has been idle for the requested time.
    silence: Option<Sleep>,
    silent_since: Option<Duration>,
}

/// The result of polling a source.
pub(crate) enum Polled {
    /// The next update, an error in its place, or `None` at the end; and how long the run waited for it.
    Given(Option<Result<ItemUpdate, SourceError>>, Duration),
    /// The source was idle for the requested time.
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

    /// Restarts the measurement of the idle time.
    pub(crate) fn forget_silence(&mut self) {
        (self.silence, self.silent_since) = (None, None);
    }

    /// Polls the source. With `patience`, also returns when the source has been idle for that time.
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

    /// Returns the next update or `None` at the end.
    ///
    /// A panic of the source ends it with an error. The first time that the source blocks its thread for 0.1 seconds, a
    /// warning is emitted.
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
                "the source of a bulk run blocks its thread, so other tasks of the thread wait"
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
