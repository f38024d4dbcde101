//! The runtime on which the connections of a client live.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use crate::error::{Error, InvalidInput};

/// The runtime of the first call, as long as it lives. Its connections move only as it does, so that a call on another
/// one could wait for them for ever, after the request has left.
#[derive(Debug, Default)]
pub(crate) struct Home(Mutex<Option<Settled>>);

#[derive(Debug)]
struct Settled {
    runtime: Id,
    /// Is dropped with the runtime, by a task that does nothing else.
    life: Weak<()>,
    task: AbortHandle,
}

impl Home {
    /// Refuses to go on if the current runtime is not the client's.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let mut home = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*home {
            Some(settled) if settled.life.strong_count() > 0 => {
                let is_here = settled.runtime == runtime.id();
                is_here
                    .then_some(())
                    .ok_or(InvalidInput::OtherRuntime.into())
            }
            _ => {
                *home = Some(Settled::on(&runtime));
                Ok(())
            }
        }
    }
}

impl Settled {
    fn on(runtime: &Handle) -> Self {
        let here = Arc::new(());
        let life = Arc::downgrade(&here);
        let task = runtime.spawn(async move {
            pending::<()>().await;
            drop(here);
        });
        Self {
            runtime: runtime.id(),
            life,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        self.task.abort();
    }
}
