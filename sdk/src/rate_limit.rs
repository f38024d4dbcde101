//! The rate limit of a token: what responses say of it, and the limiter that keeps it.

mod headers;
mod limiter;
mod schedule;

pub use self::headers::RateLimit;
pub(crate) use self::headers::asked_wait;
pub use self::limiter::RateLimiter;
pub(crate) use self::limiter::{NotNow, Patience, Permit};
pub(crate) use self::schedule::Heard;
