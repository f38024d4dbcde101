//! What makes a virtual time pass.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::VirtualTime;
use super::state::{Counts, Outlook, State};

/// How often everything that is ready runs, and the network is looked at, without anything happening before time passes.
const QUIET_ROUNDS: u32 = 3;

/// The same if somebody was woken and has not looked at the time. It need not: a future may keep a timer that it has no
/// use for at present.
const WOKEN_ROUNDS: u32 = 64;

/// How long the network gets, in real time, where it is not certain that nothing is on its way.
const GRACE: Duration = Duration::from_millis(50);

/// How long nothing may happen, in real time, while a run is not over.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing happened for 20 seconds of real time, and time could not pass.
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
    /// Runs a future to its end, and lets time pass meanwhile. One run at a time.
    ///
    /// # Panics
    ///
    /// If the runtime is not a current-thread one, and where [`try_run`](Self::try_run) gives an error.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        match self.try_run(future).await {
            Ok(output) => output,
            Err(stalled) => panic!("{stalled}"),
        }
    }

    /// As [`run`](Self::run), with an error where it would panic.
    ///
    /// # Errors
    ///
    /// Nothing happened for 20 seconds of real time, and time could not pass. The future is dropped.
    ///
    /// # Panics
    ///
    /// If the runtime is not a current-thread one: only there can it be known that whoever is ready has run.
    pub async fn try_run<F: Future>(&self, future: F) -> Result<F::Output, Stalled> {
        self.run_with(future, PATIENCE).await
    }

    async fn run_with<F: Future>(
        &self,
        future: F,
        patience: Duration,
    ) -> Result<F::Output, Stalled> {
        assert_eq!(
            Handle::current().runtime_flavor(),
            RuntimeFlavor::CurrentThread,
            "virtual time passes on a current-thread runtime"
        );
        let ended = match select(pin!(future), pin!(self.drive(patience))).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right((stalled, _)) => Err(stalled),
        };
        // The server learns of what the clients have closed.
        for _ in 0..WOKEN_ROUNDS {
            if self.quiet(self.0.version(), QUIET_ROUNDS).await {
                break;
            }
        }
        ended
    }

    async fn drive(&self, patience: Duration) -> Stalled {
        loop {
            let version = self.0.version();
            let changed = poll_fn(|context| self.0.poll_changed(version, context));
            match self.0.look(State::outlook) {
                Outlook::Busy => {
                    if tokio::time::timeout(patience, changed).await.is_err() {
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

    /// Whether nothing happens for a while.
    async fn quiet(&self, version: u64, rounds: u32) -> bool {
        for _ in 0..rounds {
            // The queue is first in, first out: when this task has run, so has everything that was ready.
            let _ = tokio::spawn(async {}).await;
            // The runtime looks at the network before it comes back from here.
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
