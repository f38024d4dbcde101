//! The time of a server.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

/// The future of [`Time::sleep`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A guard that ends something when dropped.
pub type Guard = Box<dyn Send + Sync>;

/// The time of a server, used for its limits, its latency and its log.
pub trait Time: fmt::Debug + Send + Sync + 'static {
    /// The time of day, for dates in responses.
    fn now(&self) -> SystemTime;

    /// The time since the start. It never decreases.
    fn elapsed(&self) -> Duration;

    /// A future that is ready this long after the call. With [`Duration::MAX`] it never is.
    fn sleep(&self, duration: Duration) -> Sleep;

    /// Reports that a request was read. The server drops the guard when the client has closed the connection.
    fn arrived(&self) -> Guard {
        Box::new(())
    }

    /// Reports that the server holds a request on purpose, until it drops the guard.
    fn held(&self) -> Guard {
        Box::new(())
    }
}

/// The time of the operating system, measured from the creation of this value.
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
