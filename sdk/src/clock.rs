//! Where the time comes from.

use std::fmt;
use std::time::SystemTime;

/// Tells the time. Nothing in this crate asks the system directly, so a test can pass a clock of its own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time of day, against which a `Retry-After` date is measured when an answer has no `Date`.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system, which a client has unless told otherwise.
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
}
