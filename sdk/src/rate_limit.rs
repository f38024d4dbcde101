//! The rate limit of a token: what responses say of it, and the limiter that keeps it.

mod headers;
mod limiter;
mod schedule;

pub use self::headers::RateLimit;
pub(crate) use self::headers::requested_wait;
pub use self::limiter::RateLimiter;
pub(crate) use self::limiter::{NotAdmitted, Permit, WaitLimits};
pub(crate) use self::schedule::Reported;
