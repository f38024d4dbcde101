//! How many requests a minute a token makes.

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

/// Spreads the requests of a token over the minute, so that it does not run into the limit; and stops all of them when
/// the service asks for a wait. Clones share it, and so do the clones of a client: make one for each token, and give it
/// to every client that uses the token, with [`ClientBuilder::rate_limiter`](crate::ClientBuilder::rate_limiter).
///
/// Webflow grants a token 60 or 120 requests a minute, by the plan of the site, and says how many in
/// `X-RateLimit-Limit`. Which kind of minute it counts in is not documented. Evenly spread requests fit under a fixed
/// window wherever it begins, under a sliding window and under a token bucket; they leave 1.25 % further apart than the
/// limit alone would ask, which leaves room for requests that take up to 750 ms longer than others to arrive.
///
/// A request is not sent in advance for time in which none was sent, so there are no bursts. Requests leave in the
/// order in which they were asked for; one that is sent again takes its place behind those that wait by then.
///
/// If others use the same token, give each its [`share`](Self::share). Without that, the pace slows down while
/// `X-RateLimit-Remaining` shows that others use up what is left.
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
    /// Tells those who wait that their turn may come sooner.
    sooner: Notify,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// A pace that learns the limit from the answers. Until the first one it is 60 requests a minute, the lowest limit
    /// that Webflow documents.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Rule::Learned { first: 60 }, 1.0)
    }

    /// A pace that learns the limit from the answers, and begins with so many requests a minute. From 60,750 on that is
    /// as good as none until the first answer, since timers are no finer than a millisecond.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::RateLimit`] for 0.
    pub fn with_initial_limit(requests_a_minute: u32) -> Result<Self, Error> {
        let first = at_least_one(requests_a_minute)?;
        Ok(Self::with(Rule::Learned { first }, 1.0))
    }

    /// A pace of so many requests a minute, whatever the answers say of the limit. Waits that the service asks for are
    /// kept all the same.
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

    /// No pace: requests leave at once, and a wait that the service asks one call for does not stop the others. That
    /// call keeps it all the same.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::with(Rule::Off, 1.0)
    }

    /// The same with a part of the limit, for a token that several processes use. It is a new pace, which has learned
    /// nothing yet.
    ///
    /// The parts are rounded down to whole requests, so those of all processes together stay below the limit.
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

    /// The requests a minute that the token has, as far as is known: what was set by hand, or what an answer said, or
    /// what is assumed until one does. None if there is no pace and no answer yet.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.schedule().limit()
    }

    /// How far apart two requests leave, as it stands.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.schedule().interval()
    }

    /// How many calls wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.schedule().waiting()
    }

    /// Takes in what the head of an answer says.
    pub(crate) fn learn(&self, rate_limit: RateLimit, now: Duration) {
        let sooner = self
            .schedule()
            .learn(rate_limit.limit, rate_limit.remaining, now);
        if sooner {
            self.0.sooner.notify_waiters();
        }
    }

    /// Lets no request leave before this time.
    pub(crate) fn pause(&self, until: Duration) {
        self.schedule().pause(until);
    }

    /// Waits for the turn of a request, which is to leave at once then.
    pub(crate) async fn turn(&self, patience: Patience<'_>) -> Result<(), NotNow> {
        let place = Place {
            rate_limiter: self,
            ticket: self.schedule().enter(),
        };
        let mut waiting = None;
        loop {
            let mut sooner = pin!(self.0.sooner.notified());
            sooner.as_mut().enable();
            let now = patience.clock.elapsed();
            let (turn, paused_until) = {
                let mut schedule = self.schedule();
                let paused_until = schedule.paused_until();
                // Whoever waited may have been woken late.
                if patience.deadline.is_some_and(|deadline| now >= deadline) {
                    return Err(NotNow::OutOfTime(paused_until.saturating_sub(now)));
                }
                (schedule.ask(place.ticket, now), paused_until)
            };
            let Turn::At(due) = turn else { return Ok(()) };
            let due = patience.check(now, due, paused_until)?;
            if waiting.is_none() {
                let cause = if paused_until > now {
                    WaitCause::RetryAfter
                } else {
                    WaitCause::RateLimit
                };
                let expected = due.saturating_sub(now);
                waiting = Some(patience.observers.wait_started(
                    patience.clock,
                    patience.call,
                    cause,
                    expected,
                ));
            }
            let sleep = patience.clock.sleep(due.saturating_sub(now));
            match select(sleep, sooner).await {
                Either::Left(_) | Either::Right(_) => {}
            }
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
            .debug_struct("Pace")
            .field("rule", &self.0.rule)
            .field("share", &self.0.share)
            .field("limit", &self.limit())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

/// What bounds the wait for a turn, and what it runs on.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) observers: &'a Observers,
    pub(crate) call: CallId,
    pub(crate) deadline: Option<Duration>,
    pub(crate) longest_wait: Duration,
}

impl Patience<'_> {
    /// Until when to sleep, or why not to.
    fn check(
        &self,
        now: Duration,
        due: Duration,
        paused_until: Duration,
    ) -> Result<Duration, NotNow> {
        let pause = paused_until.saturating_sub(now);
        if pause > self.longest_wait {
            return Err(NotNow::WaitTooLong(pause));
        }
        match self.deadline {
            // A pause never gets shorter; a place among others may.
            Some(deadline) if paused_until >= deadline => Err(NotNow::OutOfTime(pause)),
            Some(deadline) => Ok(due.min(deadline)),
            None => Ok(due),
        }
    }
}

/// Why a request does not get a turn, and how long the service has asked to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotNow {
    WaitTooLong(Duration),
    OutOfTime(Duration),
    /// Who watches the call says no.
    Aborted,
}

impl NotNow {
    /// The rest of the wait that the service has asked for.
    pub(crate) fn pause(self) -> Option<Duration> {
        match self {
            Self::WaitTooLong(pause) | Self::OutOfTime(pause) => Some(pause),
            Self::Aborted => None,
        }
    }
}

impl From<NotNow> for RetryStopped {
    fn from(why: NotNow) -> Self {
        match why {
            NotNow::WaitTooLong(_) => Self::RetryAfterTooLong,
            NotNow::OutOfTime(_) => Self::TimeoutExceeded,
            NotNow::Aborted => Self::Aborted,
        }
    }
}

/// A place among those who wait, given up when it goes.
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
