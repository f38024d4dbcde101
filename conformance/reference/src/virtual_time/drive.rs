//! The driver that advances a virtual time.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::VirtualTime;
use super::state::{Counts, Outlook, State};

/// Number of rounds without an event, each running all ready tasks and polling the network, before time advances.
const QUIET_ROUNDS: u32 = 3;

/// The same if a task was woken and has not polled its timer. It need not: a future may hold a timer that it does not
/// use at present.
const WOKEN_ROUNDS: u32 = 64;

/// Real time that the network gets when a request may still be on its way.
const GRACE: Duration = Duration::from_millis(50);

/// Real time without an event after which a run is stalled.
const STALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Error: nothing happened for 20 seconds of real time, and virtual time could not advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled {
    elapsed: Duration,
    next: Option<Duration>,
    counts: Counts,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            elapsed,
            next,
            counts,
        } = self;
        write!(f, "virtual time stands still at {elapsed:?}: ")?;
        match next {
            Some(next) => write!(f, "the next timer is for {next:?}")?,
            None => f.write_str("there is no timer")?,
        }
        write!(f, "; {counts:?}")
    }
}

impl std::error::Error for Stalled {}

impl VirtualTime {
    /// Runs a future to its end while virtual time advances. Only one run at a time is allowed.
    ///
    /// # Panics
    ///
    /// If the runtime is not a current-thread one, and where [`try_run`](Self::try_run) returns an error.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        match self.try_run(future).await {
            Ok(output) => output,
            Err(stalled) => panic!("{stalled}"),
        }
    }

    /// As [`run`](Self::run), with an error where that panics.
    ///
    /// # Errors
    ///
    /// Nothing happened for 20 seconds of real time, and virtual time could not advance. The future is dropped.
    ///
    /// # Panics
    ///
    /// If the runtime is not a current-thread one: on no other can the driver know that all ready tasks have run.
    pub async fn try_run<F: Future>(&self, future: F) -> Result<F::Output, Stalled> {
        self.run_with(future, STALL_TIMEOUT).await
    }

    async fn run_with<F: Future>(
        &self,
        future: F,
        stall_timeout: Duration,
    ) -> Result<F::Output, Stalled> {
        assert_eq!(
            Handle::current().runtime_flavor(),
            RuntimeFlavor::CurrentThread,
            "virtual time passes on a current-thread runtime"
        );
        let ended = match select(pin!(future), pin!(self.drive(stall_timeout))).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right((stalled, _)) => Err(stalled),
        };
        // The server notices which connections the clients have closed.
        for _ in 0..WOKEN_ROUNDS {
            if self.quiet(self.0.version(), QUIET_ROUNDS).await {
                break;
            }
        }
        ended
    }

    async fn drive(&self, stall_timeout: Duration) -> Stalled {
        loop {
            let version = self.0.version();
            let changed = poll_fn(|context| self.0.poll_changed(version, context));
            match self.0.look(State::outlook) {
                Outlook::Busy => {
                    if tokio::time::timeout(stall_timeout, changed).await.is_err() {
                        return self.stalled();
                    }
                }
                Outlook::Idle if self.quiet(version, QUIET_ROUNDS).await => self.0.pass(),
                Outlook::Woken if self.quiet(version, WOKEN_ROUNDS).await => self.0.pass(),
                Outlook::Idle | Outlook::Woken => {}
                Outlook::Lost => {
                    if tokio::time::timeout(GRACE, changed).await.is_err() {
                        self.0.change(State::forget_lost);
                    }
                }
            }
        }
    }

    /// Whether nothing happens for this number of rounds.
    async fn quiet(&self, version: u64, rounds: u32) -> bool {
        for _ in 0..rounds {
            // The queue is first in, first out: when this task has run, all tasks that were ready have run.
            let _ = tokio::spawn(async {}).await;
            // The runtime polls the network before it returns from here.
            tokio::task::yield_now().await;
            if self.0.version() != version {
                return false;
            }
        }
        true
    }

    fn stalled(&self) -> Stalled {
        self.0.look(|state| Stalled {
            elapsed: state.now,
            next: state.next(),
            counts: state.counts(),
        })
    }
}

#[cfg(test)]
mod tests;
