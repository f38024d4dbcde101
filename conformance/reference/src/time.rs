//! Where the server's time comes from.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

/// What [`Time::sleep`] returns.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// What lasts until it is dropped.
pub type Guard = Box<dyn Send + Sync>;

/// The time of a server: what its limits, its delays and its log go by.
pub trait Time: fmt::Debug + Send + Sync + 'static {
    /// The time of day, for dates in responses.
    fn now(&self) -> SystemTime;

    /// The time since the start. It never goes back.
    fn elapsed(&self) -> Duration;

    /// A future that is ready when this much time has passed since the call. After [`Duration::MAX`] it never is.
    fn sleep(&self, duration: Duration) -> Sleep;

    /// A request was read. What is returned lasts until its client has closed the connection.
    fn arrived(&self) -> Guard {
        Box::new(())
    }

    /// A request is kept waiting on purpose, for as long as what is returned lasts.
    fn held(&self) -> Guard {
        Box::new(())
    }
}

/// The time of the operating system, from the moment that this value is made.
#[derive(Clone, Copy, Debug)]
pub struct RealTime(Instant);

impl Default for RealTime {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Time for RealTime {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}
