//! Where the time comes from.

use std::fmt;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The future of [`Clock::sleep`].
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Sleep {
    /// A sleep that ends when a future is ready.
    pub fn new(future: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sleep").finish_non_exhaustive()
    }
}

/// Tells the time, and lets it pass. Every wait, time limit and pace of a client runs on its clock, so that a test can
/// bring a clock of its own and see two hours go by in a millisecond.
///
/// What stays on the operating system's time is reqwest's own: the time that a connection may take to come about.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day, against which a `Retry-After` date is measured when an answer has no `Date`.
    fn now(&self) -> SystemTime;

    /// The time since a moment that stays the same. It never goes back.
    fn elapsed(&self) -> Duration;

    /// A future that is ready when this much time has passed since the call, as [`elapsed`](Self::elapsed) tells it. It
    /// may be dropped before.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The clock of the operating system, which a client has unless told otherwise. It sleeps with tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system for the time"
    )]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system for the time"
    )]
    fn elapsed(&self) -> Duration {
        // The system's own time: tokio's may be one that a test lets run ahead.
        static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        // The start first: it is read from the clock when it is first looked at.
        let start = Instant::from_std(*START);
        Instant::now().saturating_duration_since(start)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}
