//! The rate limiter of a token, and the rate limit in the headers of a response.

mod headers;
mod limiter;
mod schedule;

pub use self::headers::RateLimit;
pub(crate) use self::headers::requested_wait;
pub use self::limiter::RateLimiter;
pub(crate) use self::limiter::{NotAdmitted, Permit, WaitLimits};
pub(crate) use self::schedule::Reported;
