//! Whether, and when, a request is tried again.

mod budget;

use std::time::Duration;

use http::StatusCode;

pub(crate) use budget::Draw;
pub use budget::RetryBudget;

use crate::error::{Error, ErrorKind, InvalidInput, RetryStopped};
use crate::observe::WaitCause;

/// How often, when and after which failures a call tries again. A value: set it for a client with
/// [`ClientBuilder::retry`](crate::ClientBuilder::retry), or for one call with
/// [`UpdateRequest::retry`](crate::UpdateRequest::retry).
///
/// # Which failures
///
/// - Status 429: always. The service did not act.
/// - A connection that did not come about: always. Nothing was sent.
/// - Status 408 and 5xx (but for 501 and 505), a connection that was closed before a status came, a time limit for an
///   attempt that passed before one came: unless [`retry_ambiguous(false)`](Self::retry_ambiguous) is set. The
///   service may have acted then. An update holds absolute values, so a second one ends in the same state; but Webflow
///   imports files and images again each time that their field is written.
/// - A response with the status of a success whose body did not come whole: never. The service has accepted the request
///   ([`Error::was_accepted`]).
/// - Anything else, such as 400, 401, 403, 404, 409, 413, 501 or a certificate that is not trusted: never.
///
/// # When
///
/// After the longer of two times. One is our own: it doubles with each failure, from [`backoff`](Self::backoff)'s first
/// to its longest, and half of it is random. The other is the one that a 429 or 503 asks for
/// ([`Error::retry_after`]), plus up to a tenth of it, at the most a second, so that not everybody comes back in the same
/// moment. A request is never sent before the time that the service asks for; if that is longer than
/// [`max_retry_after`](Self::max_retry_after), the error comes back at once, with the time in it.
///
/// A 429 that asks for no time waits for the window of the rate limit: 60 seconds, or `max_retry_after` if that is shorter.
///
/// ```
/// use std::time::Duration;
/// use webflow_cms::RetryPolicy;
///
/// let patient = RetryPolicy::new().max_attempts(10).max_retry_after(Duration::from_secs(600));
/// let careful = RetryPolicy::new().retry_ambiguous(false);
/// let once = RetryPolicy::disabled();
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct RetryPolicy {
    max_attempts: u32,
    initial_backoff: Duration,
    max_backoff: Duration,
    max_retry_after: Duration,
    retry_ambiguous: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Up to 5 tries, our own waits from 1 to 30 seconds, waits that the service asks for up to 2 minutes.
    pub const fn new() -> Self {
        Self {
            max_attempts: 5,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(120),
            retry_ambiguous: true,
        }
    }

    /// One try, and no other whatever comes of it.
    pub const fn disabled() -> Self {
        Self::new().max_attempts(1)
    }

    /// How often a request is sent at the most, the first time included; 5 unless set. 0 counts as 1.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// How long our own wait is after the first failure, and how long it can get; 1 and 30 seconds unless set.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::Backoff`] if `initial` is longer than `max`.
    pub fn backoff(mut self, initial: Duration, max: Duration) -> Result<Self, Error> {
        if initial > max {
            return Err(InvalidInput::Backoff.into());
        }
        self.initial_backoff = initial;
        self.max_backoff = max;
        Ok(self)
    }

    /// The longest wait that is granted to the service; 2 minutes unless set. It bounds what an answer to this call asks
    /// for, and also what is left of a wait that another call of the token was asked for.
    pub const fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }

    /// Whether a request is sent again although the service may have acted on it; `true` unless set.
    pub const fn retry_ambiguous(mut self, again: bool) -> Self {
        self.retry_ambiguous = again;
        self
    }

    /// The same with 10 tries at the least, unless it is to try once: for a run of many requests, which a short outage
    /// should not end.
    pub(crate) fn patient(&self) -> Self {
        match self.max_attempts {
            1 => self.clone(),
            attempts => self.clone().max_attempts(attempts.max(10)),
        }
    }

    pub(crate) fn max_wait(&self) -> Duration {
        self.max_retry_after
    }
}

/// What the decision about another try rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) kind: ErrorKind,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
}

impl Failed {
    /// The wait that the service asks for. Webflow sends `Retry-After` with every answer, healthy ones included, so it
    /// counts only where it says that the service cannot take a request now.
    pub(crate) fn asked_wait(&self) -> Option<Duration> {
        match self.status {
            Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => {
                self.retry_after
            }
            _ => None,
        }
    }

    pub(crate) fn may_have_acted(&self) -> bool {
        self.kind.may_have_acted(self.status)
    }

    /// The wait for the next window of the rate limit, if the token has used up this one and is not told for how long.
    pub(crate) fn window_wait(&self, policy: &RetryPolicy) -> Option<Duration> {
        let is_untold = self.kind == ErrorKind::TooManyRequests && self.retry_after.is_none();
        is_untold.then(|| WINDOW.min(policy.max_retry_after))
    }
}

/// The window in which Webflow counts the requests of a token.
const WINDOW: Duration = Duration::from_secs(60);

/// What comes after a failed try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Next {
    Wait { wait: Duration, cause: WaitCause },
    Stop(RetryStopped),
}

/// The longest that is added to a wait of the service's, and the part of it that is.
const MOST_ADDED: Duration = Duration::from_secs(1);
const PART_ADDED: f64 = 0.1;

impl RetryPolicy {
    /// Decides after failed try number `attempts`, counted from 1. `left` is the time to the deadline; `random` gives
    /// numbers from 0 to 1.
    pub(crate) fn next(
        &self,
        failed: &Failed,
        attempts: u32,
        left: Option<Duration>,
        mut random: impl FnMut() -> f64,
    ) -> Next {
        if !failed.kind.is_retryable(failed.status) {
            return Next::Stop(RetryStopped::NotRetryable);
        }
        if failed.may_have_acted() && !self.retry_ambiguous {
            return Next::Stop(RetryStopped::Ambiguous);
        }
        if attempts >= self.max_attempts {
            return Next::Stop(RetryStopped::AttemptsExhausted);
        }
        let own = self.own_wait(attempts, random());
        let mut spread = |wait: Duration| {
            let added = wait.mul_f64(PART_ADDED).min(MOST_ADDED);
            wait.saturating_add(part_of(added, random()))
        };
        let (wait, cause) = match (failed.asked_wait(), failed.window_wait(self)) {
            (Some(asked), _) if asked > self.max_retry_after => {
                return Next::Stop(RetryStopped::RetryAfterTooLong);
            }
            (Some(asked), _) => (spread(asked), WaitCause::RetryAfter),
            (None, Some(window)) => (spread(window), WaitCause::Backoff),
            (None, None) => (own, WaitCause::Backoff),
        };
        let (wait, cause) = if wait < own {
            (own, WaitCause::Backoff)
        } else {
            (wait, cause)
        };
        if left.is_some_and(|left| wait >= left) {
            return Next::Stop(RetryStopped::TimeoutExceeded);
        }
        Next::Wait { wait, cause }
    }

    /// Doubles with each failure up to its longest; half of it is fixed and half random.
    pub(crate) fn own_wait(&self, attempts: u32, random: f64) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let whole = self
            .initial_backoff
            .saturating_mul(doubled)
            .min(self.max_backoff);
        let half = whole / 2;
        half.saturating_add(part_of(whole.saturating_sub(half), random))
    }
}

/// A part of a duration. What is no number from 0 to 1 is taken for the nearest one, so that the caller's source of
/// randomness cannot make a wait shorter than it must be.
fn part_of(duration: Duration, part: f64) -> Duration {
    let part = if part.is_nan() {
        0.0
    } else {
        part.clamp(0.0, 1.0)
    };
    Duration::try_from_secs_f64(duration.as_secs_f64() * part).unwrap_or(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn status(status: u16, retry_after: Option<u64>) -> Failed {
        let status = StatusCode::from_u16(status).expect("a status");
        Failed {
            kind: ErrorKind::of_status(status),
            status: Some(status),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn fault(kind: ErrorKind) -> Failed {
        Failed {
            kind,
            status: None,
            retry_after: None,
        }
    }

    fn next(policy: &RetryPolicy, failed: &Failed) -> Next {
        policy.next(failed, 1, None, || 0.0)
    }

    #[test]
    fn a_refusal_is_never_tried_again() {
        for refused in [400, 401, 403, 404, 409, 413, 422, 501, 505, 204, 302] {
            assert_eq!(
                next(&RetryPolicy::new(), &status(refused, Some(1))),
                Next::Stop(RetryStopped::NotRetryable),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_the_service_did_not_act_on_is_tried_again_by_the_strict_policy_too() {
        let strict = RetryPolicy::new().retry_ambiguous(false);
        for failed in [status(429, None), fault(ErrorKind::Connect)] {
            assert!(
                matches!(next(&strict, &failed), Next::Wait { .. }),
                "{failed:?}"
            );
        }
        let ambiguous = [408, 500, 502, 503, 504].map(|code| status(code, None));
        let cut = [ErrorKind::Timeout, ErrorKind::ConnectionClosed].map(fault);
        for failed in ambiguous.into_iter().chain(cut) {
            assert_eq!(next(&strict, &failed), Next::Stop(RetryStopped::Ambiguous));
            assert!(matches!(
                next(&RetryPolicy::new(), &failed),
                Next::Wait { .. }
            ));
        }
    }

    #[test]
    fn a_wait_that_the_service_asks_for_is_never_cut_short() {
        for random in [0.0, 0.5, 1.0, -3.0, f64::NAN, f64::INFINITY] {
            let next = RetryPolicy::new().next(&status(429, Some(60)), 1, None, || random);
            let Next::Wait { wait, cause } = next else {
                panic!("{next:?}")
            };
            assert!((60 * SECOND..=61 * SECOND).contains(&wait), "{wait:?}");
            assert_eq!(cause, WaitCause::RetryAfter);
        }
    }

    #[test]
    fn retry_after_counts_on_429_and_503_alone() {
        for (code, asked) in [
            (429, true),
            (503, true),
            (500, false),
            (502, false),
            (408, false),
        ] {
            let next = next(&RetryPolicy::new(), &status(code, Some(60)));
            let own = Next::Wait {
                wait: SECOND / 2,
                cause: WaitCause::Backoff,
            };
            assert_eq!(next != own, asked, "{code}: {next:?}");
        }
    }

    #[test]
    fn a_429_that_asks_for_no_time_waits_for_the_window_or_as_long_as_is_granted() {
        for (granted, expected) in [(120, 60), (60, 60), (20, 20)] {
            let policy = RetryPolicy::new().max_retry_after(granted * SECOND);
            for random in [0.0, 1.0] {
                let next = policy.next(&status(429, None), 1, None, || random);
                let Next::Wait { wait, cause } = next else {
                    panic!("{next:?}")
                };
                let longest = expected * SECOND + SECOND;
                assert!((expected * SECOND..=longest).contains(&wait), "{wait:?}");
                assert_eq!(cause, WaitCause::Backoff);
            }
        }
        let patient = RetryPolicy::new()
            .backoff(90 * SECOND, 90 * SECOND)
            .expect("fits");
        let next = patient.next(&status(429, None), 1, None, || 1.0);
        assert!(matches!(next, Next::Wait { wait, .. } if wait == 90 * SECOND));
    }

    #[test]
    fn a_request_that_was_accepted_is_not_sent_again() {
        for kind in [
            ErrorKind::Timeout,
            ErrorKind::ConnectionClosed,
            ErrorKind::InvalidResponse,
        ] {
            let failed = Failed {
                kind,
                ..status(200, None)
            };
            let next = next(&RetryPolicy::new(), &failed);
            assert_eq!(next, Next::Stop(RetryStopped::NotRetryable), "{kind:?}");
        }
    }

    #[test]
    fn above_the_cap_the_error_comes_back_and_at_the_cap_it_does_not() {
        let cap = RetryPolicy::new().max_retry_after(60 * SECOND);
        assert!(matches!(
            next(&cap, &status(429, Some(60))),
            Next::Wait { .. }
        ));
        assert_eq!(
            next(&cap, &status(429, Some(61))),
            Next::Stop(RetryStopped::RetryAfterTooLong)
        );
        assert_eq!(
            next(&RetryPolicy::new(), &status(429, Some(u64::MAX))),
            Next::Stop(RetryStopped::RetryAfterTooLong)
        );
    }

    #[test]
    fn a_wait_that_would_end_with_the_deadline_or_after_it_is_not_begun() {
        let decide =
            |left: Duration| RetryPolicy::new().next(&status(429, Some(10)), 1, Some(left), || 0.0);
        assert_eq!(
            decide(10 * SECOND),
            Next::Stop(RetryStopped::TimeoutExceeded)
        );
        assert!(matches!(
            decide(10 * SECOND + Duration::from_nanos(1)),
            Next::Wait { .. }
        ));
    }

    #[test]
    fn our_own_wait_doubles_up_to_its_longest_and_never_overflows() {
        let policy = RetryPolicy::new();
        let waits = [1, 2, 3, 4, 5, 6, 40, u32::MAX]
            .map(|attempts| policy.own_wait(attempts, 1.0).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(policy.own_wait(2, 0.0), SECOND);
        let endless = RetryPolicy::new()
            .backoff(Duration::MAX, Duration::MAX)
            .expect("fits");
        assert!(endless.own_wait(u32::MAX, 1.0) >= Duration::MAX / 2);
    }

    #[test]
    fn the_last_try_is_the_last() {
        let policy = RetryPolicy::new().max_attempts(3);
        let decide = |attempts| policy.next(&status(500, None), attempts, None, || 0.0);
        assert!(matches!(decide(2), Next::Wait { .. }));
        assert_eq!(decide(3), Next::Stop(RetryStopped::AttemptsExhausted));
        assert_eq!(RetryPolicy::new().max_attempts(0), RetryPolicy::disabled());
    }
}
