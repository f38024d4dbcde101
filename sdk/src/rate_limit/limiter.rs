//! The rate limiter of a token, which calls wait at for their turn.

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

/// Limits the requests of a token to what the service grants it.
///
/// Clones share one limiter, and so do the clones of a client. Make one for each token, and give it to every client that
/// uses the token, with [`ClientBuilder::rate_limiter`](crate::ClientBuilder::rate_limiter).
///
/// Webflow grants a token 60 or 120 requests a minute, by the plan of the site. It counts in a window of 60 seconds that
/// begins with the first request, and every response says how many requests are left and when the window ends.
///
/// # Schedule
///
/// - By default, requests leave at once while some are left, then wait for the window's end. 40 requests at a limit of
///   120 wait for nothing; 400 wait for three windows, 180 seconds.
/// - [`spread`](Self::spread) and [`fixed`](Self::fixed) keep an even distance between requests: 60.75 seconds divided
///   by the limit.
/// - [`share`](Self::share) uses a part of the limit, for a token that several processes use.
///
/// Requests leave in the order in which they were asked for; an attempt that is a retry takes its place behind those
/// that wait by then. A `Retry-After` of a 429 or 503 response stops all requests of the token until it is over.
///
/// # What the default relies on
///
/// It expects no kind of window. Where the headers are true and nobody else uses the token, no request is refused by a
/// fixed window of any phase, a sliding window or a token bucket that holds as many requests as the limit, whatever the
/// order of the responses. Four requests leave before the first response, and again after a minute without requests.
///
/// If `X-RateLimit-Remaining` falls by more than the limiter's own requests, somebody else uses the token. The limiter
/// uses what is left, so a request can be refused that leaves at the same time as another process's. Without rate-limit
/// headers it spreads the requests. It does so from then on if a request is refused that was within the limit by the
/// headers, or if they grant more than twice the limit in a minute.
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
    /// Wakes the callers that wait, because their turn may come sooner.
    sooner: Notify,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// A limiter that learns the limit from responses. Until the first response, it assumes 60 requests a minute, the
    /// lowest limit that Webflow documents.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Rule::learned(60), 1.0)
    }

    /// A limiter that learns the limit from responses, and assumes this many requests a minute until the first one.
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

    /// A limiter for this many requests a minute, evenly spread, whatever responses say of the limit. Waits that the
    /// service asks for are kept all the same.
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

    /// No limit: requests leave at once, and a wait that the service asks one call for does not stop the others. That
    /// call keeps it all the same.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::with(Rule::Off, 1.0)
    }

    /// A limiter with the same settings that spreads its requests evenly over the minute. It has learned nothing yet.
    ///
    /// Use it where others send requests with the same token at times that nobody knows. It leaves 1.25 % more time
    /// between two requests than the limit asks, for requests that take up to 750 ms longer than others to arrive. It
    /// slows down while `X-RateLimit-Remaining` shows that others use up what is left.
    #[must_use]
    pub fn spread(&self) -> Self {
        Self::with(self.0.rule.spread(), self.0.share)
    }

    /// A limiter with the same settings that uses a part of the limit, for a token that several processes use. It has
    /// learned nothing yet.
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

    /// The requests a minute that the token has, as far as is known: what was set by hand, or what a response said, or
    /// what is assumed until one does. `None` for [`unlimited`](Self::unlimited) before the first response.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.schedule().limit()
    }

    /// How far apart two requests leave on average if there are more of them than the limit, and always if they are
    /// [spread](Self::spread).
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.schedule().interval()
    }

    /// How long the limit makes this many requests take, from the first to the last, if none was sent in the minute
    /// before. The time that the requests take themselves is not included.
    ///
    /// By default that is 60 seconds for each full window before the last request; for requests that are
    /// [spread](Self::spread), the [`interval`](Self::interval) for each but the first.
    #[must_use]
    pub fn estimate(&self, requests: u64) -> Duration {
        self.schedule().estimate(requests)
    }

    /// How many calls wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.schedule().waiting()
    }

    /// Lets no request leave before this time.
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
                // Whoever waited may have been woken late.
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

    /// Nothing is left half-changed by a panic under the lock, so a poisoned lock is as good as any.
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

/// What bounds the wait for a turn, and what it runs on.
#[derive(Clone, Copy)]
pub(crate) struct WaitLimits<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) observers: &'a Observers,
    pub(crate) call: CallId,
    pub(crate) ends_at: Option<Duration>,
    pub(crate) max_retry_after: Duration,
}

impl WaitLimits<'_> {
    /// Until when to sleep, or why not to.
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
            // A pause never gets shorter; a place among others may.
            Some(ends_at) if paused_until >= ends_at => Err(NotAdmitted::OutOfTime(pause)),
            Some(ends_at) => Ok(due.min(ends_at)),
            None => Ok(due),
        }
    }
}

/// Why a request does not get a turn, and how long the service has asked to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    WaitTooLong(Duration),
    OutOfTime(Duration),
    /// Who watches the call says no.
    Aborted,
}

impl NotAdmitted {
    /// The rest of the wait that the service has asked for.
    pub(crate) fn pause(self) -> Option<Duration> {
        match self {
            Self::WaitTooLong(pause) | Self::OutOfTime(pause) => Some(pause),
            Self::Aborted => None,
        }
    }
}

impl From<NotAdmitted> for RetryStopped {
    fn from(why: NotAdmitted) -> Self {
        match why {
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

/// A place among those who wait, released when dropped.
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
