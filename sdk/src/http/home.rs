//! The Tokio runtime of a client's connections.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use crate::error::{Error, InvalidInput};

/// The runtime of the first call, as long as it exists.
///
/// The connections are driven by that runtime. A call on another runtime could wait for them forever after the request
/// was sent.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<Current>>);

#[derive(Debug)]
struct Current {
    runtime: Id,
    /// Dropped with the runtime, by a task that does nothing else.
    alive: Weak<()>,
    task: AbortHandle,
}

impl Home {
    /// Checks that the current runtime is the client's.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let mut home = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*home {
            Some(current) if current.alive.strong_count() > 0 => {
                let is_same = current.runtime == runtime.id();
                is_same
                    .then_some(())
                    .ok_or(InvalidInput::OtherRuntime.into())
            }
            _ => {
                *home = Some(Current::on(&runtime));
                Ok(())
            }
        }
    }
}

impl Current {
    fn on(runtime: &Handle) -> Self {
        let held = Arc::new(());
        let alive = Arc::downgrade(&held);
        let task = runtime.spawn(async move {
            pending::<()>().await;
            drop(held);
        });
        Self {
            runtime: runtime.id(),
            alive,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        self.task.abort();
    }
}
