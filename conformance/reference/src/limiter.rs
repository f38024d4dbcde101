//! The server's rate limit, as a function of when requests come.

use std::collections::VecDeque;
use std::time::Duration;

/// The time that a limit is for.
const MINUTE: Duration = Duration::from_secs(60);

/// One token of a bucket. A bucket gains `limit` of these parts a nanosecond, so no refill is ever rounded.
const TOKEN: u128 = MINUTE.as_nanos();

/// A limit of requests a minute. Webflow documents the number and not how it counts.
/// [`window_from_first_request`](Self::window_from_first_request) is what was observed; the other ways to count are
/// assumed.
///
/// Requests that are refused do not count. Time is what the caller says it is; it never goes back.
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
        /// When the window ends; `None` if no request has begun one.
        end: Option<Duration>,
        admitted: u32,
    },
    FixedWindow {
        phase: Duration,
        /// When the window that `admitted` is about ends.
        end: Duration,
        admitted: u32,
    },
    /// When the requests of the last minute were admitted, in order.
    SlidingWindow(VecDeque<Duration>),
    TokenBucket {
        /// As many as the limit, if none.
        capacity: Option<u32>,
        parts: u128,
    },
}

/// What a [`Limiter`] says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request is admitted.
    pub admitted: bool,
    /// The limit, in requests a minute.
    pub limit: u32,
    /// How many more requests would be admitted at this moment.
    pub remaining: u32,
    /// How long it is until the next request would be admitted, if none comes before. A minute if none ever would.
    pub retry_after: Duration,
    /// How long it is until the window ends, where every response tells it, an admitted one too.
    pub window_ends: Option<Duration>,
}

impl Limiter {
    /// Counts by windows of 60 seconds, each of which begins with the first request after the one before. What is left
    /// falls by one with each request and does not come back before the window ends; every response tells how long
    /// that is. So the service was observed (recorded responses, 2023-12 to 2025-03, with limits of 60 and 120).
    ///
    /// ```
    /// use std::time::Duration;
    /// use webflow_cms_reference::Limiter;
    ///
    /// let mut limiter = Limiter::window_from_first_request(2);
    /// let seconds = [17, 20, 76, 77].map(Duration::from_secs);
    /// let decisions = seconds.map(|now| limiter.decide(now)).map(|decision| (decision.remaining, decision.window_ends));
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

    /// Counts by minutes that follow one another: one of them starts at `phase`, and at each start the count is 0.
    #[must_use]
    pub fn fixed_window(limit: u32, phase: Duration) -> Self {
        let counting = Counting::FixedWindow {
            phase,
            end: Duration::ZERO,
            admitted: 0,
        };
        Self::new(limit, counting)
    }

    /// Counts the requests of the last 60 seconds.
    #[must_use]
    pub fn sliding_window(limit: u32) -> Self {
        Self::new(limit, Counting::SlidingWindow(VecDeque::new()))
    }

    /// Takes a token for each request from a bucket that holds `limit` of them, is full at first, and is refilled evenly
    /// at `limit` a minute.
    #[must_use]
    pub fn token_bucket(limit: u32) -> Self {
        let parts = u128::from(limit) * TOKEN;
        let capacity = None;
        Self::new(limit, Counting::TokenBucket { capacity, parts })
    }

    /// As [`token_bucket`](Self::token_bucket), with a bucket that holds another number of tokens than the limit.
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

    /// Admits a request that comes at this time, or refuses it.
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

    /// Changes the limit from this time on. Windows keep what they have counted; a bucket loses what it cannot hold.
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

    /// How long it is until a request would be admitted; zero if it would be now.
    fn wait(&self) -> Duration {
        if self.remaining() > 0 {
            return Duration::ZERO;
        }
        let wait = match &self.counting {
            Counting::WindowFromFirst { .. } => self.window_ends().filter(|_| self.limit > 0),
            Counting::FixedWindow { end, .. } if self.limit > 0 => Some(*end - self.now),
            Counting::FixedWindow { .. } => None,
            Counting::SlidingWindow(log) => {
                // When this one leaves the minute, the window holds one fewer than the limit.
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

/// How long it is from `now` to the next start of a minute, if one starts at `phase`. A start that is now is not next.
fn until_next(phase: Duration, now: Duration) -> Duration {
    let minute = MINUTE.as_nanos();
    let into = (now.as_nanos() + minute - phase.as_nanos() % minute) % minute;
    Duration::from_nanos(u64::try_from(minute - into).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
