//! The rate limiter of a token.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Notify;

use super::headers::RateLimit;
use super::schedule::{Rule, Schedule, Ticket, Turn};
use crate::error::{Error, InvalidInput, RetryStopped};
use crate::observe::{CallId, Observers, WaitCause};
use crate::time::Clock;

/// Limits the rate of the requests of one token, and pauses all of them when the service requests a wait.
///
/// Clones share the limiter, and so do the clones of a client. Make one for each token, and pass it to every client
/// with that token by [`ClientBuilder::rate_limiter`](crate::ClientBuilder::rate_limiter).
///
/// Webflow grants a token 60 or 120 requests a minute, depending on the plan of the site. The response header
/// `X-RateLimit-Limit` contains the number. The window algorithm is not documented. Evenly spread requests stay below
/// the limit of a fixed window of any phase, of a sliding window and of a token bucket. The interval is 1.25 % longer
/// than the limit requires, which tolerates a difference of 750 ms in the time that requests take to arrive.
///
/// There are no bursts: idle time does not accumulate. Requests leave in the order in which they asked. A retry queues
/// behind the requests that are already waiting.
///
/// If several processes use the token, give each a [`share`](Self::share). Without shares, the limiter slows down while
/// `X-RateLimit-Remaining` shows that others use the token.
///
/// ```
/// use webflow_cms::RateLimiter;
///
/// let learned = RateLimiter::new();
/// let half = RateLimiter::new().share(0.5)?;
/// let by_hand = RateLimiter::fixed(30)?;
/// # Ok::<_, webflow_cms::Error>(())
/// ```
#[derive(Clone)]
pub struct RateLimiter(Arc<Shared>);

struct Shared {
    rule: Rule,
    share: f64,
    schedule: Mutex<Schedule>,
    /// Wakes waiting calls whose turn may come sooner.
    sooner: Notify,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// Creates a rate limiter that learns the limit from the responses. Until the first response, it assumes 60
    /// requests a minute, the lowest limit that Webflow documents.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Rule::Learned { first: 60 }, 1.0)
    }

    /// Creates a rate limiter that learns the limit from the responses, with an initial limit in requests a minute.
    /// From 60,750 on, there is no limit until the first response, since timers have a resolution of 1 millisecond.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimit`] for 0.
    pub fn with_initial_limit(requests_a_minute: u32) -> Result<Self, Error> {
        let first = at_least_one(requests_a_minute)?;
        Ok(Self::with(Rule::Learned { first }, 1.0))
    }

    /// Creates a rate limiter with a fixed limit in requests a minute, which ignores the limit in responses. It still
    /// pauses when the service requests a wait.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimit`] for 0.
    pub fn fixed(requests_a_minute: u32) -> Result<Self, Error> {
        Ok(Self::with(
            Rule::Fixed(at_least_one(requests_a_minute)?),
            1.0,
        ))
    }

    /// Creates a rate limiter without a limit. Requests leave at once, and a wait that the service requests of one call
    /// does not pause the others.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::with(Rule::Off, 1.0)
    }

    /// Creates a rate limiter with the same settings and a share of the limit, for a token that several processes use.
    /// It has its own state.
    ///
    /// A share is rounded down to whole requests, so the shares of all processes together stay below the limit.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimitShare`] if the share is not above 0 and at most 1.
    pub fn share(&self, share: f64) -> Result<Self, Error> {
        if share > 0.0 && share <= 1.0 {
            Ok(Self::with(self.0.rule, share))
        } else {
            Err(InvalidInput::RateLimitShare.into())
        }
    }

    fn with(rule: Rule, share: f64) -> Self {
        Self(Arc::new(Shared {
            rule,
            share,
            schedule: Mutex::new(Schedule::new(rule, share)),
            sooner: Notify::new(),
        }))
    }

    /// Returns the limit in requests a minute: the fixed one, the one of the responses, or the initial one. `None`
    /// without a limit before the first response.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.schedule().limit()
    }

    /// Returns the current interval between two requests.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.schedule().interval()
    }

    /// Returns the number of waiting calls.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.schedule().waiting()
    }

    /// Learns from the headers of a response.
    pub(crate) fn learn(&self, rate_limit: RateLimit, now: Duration) {
        let sooner = self
            .schedule()
            .learn(rate_limit.limit, rate_limit.remaining, now);
        if sooner {
            self.0.sooner.notify_waiters();
        }
    }

    /// Pauses all requests until this time.
    pub(crate) fn pause(&self, until: Duration) {
        self.schedule().pause(until);
    }

    /// Waits for the turn of a request, which must leave at once.
    pub(crate) async fn acquire(&self, limits: WaitLimits<'_>) -> Result<(), NotAdmitted> {
        let place = Place {
            rate_limiter: self,
            ticket: self.schedule().enter(),
        };
        let mut waiting = None;
        loop {
            let mut sooner = pin!(self.0.sooner.notified());
            sooner.as_mut().enable();
            let now = limits.clock.elapsed();
            let (turn, paused_until) = {
                let mut schedule = self.schedule();
                let paused_until = schedule.paused_until();
                // A sleep may end late.
                if limits.ends_at.is_some_and(|ends_at| now >= ends_at) {
                    return Err(NotAdmitted::OutOfTime(paused_until.saturating_sub(now)));
                }
                (schedule.ask(place.ticket, now), paused_until)
            };
            let Turn::At(due) = turn else { return Ok(()) };
            let due = limits.check(now, due, paused_until)?;
            if waiting.is_none() {
                let cause = if paused_until > now {
                    WaitCause::RetryAfter
                } else {
                    WaitCause::RateLimit
                };
                let expected = due.saturating_sub(now);
                waiting = Some(limits.observers.wait_started(
                    limits.clock,
                    limits.call,
                    cause,
                    expected,
                ));
            }
            let sleep = limits.clock.sleep(due.saturating_sub(now));
            match select(sleep, sooner).await {
                Either::Left(_) | Either::Right(_) => {}
            }
        }
    }

    /// Ignores poisoning: a panic under the lock leaves no inconsistent state.
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.0
            .schedule
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RateLimiter")
            .field("rule", &self.0.rule)
            .field("share", &self.0.share)
            .field("limit", &self.limit())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// The limits of a wait for the rate limiter, and its context.
#[derive(Clone, Copy)]
pub(crate) struct WaitLimits<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) observers: &'a Observers,
    pub(crate) call: CallId,
    pub(crate) ends_at: Option<Duration>,
    pub(crate) max_retry_after: Duration,
}

impl WaitLimits<'_> {
    /// Returns the end of the sleep, or the reason not to wait.
    fn check(
        &self,
        now: Duration,
        due: Duration,
        paused_until: Duration,
    ) -> Result<Duration, NotAdmitted> {
        let pause = paused_until.saturating_sub(now);
        if pause > self.max_retry_after {
            return Err(NotAdmitted::WaitTooLong(pause));
        }
        match self.ends_at {
            // A pause never becomes shorter, but a wait for other calls may.
            Some(ends_at) if paused_until >= ends_at => Err(NotAdmitted::OutOfTime(pause)),
            Some(ends_at) => Ok(due.min(ends_at)),
            None => Ok(due),
        }
    }
}

/// The reason why a request is not sent, and what remains of the wait that the service requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    WaitTooLong(Duration),
    OutOfTime(Duration),
    /// The hook of the call aborted it.
    Aborted,
}

impl NotAdmitted {
    /// Returns what remains of the wait that the service requested.
    pub(crate) fn pause(self) -> Option<Duration> {
        match self {
            Self::WaitTooLong(pause) | Self::OutOfTime(pause) => Some(pause),
            Self::Aborted => None,
        }
    }
}

impl From<NotAdmitted> for RetryStopped {
    fn from(reason: NotAdmitted) -> Self {
        match reason {
            NotAdmitted::WaitTooLong(_) => Self::RetryAfterTooLong,
            NotAdmitted::OutOfTime(_) => Self::TimeoutExceeded,
            NotAdmitted::Aborted => Self::Aborted,
        }
    }
}

/// A place in the queue, which is released when dropped.
struct Place<'a> {
    rate_limiter: &'a RateLimiter,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self.rate_limiter.schedule().leave(self.ticket);
        if left {
            self.rate_limiter.0.sooner.notify_waiters();
        }
    }
}

fn at_least_one(requests_a_minute: u32) -> Result<u32, Error> {
    match requests_a_minute {
        0 => Err(InvalidInput::RateLimit.into()),
        requests => Ok(requests),
    }
}
