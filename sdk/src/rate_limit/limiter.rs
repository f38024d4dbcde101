//! The rate limiter of a token.

use std::cell::Cell;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::Notify;

use super::schedule::{Reported, Rule, Schedule, Ticket, Turn};
use crate::error::{Error, InvalidInput, RetryStopped};
use crate::observe::{CallId, Observers, WaitCause};
use crate::time::Clock;

/// Limits the rate of the requests of one token, and pauses all of them when the service requests a wait.
///
/// Clones share the limiter, and so do the clones of a client. Make one for each token, and pass it to every client
/// with that token by [`ClientBuilder::rate_limiter`](crate::ClientBuilder::rate_limiter).
///
/// Webflow grants a token 60 or 120 requests a minute, depending on the plan of the site. It counts in a window of 60
/// seconds that begins with the first request. Every response says how many requests are left and when the window ends.
///
/// # Schedule
///
/// - By default, requests leave at once while some are left, then wait for the window's end. 40 requests at a limit of
///   120 do not wait; 400 wait for three windows, 180 seconds.
/// - [`spread`](Self::spread) and [`fixed`](Self::fixed) keep an even interval between requests: 60.75 seconds divided
///   by the limit.
/// - [`share`](Self::share) uses a part of the limit, for a token that several processes use.
///
/// Requests leave in the order in which they asked. A retry queues behind the requests that are already waiting. A
/// `Retry-After` of a 429 or 503 response pauses all requests of the token.
///
/// # Assumptions of the default
///
/// The default assumes no window algorithm. Where the headers are true and no other client uses the token, no request is
/// refused by a fixed window of any phase, a sliding window or a token bucket that holds as many requests as the limit.
/// The order of the responses does not matter. Up to four requests leave before the first response, and again after a
/// minute without requests.
///
/// If `X-RateLimit-Remaining` decreases by more than the limiter's own requests, another client uses the token. The
/// limiter uses what is left, so a request can be refused that leaves at the same time as one of the other client.
/// Without rate-limit headers it spreads the requests. It also spreads them from then on if a request is refused that
/// was within the limit by the headers, or if the headers grant more than twice the limit in a minute.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use webflow_cms::RateLimiter;
///
/// let default = RateLimiter::new();
/// let half = RateLimiter::new().share(0.5)?;
/// let even = RateLimiter::new().spread();
/// let by_hand = RateLimiter::fixed(30)?;
/// assert_eq!(default.estimate(121), Duration::from_secs(120));
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
        Self::with(Rule::learned(60), 1.0)
    }

    /// Creates a rate limiter that learns the limit from the responses, with an initial limit in requests a minute.
    ///
    /// Before the first response, four requests leave at once and the others evenly spread. From 60,750 on they all
    /// leave at once, since timers are no finer than a millisecond.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimit`] for 0.
    pub fn with_initial_limit(requests_a_minute: u32) -> Result<Self, Error> {
        let initial = at_least_one(requests_a_minute)?;
        Ok(Self::with(Rule::learned(initial), 1.0))
    }

    /// Creates a rate limiter with a fixed limit in requests a minute, which ignores the limit in responses. Requests
    /// are evenly spread. It still pauses when the service requests a wait.
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

    /// Creates a rate limiter with the same settings that spreads its requests evenly over the minute. It has its own
    /// state.
    ///
    /// Use it where other clients send requests with the same token at unknown times. It leaves 1.25 % more time
    /// between two requests than the limit asks, for requests that take up to 750 ms longer than others to arrive. It
    /// slows down while `X-RateLimit-Remaining` shows that others use up what is left.
    #[must_use]
    pub fn spread(&self) -> Self {
        Self::with(self.0.rule.spread(), self.0.share)
    }

    /// Creates a rate limiter with the same settings and a share of the limit, for a token that several processes use.
    /// It has its own state.
    ///
    /// A part is rounded down to whole requests, so the parts of all processes together stay within the limit. In no
    /// 60 seconds do more requests arrive than the part.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimitShare`] if it is not above 0 and at the most 1.
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

    /// Returns the limit in requests a minute: the fixed one, the one of the responses, or the initial one. `None` for
    /// [`unlimited`](Self::unlimited) before the first response.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.schedule().limit()
    }

    /// Returns the interval between two requests: the exact one if they are [spread](Self::spread), and otherwise the
    /// average of more requests than the limit.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.schedule().interval()
    }

    /// Returns the time that the limit takes for this number of requests, from the first to the last, if none was sent
    /// in the minute before. The latency of the requests is not included.
    ///
    /// By default that is 60 seconds for each full window before the last request; for requests that are
    /// [spread](Self::spread), the [`interval`](Self::interval) for each but the first.
    #[must_use]
    pub fn estimate(&self, requests: u64) -> Duration {
        self.schedule().estimate(requests)
    }

    /// Returns the number of waiting calls.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.schedule().waiting()
    }

    /// Pauses all requests until this time.
    pub(crate) fn pause(&self, until: Duration) {
        self.schedule().pause(until);
    }

    /// Waits for the turn of a request, which is to leave at once then, with a [`Permit`] for this ticket.
    pub(crate) async fn acquire(&self, limits: WaitLimits<'_>) -> Result<Ticket, NotAdmitted> {
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
            let Turn::At(due) = turn else {
                return Ok(place.ticket);
            };
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

    fn wake(&self, sooner: bool) {
        if sooner {
            self.0.sooner.notify_waiters();
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

/// A request that has had its turn, until its response comes or it ends without one.
pub(crate) struct Permit {
    rate_limiter: RateLimiter,
    clock: Arc<dyn Clock>,
    ticket: Ticket,
    state: Cell<State>,
}

#[derive(Clone, Copy)]
enum State {
    NotSent,
    Sent,
    Received,
}

impl Permit {
    pub(crate) fn new(rate_limiter: &RateLimiter, clock: &Arc<dyn Clock>, ticket: Ticket) -> Self {
        Self {
            rate_limiter: rate_limiter.clone(),
            clock: Arc::clone(clock),
            ticket,
            state: Cell::new(State::NotSent),
        }
    }

    /// The request leaves.
    pub(crate) fn sent(self) -> Self {
        self.state.set(State::Sent);
        self
    }

    /// Takes in the head of the response.
    pub(crate) fn received(&self, reported: &Reported) {
        self.state.set(State::Received);
        let now = self.clock.elapsed();
        let sooner = self
            .rate_limiter
            .schedule()
            .learn(self.ticket, reported, now);
        self.rate_limiter.wake(sooner);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = self.clock.elapsed();
        let mut schedule = self.rate_limiter.schedule();
        let sooner = match self.state.get() {
            State::NotSent => schedule.withdraw(self.ticket, now),
            State::Sent => schedule.end(self.ticket, now),
            State::Received => false,
        };
        drop(schedule);
        self.rate_limiter.wake(sooner);
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
        self.rate_limiter.wake(left);
    }
}

fn at_least_one(requests_a_minute: u32) -> Result<u32, Error> {
    match requests_a_minute {
        0 => Err(InvalidInput::RateLimit.into()),
        requests => Ok(requests),
    }
}
