//! The clock of a client, which tests can replace.

use std::fmt;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The future that [`Clock::sleep`] returns.
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Sleep {
    /// Wraps a future. The sleep ends when the future is ready.
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

/// A source of time.
///
/// The waits, timeouts and rate limiter of a client run on its clock. A test can pass a clock of its own to
/// [`ClientBuilder::clock`](crate::ClientBuilder::clock), with which two hours pass in a millisecond. The connect
/// timeout alone stays on the operating system's clock, because reqwest implements it.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the time of day. The client compares the date of a `Retry-After` header with it, if the response has no
    /// `Date` header.
    fn now(&self) -> SystemTime;

    /// Returns the time since a fixed moment. It never decreases.
    fn elapsed(&self) -> Duration;

    /// Returns a future that is ready when [`elapsed`](Self::elapsed) has increased by this duration. The client may
    /// drop it earlier.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The clock of the operating system, the default of a client. It sleeps with tokio's timer.
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
        // A start on the system's clock, since a test may have advanced tokio's.
        static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
        // The start is evaluated first: on the first call it must not be later than the current time.
        let start = Instant::from_std(*START);
        Instant::now().saturating_duration_since(start)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that sleeps")]
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}
