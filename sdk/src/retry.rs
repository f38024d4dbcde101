//! The retry policy and the retry budget of a client.

mod budget;

use std::time::Duration;

use http::StatusCode;

pub use budget::RetryBudget;
pub(crate) use budget::RetryPermit;

use crate::error::{Error, ErrorKind, InvalidInput, RetryStopped};
use crate::observe::WaitCause;

/// Configures the retries of a call: after which failures, when and how many.
///
/// Set it for a client with [`ClientBuilder::retry`](crate::ClientBuilder::retry), or for one call with
/// [`UpdateRequest::retry`](crate::client::UpdateRequest::retry).
///
/// # Retried failures
///
/// - Status 429: always. The service did not act.
/// - A connection that was not established: always. Nothing was sent.
/// - Ambiguous failures, on which the service may have acted: unless [`retry_ambiguous(false)`](Self::retry_ambiguous)
///   is set. These are status 408 and 5xx except 501 and 505, a connection that closed before the status arrived, and
///   an attempt that timed out before the status arrived. An update holds absolute values, so a second one ends in the
///   same state. But Webflow imports files and images again each time that their field is written.
/// - Status 200 with an incomplete body: never. The service has accepted the request, see [`Error::was_accepted`].
/// - Anything else, such as 400, 401, 403, 404, 409, 413, 501 or an invalid certificate: never.
///
/// # Waits
///
/// A call waits for the longer of two times before it retries:
///
/// - The back-off, which doubles with each failure from the initial to the maximum [`backoff`](Self::backoff). Half of
///   it is random.
/// - The wait that a 429 or 503 requests ([`Error::retry_after`]), plus a random part of up to a tenth, at most 1
///   second, so that concurrent callers do not retry at the same moment.
///
/// No request is sent before the time that the service requests. If the wait is longer than
/// [`max_retry_after`](Self::max_retry_after), the call returns the error at once, with the requested wait in it.
///
/// A 429 that requests no wait is retried after the window of the rate limit: 60 seconds, or `max_retry_after` if that
/// is shorter.
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
    /// Creates the default policy: 5 attempts, a back-off from 1 to 30 seconds, and requested waits of up to 2 minutes.
    pub const fn new() -> Self {
        Self {
            max_attempts: 5,
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(120),
            retry_ambiguous: true,
        }
    }

    /// Creates a policy without retries: one attempt.
    pub const fn disabled() -> Self {
        Self::new().max_attempts(1)
    }

    /// Sets the maximum number of attempts, including the first. Default: 5. 0 counts as 1.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// Sets the back-off after the first failure, and its maximum. Default: 1 and 30 seconds.
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

    /// Sets the maximum wait that the service may request. Default: 2 minutes.
    ///
    /// It applies to the responses of this call, and to what remains of a wait that the service requested of another
    /// call with the same rate limiter.
    pub const fn max_retry_after(mut self, wait: Duration) -> Self {
        self.max_retry_after = wait;
        self
    }

    /// Sets whether to retry a request although the service may have acted on it. Default: `true`.
    pub const fn retry_ambiguous(mut self, retry: bool) -> Self {
        self.retry_ambiguous = retry;
        self
    }

    /// Returns the policy with at least 10 attempts, unless retries are disabled. It is for a run of many requests,
    /// which a short outage should not end.
    pub(crate) fn patient(&self) -> Self {
        match self.max_attempts {
            1 => self.clone(),
            attempts => self.clone().max_attempts(attempts.max(10)),
        }
    }

    pub(crate) fn retry_after_limit(&self) -> Duration {
        self.max_retry_after
    }
}

/// A failed attempt, as the retry decision sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    pub(crate) kind: ErrorKind,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<Duration>,
}

impl Failed {
    /// Returns the wait that the service requests. Webflow sends `Retry-After` with every response, including
    /// successful ones, so the header counts only with a status that means "not now".
    pub(crate) fn requested_wait(&self) -> Option<Duration> {
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

    /// Returns the wait for the next window of the rate limit, after a 429 that requests no wait.
    pub(crate) fn window_wait(&self, policy: &RetryPolicy) -> Option<Duration> {
        let is_unspecified = self.kind == ErrorKind::TooManyRequests && self.retry_after.is_none();
        is_unspecified.then(|| WINDOW.min(policy.max_retry_after))
    }
}

/// The window in which Webflow counts the requests of a token.
const WINDOW: Duration = Duration::from_secs(60);

/// The decision after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decision {
    Retry { wait: Duration, cause: WaitCause },
    Stop(RetryStopped),
}

/// The part of a requested wait that is added at most, and the longest such addition.
const JITTER: f64 = 0.1;
const MAX_JITTER: Duration = Duration::from_secs(1);

impl RetryPolicy {
    /// Decides after failed attempt number `attempts`, counted from 1. `left` is the time until the operation timeout.
    /// `random` returns numbers from 0 to 1.
    pub(crate) fn decide(
        &self,
        failed: &Failed,
        attempts: u32,
        left: Option<Duration>,
        mut random: impl FnMut() -> f64,
    ) -> Decision {
        if !failed.kind.is_retryable(failed.status) {
            return Decision::Stop(RetryStopped::NotRetryable);
        }
        if failed.may_have_acted() && !self.retry_ambiguous {
            return Decision::Stop(RetryStopped::Ambiguous);
        }
        if attempts >= self.max_attempts {
            return Decision::Stop(RetryStopped::AttemptsExhausted);
        }
        let backoff = self.backoff_after(attempts, random());
        let mut with_jitter = |wait: Duration| {
            let jitter = wait.mul_f64(JITTER).min(MAX_JITTER);
            wait.saturating_add(fraction_of(jitter, random()))
        };
        let (wait, cause) = match (failed.requested_wait(), failed.window_wait(self)) {
            (Some(requested), _) if requested > self.max_retry_after => {
                return Decision::Stop(RetryStopped::RetryAfterTooLong);
            }
            (Some(requested), _) => (with_jitter(requested), WaitCause::RetryAfter),
            (None, Some(window)) => (with_jitter(window), WaitCause::Backoff),
            (None, None) => (backoff, WaitCause::Backoff),
        };
        let (wait, cause) = if wait < backoff {
            (backoff, WaitCause::Backoff)
        } else {
            (wait, cause)
        };
        if left.is_some_and(|left| wait >= left) {
            return Decision::Stop(RetryStopped::TimeoutExceeded);
        }
        Decision::Retry { wait, cause }
    }

    /// Returns the back-off after failed attempt number `attempts`. It doubles with each failure up to its maximum, and
    /// half of it is random.
    pub(crate) fn backoff_after(&self, attempts: u32, random: f64) -> Duration {
        let doubled = 1_u32
            .checked_shl(attempts.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let whole = self
            .initial_backoff
            .saturating_mul(doubled)
            .min(self.max_backoff);
        let half = whole / 2;
        half.saturating_add(fraction_of(whole.saturating_sub(half), random))
    }
}

/// Returns a fraction of a duration. The fraction is clamped to the range from 0 to 1, so that the caller's source of
/// randomness cannot shorten a wait below its minimum.
fn fraction_of(duration: Duration, fraction: f64) -> Duration {
    let fraction = if fraction.is_nan() {
        0.0
    } else {
        fraction.clamp(0.0, 1.0)
    };
    Duration::try_from_secs_f64(duration.as_secs_f64() * fraction).unwrap_or(duration)
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

    fn transport_failure(kind: ErrorKind) -> Failed {
        Failed {
            kind,
            status: None,
            retry_after: None,
        }
    }

    fn decide(policy: &RetryPolicy, failed: &Failed) -> Decision {
        policy.decide(failed, 1, None, || 0.0)
    }

    #[test]
    fn a_rejection_is_never_retried() {
        for rejected in [400, 401, 403, 404, 409, 413, 422, 501, 505, 204, 302] {
            assert_eq!(
                decide(&RetryPolicy::new(), &status(rejected, Some(1))),
                Decision::Stop(RetryStopped::NotRetryable),
                "{rejected}"
            );
        }
    }

    #[test]
    fn the_strict_policy_retries_what_the_service_did_not_act_on() {
        let strict = RetryPolicy::new().retry_ambiguous(false);
        for failed in [status(429, None), transport_failure(ErrorKind::Connect)] {
            assert!(
                matches!(decide(&strict, &failed), Decision::Retry { .. }),
                "{failed:?}"
            );
        }
        let ambiguous = [408, 500, 502, 503, 504].map(|code| status(code, None));
        let closed = [ErrorKind::Timeout, ErrorKind::ConnectionClosed].map(transport_failure);
        for failed in ambiguous.into_iter().chain(closed) {
            assert_eq!(
                decide(&strict, &failed),
                Decision::Stop(RetryStopped::Ambiguous)
            );
            assert!(matches!(
                decide(&RetryPolicy::new(), &failed),
                Decision::Retry { .. }
            ));
        }
    }

    #[test]
    fn a_requested_wait_is_never_shortened() {
        for random in [0.0, 0.5, 1.0, -3.0, f64::NAN, f64::INFINITY] {
            let decision = RetryPolicy::new().decide(&status(429, Some(60)), 1, None, || random);
            let Decision::Retry { wait, cause } = decision else {
                panic!("{decision:?}")
            };
            assert!((60 * SECOND..=61 * SECOND).contains(&wait), "{wait:?}");
            assert_eq!(cause, WaitCause::RetryAfter);
        }
    }

    #[test]
    fn retry_after_counts_on_429_and_503_alone() {
        for (code, is_obeyed) in [
            (429, true),
            (503, true),
            (500, false),
            (502, false),
            (408, false),
        ] {
            let decision = decide(&RetryPolicy::new(), &status(code, Some(60)));
            let backoff = Decision::Retry {
                wait: SECOND / 2,
                cause: WaitCause::Backoff,
            };
            assert_eq!(decision != backoff, is_obeyed, "{code}: {decision:?}");
        }
    }

    #[test]
    fn a_429_that_requests_no_wait_is_retried_after_the_window_or_max_retry_after() {
        for (limit, expected) in [(120, 60), (60, 60), (20, 20)] {
            let policy = RetryPolicy::new().max_retry_after(limit * SECOND);
            for random in [0.0, 1.0] {
                let decision = policy.decide(&status(429, None), 1, None, || random);
                let Decision::Retry { wait, cause } = decision else {
                    panic!("{decision:?}")
                };
                let longest = expected * SECOND + SECOND;
                assert!((expected * SECOND..=longest).contains(&wait), "{wait:?}");
                assert_eq!(cause, WaitCause::Backoff);
            }
        }
        let patient = RetryPolicy::new()
            .backoff(90 * SECOND, 90 * SECOND)
            .expect("fits");
        let decision = patient.decide(&status(429, None), 1, None, || 1.0);
        assert!(matches!(decision, Decision::Retry { wait, .. } if wait == 90 * SECOND));
    }

    #[test]
    fn an_accepted_request_is_not_retried() {
        for kind in [
            ErrorKind::Timeout,
            ErrorKind::ConnectionClosed,
            ErrorKind::InvalidResponse,
        ] {
            let failed = Failed {
                kind,
                ..status(200, None)
            };
            let decision = decide(&RetryPolicy::new(), &failed);
            assert_eq!(
                decision,
                Decision::Stop(RetryStopped::NotRetryable),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_requested_wait_is_accepted_up_to_max_retry_after() {
        let policy = RetryPolicy::new().max_retry_after(60 * SECOND);
        assert!(matches!(
            decide(&policy, &status(429, Some(60))),
            Decision::Retry { .. }
        ));
        assert_eq!(
            decide(&policy, &status(429, Some(61))),
            Decision::Stop(RetryStopped::RetryAfterTooLong)
        );
        assert_eq!(
            decide(&RetryPolicy::new(), &status(429, Some(u64::MAX))),
            Decision::Stop(RetryStopped::RetryAfterTooLong)
        );
    }

    #[test]
    fn a_wait_that_would_end_at_or_after_the_operation_timeout_is_not_started() {
        let decide = |left: Duration| {
            RetryPolicy::new().decide(&status(429, Some(10)), 1, Some(left), || 0.0)
        };
        assert_eq!(
            decide(10 * SECOND),
            Decision::Stop(RetryStopped::TimeoutExceeded)
        );
        assert!(matches!(
            decide(10 * SECOND + Duration::from_nanos(1)),
            Decision::Retry { .. }
        ));
    }

    #[test]
    fn the_backoff_doubles_up_to_its_maximum_and_never_overflows() {
        let policy = RetryPolicy::new();
        let waits = [1, 2, 3, 4, 5, 6, 40, u32::MAX]
            .map(|attempts| policy.backoff_after(attempts, 1.0).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(policy.backoff_after(2, 0.0), SECOND);
        let endless = RetryPolicy::new()
            .backoff(Duration::MAX, Duration::MAX)
            .expect("fits");
        assert!(endless.backoff_after(u32::MAX, 1.0) >= Duration::MAX / 2);
    }

    #[test]
    fn a_call_stops_after_max_attempts() {
        let policy = RetryPolicy::new().max_attempts(3);
        let decide = |attempts| policy.decide(&status(500, None), attempts, None, || 0.0);
        assert!(matches!(decide(2), Decision::Retry { .. }));
        assert_eq!(decide(3), Decision::Stop(RetryStopped::AttemptsExhausted));
        assert_eq!(RetryPolicy::new().max_attempts(0), RetryPolicy::disabled());
    }
}
