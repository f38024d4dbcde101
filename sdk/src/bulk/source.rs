//! Where the updates come from.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt, stream};

use crate::model::ItemUpdate;

/// What a source gives in place of an update.
pub(crate) type SourceError = Arc<dyn std::error::Error + Send + Sync>;

/// The source of a run, until it ends.
pub(crate) struct Source(Option<Updates>);

type Updates = Pin<Box<dyn Stream<Item = Result<ItemUpdate, SourceError>> + Send>>;

impl Source {
    pub(crate) fn iter<I>(updates: I) -> Self
    where
        I: IntoIterator<Item = ItemUpdate>,
        I::IntoIter: Send + 'static,
    {
        Self(Some(Box::pin(stream::iter(updates).map(Ok))))
    }

    pub(crate) fn stream<S, E>(updates: S) -> Self
    where
        S: Stream<Item = Result<ItemUpdate, E>> + Send + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let shared = |error: E| SourceError::from(error.into());
        Self(Some(Box::pin(
            updates.map(move |update| update.map_err(shared)),
        )))
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn end(&mut self) {
        self.0 = None;
    }

    /// The next update, or the end. A source that panics has ended with an error.
    pub(crate) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<ItemUpdate, SourceError>>> {
        let Some(updates) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let polled = catch_unwind(AssertUnwindSafe(|| updates.as_mut().poll_next(context)));
        match polled {
            Ok(Poll::Ready(None)) => {
                self.end();
                Poll::Ready(None)
            }
            Ok(polled) => polled,
            Err(panic) => {
                self.end();
                Poll::Ready(Some(Err(Arc::from(said(&*panic)))))
            }
        }
    }
}

fn said(panic: &(dyn Any + Send)) -> Box<dyn std::error::Error + Send + Sync> {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    match what {
        Some(what) => format!("it panicked: {what}").into(),
        None => "it panicked".into(),
    }
}
