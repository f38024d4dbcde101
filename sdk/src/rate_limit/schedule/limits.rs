//! The rate limit that holds at a moment, and the durations that every schedule uses.

use std::time::Duration;

/// The time in which a limit counts.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// Added to a minute, for clocks that do not run alike.
pub(super) const MARGIN: Duration = Duration::from_millis(100);

/// How much later than another one a request may arrive although it left at the same distance.
///
/// Requests that leave `(60 s + LATENESS) / limit` apart, each in flight for some time between `a` and `a + LATENESS`,
/// never arrive more than `limit` in any 60 seconds, wherever these begin. So the even schedule holds under a fixed
/// window of any phase, a sliding window, and a token bucket that takes `1 + LATENESS * limit / 60 s` requests at once.
pub(super) const LATENESS: Duration = Duration::from_millis(750);

/// Timers are no finer than this, so requests that are to leave closer together leave at once.
pub(super) const FINEST: Duration = Duration::from_millis(1);

/// A caller that does not ask within this time after its turn came is not being polled, and is not waited for.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A caller that waits for a turn, then its request.
pub(crate) type Ticket = u64;

/// The rate limit and the wait in the head of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    /// The limit, in requests a minute.
    pub(crate) limit: Option<u64>,
    /// How many requests are left.
    pub(crate) remaining: Option<u64>,
    /// How long to wait once nothing is left.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the status is 429.
    pub(crate) is_refused: bool,
}

/// The limits that hold at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The requests a minute that the service grants the token.
    pub(super) service: u64,
    /// Our part of them.
    pub(super) ours: u64,
    /// Whether that is less than all.
    pub(super) is_share: bool,
    /// How far apart requests leave that are spread.
    pub(super) interval: Duration,
}

impl Limits {
    pub(super) fn new(service: u64, share: f64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "limits beyond 2^53 requests a minute do not need their last digits"
        )]
        let part = service as f64 * share;
        // Whole requests, so that the parts of several do not add up to more, but never none.
        let whole = if part >= 1.0 { part.floor() } else { part };
        let even = (MINUTE + LATENESS).as_secs_f64() / whole;
        let even = Duration::try_from_secs_f64(even).unwrap_or(Duration::MAX);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a whole number, and at most the limit"
        )]
        Self {
            service,
            ours: if share < 1.0 { whole as u64 } else { service },
            is_share: share < 1.0,
            interval: if even < FINEST { Duration::ZERO } else { even },
        }
    }

    pub(super) fn due_to_others(&self) -> u64 {
        self.service.saturating_sub(self.ours)
    }
}

/// Multiplies a duration. The result is at most the longest one.
pub(super) fn times(duration: Duration, times: u64) -> Duration {
    duration.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
}
