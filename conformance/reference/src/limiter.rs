//! The server's rate limiter as a function of the time of requests.

use std::collections::VecDeque;
use std::time::Duration;

/// The period of a limit.
const MINUTE: Duration = Duration::from_secs(60);

/// One token of a bucket. A bucket gains `limit` of these parts each nanosecond, so no refill is rounded.
const TOKEN: u128 = MINUTE.as_nanos();

/// A rate limiter: admits a number of requests per minute. Webflow documents the number and not the window algorithm.
/// [`window_from_first_request`](Self::window_from_first_request) was observed; the other algorithms are assumed.
///
/// Refused requests do not count. The caller provides the time, which never decreases.
///
/// ```
/// use std::time::Duration;
/// use webflow_cms_reference::Limiter;
///
/// let mut limiter = Limiter::sliding_window(1);
/// assert!(limiter.decide(Duration::from_secs(10)).admitted);
/// let refused = limiter.decide(Duration::from_secs(30));
/// assert_eq!((refused.admitted, refused.retry_after), (false, Duration::from_secs(40)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limiter {
    limit: u32,
    now: Duration,
    counting: Counting,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Counting {
    WindowFromFirst {
        /// The end of the window. `None` before the first request of a window.
        end: Option<Duration>,
        admitted: u32,
    },
    FixedWindow {
        phase: Duration,
        /// The end of the window that `admitted` counts.
        end: Duration,
        admitted: u32,
    },
    /// The times at which the requests of the last minute were admitted, in order.
    SlidingWindow(VecDeque<Duration>),
    TokenBucket {
        /// `None` for the limit.
        capacity: Option<u32>,
        parts: u128,
    },
}

/// The decision of a [`Limiter`] about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request is admitted.
    pub admitted: bool,
    /// The limit in requests per minute.
    pub limit: u32,
    /// Number of further requests that would be admitted at this moment.
    pub remaining: u32,
    /// Time until the next request would be admitted, if none comes before. 60 seconds if none ever would.
    pub retry_after: Duration,
    /// Time until the window ends. `None` for algorithms whose responses do not name it.
    pub window_ends: Option<Duration>,
}

impl Limiter {
    /// Windows of 60 seconds, each of which starts with the first request after the previous window. The number of
    /// remaining requests decreases by one with each request until the window ends, and every response names the time
    /// until then. The service was observed to do so (recorded responses, 2023-12 to 2025-03, limits of 60 and 120).
    ///
    /// ```
    /// use std::time::Duration;
    /// use webflow_cms_reference::Limiter;
    ///
    /// let mut limiter = Limiter::window_from_first_request(2);
    /// let seconds = [17, 20, 76, 77].map(Duration::from_secs);
    /// let decisions = seconds.map(|now| limiter.decide(now));
    /// let decisions = decisions.map(|decision| (decision.remaining, decision.window_ends));
    /// let expected = [(1, 60), (0, 57), (0, 1), (1, 60)];
    /// assert_eq!(decisions, expected.map(|(left, ends)| (left, Some(Duration::from_secs(ends)))));
    /// ```
    #[must_use]
    pub fn window_from_first_request(limit: u32) -> Self {
        let counting = Counting::WindowFromFirst {
            end: None,
            admitted: 0,
        };
        Self::new(limit, counting)
    }

    /// Fixed windows of 60 seconds. One window starts at `phase`; the count is 0 at each start.
    #[must_use]
    pub fn fixed_window(limit: u32, phase: Duration) -> Self {
        let counting = Counting::FixedWindow {
            phase,
            end: Duration::ZERO,
            admitted: 0,
        };
        Self::new(limit, counting)
    }

    /// A sliding window: counts the requests of the last 60 seconds.
    #[must_use]
    pub fn sliding_window(limit: u32) -> Self {
        Self::new(limit, Counting::SlidingWindow(VecDeque::new()))
    }

    /// A token bucket that holds `limit` tokens, is full at first, and is refilled evenly at `limit` tokens per minute.
    #[must_use]
    pub fn token_bucket(limit: u32) -> Self {
        let parts = u128::from(limit) * TOKEN;
        let capacity = None;
        Self::new(limit, Counting::TokenBucket { capacity, parts })
    }

    /// A [token bucket](Self::token_bucket) that holds `capacity` tokens.
    #[must_use]
    pub fn token_bucket_of(limit: u32, capacity: u32) -> Self {
        let parts = u128::from(capacity) * TOKEN;
        let capacity = Some(capacity);
        Self::new(limit, Counting::TokenBucket { capacity, parts })
    }

    fn new(limit: u32, counting: Counting) -> Self {
        Self {
            limit,
            now: Duration::ZERO,
            counting,
        }
    }

    /// Decides about a request at this time.
    pub fn decide(&mut self, now: Duration) -> Decision {
        self.advance(now);
        let admitted = self.remaining() > 0;
        if let Counting::WindowFromFirst { end, .. } = &mut self.counting {
            end.get_or_insert(self.now + MINUTE);
        }
        if admitted {
            match &mut self.counting {
                Counting::WindowFromFirst { admitted, .. } => *admitted += 1,
                Counting::FixedWindow { admitted, .. } => *admitted += 1,
                Counting::SlidingWindow(log) => log.push_back(self.now),
                Counting::TokenBucket { parts, .. } => *parts = parts.saturating_sub(TOKEN),
            }
        }
        Decision {
            admitted,
            limit: self.limit,
            remaining: self.remaining(),
            retry_after: self.wait(),
            window_ends: self.window_ends(),
        }
    }

    /// Changes the limit from this time on. Windows keep their counts; a bucket loses the tokens beyond its new
    /// capacity.
    pub fn set_limit(&mut self, now: Duration, limit: u32) {
        self.advance(now);
        self.limit = limit;
    }

    fn advance(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.now);
        self.now += passed;
        let now = self.now;
        match &mut self.counting {
            Counting::WindowFromFirst { end, admitted } => {
                if end.is_some_and(|end| now >= end) {
                    *end = None;
                    *admitted = 0;
                }
            }
            Counting::FixedWindow {
                phase,
                end,
                admitted,
            } => {
                if now >= *end {
                    *admitted = 0;
                    *end = now + until_next(*phase, now);
                }
            }
            Counting::SlidingWindow(log) => {
                while log.front().is_some_and(|first| *first + MINUTE <= now) {
                    log.pop_front();
                }
            }
            Counting::TokenBucket { capacity, parts } => {
                let most = u128::from(capacity.unwrap_or(self.limit)) * TOKEN;
                let gained = passed.as_nanos().saturating_mul(self.limit.into());
                *parts = parts.saturating_add(gained).min(most);
            }
        }
    }

    fn remaining(&self) -> u32 {
        match &self.counting {
            Counting::WindowFromFirst { admitted, .. } | Counting::FixedWindow { admitted, .. } => {
                self.limit.saturating_sub(*admitted)
            }
            Counting::SlidingWindow(log) => self
                .limit
                .saturating_sub(u32::try_from(log.len()).unwrap_or(u32::MAX)),
            Counting::TokenBucket { parts, .. } => u32::try_from(parts / TOKEN).unwrap_or(u32::MAX),
        }
    }

    fn window_ends(&self) -> Option<Duration> {
        match &self.counting {
            Counting::WindowFromFirst { end, .. } => end.map(|end| end - self.now),
            _ => None,
        }
    }

    /// Time until a request would be admitted. Zero if it would be now.
    fn wait(&self) -> Duration {
        if self.remaining() > 0 {
            return Duration::ZERO;
        }
        let wait = match &self.counting {
            Counting::WindowFromFirst { .. } => self.window_ends().filter(|_| self.limit > 0),
            Counting::FixedWindow { end, .. } if self.limit > 0 => Some(*end - self.now),
            Counting::FixedWindow { .. } => None,
            Counting::SlidingWindow(log) => {
                // When this request leaves the minute, the window holds one fewer than the limit.
                let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
                let leaves = log.len().checked_sub(limit).and_then(|last| log.get(last));
                leaves.map(|admitted| *admitted + MINUTE - self.now)
            }
            Counting::TokenBucket { capacity, parts } => {
                let limit = u128::from(self.limit);
                let missing = TOKEN.saturating_sub(*parts);
                let refills = *capacity != Some(0) && limit > 0;
                refills
                    .then(|| missing.div_ceil(limit))
                    .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
                    .map(Duration::from_nanos)
            }
        };
        wait.unwrap_or(MINUTE)
    }
}

/// Time from `now` to the next start of a window, if one starts at `phase`. A start at `now` is not the next one.
fn until_next(phase: Duration, now: Duration) -> Duration {
    let minute = MINUTE.as_nanos();
    let into = (now.as_nanos() + minute - phase.as_nanos() % minute) % minute;
    Duration::from_nanos(u64::try_from(minute - into).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
