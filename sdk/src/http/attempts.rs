//! The loop of attempts around every request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use http::{HeaderMap, StatusCode};
use tracing::Instrument;

use super::span::{AttemptSpan, Target};
use crate::error::{Attempts, Error, ErrorKind, FailedAttempt, InvalidInput, RetryStopped};
use crate::observe::{AttemptEnd, CallId, Observers, WaitCause};
use crate::rate_limit::{
    NotAdmitted, Permit, RateLimit, RateLimiter, Reported, WaitLimits, requested_wait,
};
use crate::retry::{Decision, Failed, RetryBudget, RetryPermit, RetryPolicy};
use crate::time::{Clock, Sleep};

/// The retry policy and timeouts of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    pub(crate) retry: RetryPolicy,
    pub(crate) attempt_timeout: Duration,
    pub(crate) operation_timeout: OperationTimeout,
}

/// The timeout of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationTimeout {
    /// The default: a limit for the attempts without the waits, which the policy and the rate limiter bound. It limits
    /// how long a call waits for a silent service.
    Attempts,
    /// A limit for all attempts and waits.
    Call(Duration),
    /// No limit: only the policy and the rate limiter bound the call. For bulk runs.
    Unlimited,
}

impl OperationTimeout {
    /// How many attempts can time out within the default operation timeout.
    const SILENT_ATTEMPTS: u32 = 3;

    pub(crate) fn limit(self, attempt_timeout: Duration) -> Option<Duration> {
        match self {
            Self::Attempts => Some(attempt_timeout.saturating_mul(Self::SILENT_ATTEMPTS)),
            Self::Call(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

impl CallOptions {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_zero = self.attempt_timeout.is_zero()
            || self.operation_timeout == OperationTimeout::Call(Duration::ZERO);
        match is_zero {
            true => Err(InvalidInput::ZeroTimeout.into()),
            false => Ok(()),
        }
    }

    /// Returns the limit that stopped the retries, for the text of an error.
    pub(crate) fn time_limit_of(&self, reason: RetryStopped) -> Option<Duration> {
        match reason {
            RetryStopped::RetryAfterTooLong => Some(self.retry.retry_after_limit()),
            RetryStopped::TimeoutExceeded => self.operation_timeout.limit(self.attempt_timeout),
            _ => None,
        }
    }
}

/// The state that the calls of a client and of its clones share.
#[derive(Clone)]
pub(crate) struct Effects {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) budget: RetryBudget,
    pub(crate) observers: Observers,
}

/// A source of numbers from 0 to 1.
pub(crate) type Random = Arc<dyn Fn() -> f64 + Send + Sync>;

/// A hook that a call runs before each attempt is sent and after each failure. The call waits for it.
pub(crate) trait Watch: fmt::Debug + Send + Sync {
    /// Called before an attempt is sent. Returns `false` to abort the call.
    fn leaving(&self) -> BoxFuture<'_, bool>;

    /// Called after an attempt has failed.
    fn failed<'a>(&'a self, failed: &'a Failed) -> BoxFuture<'a, ()>;
}

/// The attempts of a call so far, and its hook.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) attempts: Attempts,
}

impl Progress {
    async fn failed(&mut self, failed: &Failed, waited: Option<Duration>) {
        if let Some(watch) = &self.watch {
            watch.failed(failed).await;
        }
        self.attempts.push(FailedAttempt {
            kind: failed.kind,
            status: failed.status,
            may_have_acted: failed.may_have_acted(),
            waited,
        });
    }
}

/// The failure of a call.
pub(crate) enum CallFailure<F> {
    /// An attempt failed and was not retried.
    Attempt(F, RetryStopped),
    /// An attempt failed, and its retry was not sent.
    NotRetried(F, NotAdmitted),
    /// No request was sent.
    NotSent(NotAdmitted),
}

/// A request that can be sent several times.
pub(crate) trait Attempt {
    type Success: Send;
    type Failure: Send;

    fn target(&self) -> Target;

    /// Returns the size of the request's body in bytes.
    fn len(&self) -> u64;

    /// Sends the request once.
    fn send(
        &mut self,
        timeout: AttemptTimeout,
    ) -> impl Future<Output = Result<Received<Self::Success>, Received<Self::Failure>>> + Send;

    fn failed(failure: &Self::Failure) -> Failed;
}

/// The result of an attempt, and how many bytes of the response's body were read.
pub(crate) struct Received<T> {
    pub(crate) value: T,
    pub(crate) status: Option<StatusCode>,
    pub(crate) bytes: u64,
}

/// The timeout of an attempt, shared by all its phases.
pub(crate) struct AttemptTimeout(Sleep);

impl AttemptTimeout {
    /// Runs a future. Returns `None` if the timeout elapses first.
    pub(crate) async fn run<T>(&mut self, future: impl Future<Output = T> + Unpin) -> Option<T> {
        match select(future, &mut self.0).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }
}

impl Effects {
    /// Sends a request, and retries it as the policy says.
    pub(crate) async fn call<A: Attempt + Send>(
        &self,
        options: &CallOptions,
        attempt: &mut A,
        progress: &mut Progress,
    ) -> Result<A::Success, CallFailure<A::Failure>> {
        let clock = &*self.clock;
        let call = self.observers.call_started(clock);
        let ends_at = match options.operation_timeout {
            OperationTimeout::Call(limit) => Some(clock.elapsed().saturating_add(limit)),
            OperationTimeout::Attempts | OperationTimeout::Unlimited => None,
        };
        let mut attempts_left = match options.operation_timeout {
            OperationTimeout::Attempts => options.operation_timeout.limit(options.attempt_timeout),
            OperationTimeout::Call(_) | OperationTimeout::Unlimited => None,
        };
        let limits = WaitLimits {
            clock,
            observers: &self.observers,
            call: call.id(),
            ends_at,
            max_retry_after: options.retry.retry_after_limit(),
        };
        let left = || ends_at.map(|ends_at| ends_at.saturating_sub(clock.elapsed()));
        let mut last: Option<(A::Failure, Option<RetryPermit<'_>>)> = None;
        loop {
            let admitted = self.rate_limiter.acquire(limits).await;
            let admitted =
                admitted.map(|ticket| Permit::new(&self.rate_limiter, &self.clock, ticket));
            let (failure, retry) = last
                .take()
                .map_or((None, None), |(failure, retry)| (Some(failure), retry));
            let may_leave = match (admitted, &progress.watch) {
                (Ok(_), Some(watch)) if !watch.leaving().await => Err(NotAdmitted::Aborted),
                (admitted, _) => admitted.map(Permit::sent),
            };
            let permit = match may_leave {
                Ok(permit) => permit,
                Err(reason) => {
                    return Err(match failure {
                        Some(failure) => CallFailure::NotRetried(failure, reason),
                        None => CallFailure::NotSent(reason),
                    });
                }
            };
            if let Some(retry) = retry {
                retry.consume();
            }
            progress.attempts.count = progress.attempts.count.saturating_add(1);
            let number = progress.attempts.count;
            let timeouts = [left(), attempts_left].into_iter().flatten();
            let timeout = timeouts.fold(options.attempt_timeout, Duration::min);
            let started = clock.elapsed();
            let result = self.attempt_once(call.id(), attempt, number, timeout);
            let result = PERMIT.scope(permit, result).await;
            let took = clock.elapsed().saturating_sub(started);
            attempts_left = attempts_left.map(|left| left.saturating_sub(took));
            let failure = match result {
                Ok(success) => {
                    self.budget.succeeded();
                    return Ok(success);
                }
                Err(failure) => failure,
            };
            let failed = A::failed(&failure);
            // A wait does not count against the time for attempts.
            let left = left().or(attempts_left.filter(Duration::is_zero));
            let decision = options
                .retry
                .decide(&failed, number, left, || (self.random)());
            self.pause_others(&failed, &decision, options, number);
            let (wait, cause) = match decision {
                Decision::Retry { wait, cause } => (wait, cause),
                Decision::Stop(reason) => {
                    progress.failed(&failed, None).await;
                    return Err(CallFailure::Attempt(failure, reason));
                }
            };
            let retry = if failed.status == Some(StatusCode::TOO_MANY_REQUESTS) {
                None
            } else {
                match self.budget.acquire() {
                    Some(retry) => Some(retry),
                    None => {
                        progress.failed(&failed, None).await;
                        let reason = RetryStopped::BudgetExhausted;
                        return Err(CallFailure::Attempt(failure, reason));
                    }
                }
            };
            progress.failed(&failed, Some(wait)).await;
            self.wait(call.id(), cause, wait).await;
            last = Some((failure, retry));
        }
    }

    async fn attempt_once<A: Attempt + Send>(
        &self,
        call: CallId,
        attempt: &mut A,
        number: u32,
        timeout: Duration,
    ) -> Result<A::Success, A::Failure> {
        let guard = self
            .observers
            .attempt_started(&*self.clock, call, number, attempt.len());
        let span = AttemptSpan::new(&attempt.target(), number, attempt.len());
        let timeout = AttemptTimeout(self.clock.sleep(timeout));
        let result = attempt.send(timeout).instrument(span.span()).await;
        match result {
            Ok(received) => {
                span.succeeded(received.status);
                guard.ended(AttemptEnd::Succeeded, received.status, received.bytes);
                Ok(received.value)
            }
            Err(received) => {
                let kind = A::failed(&received.value).kind;
                span.failed(kind, received.status);
                guard.ended(AttemptEnd::Failed(kind), received.status, received.bytes);
                Err(received.value)
            }
        }
    }

    /// Pauses all calls with the same rate limiter for the wait that the service requests. After a 429 that requests no
    /// wait, it pauses them for as long as this call waits.
    fn pause_others(
        &self,
        failed: &Failed,
        decision: &Decision,
        options: &CallOptions,
        number: u32,
    ) {
        let pause = match (failed.requested_wait(), failed.kind) {
            (Some(requested), _) => requested,
            (None, ErrorKind::TooManyRequests) => match decision {
                Decision::Retry { wait, .. } => *wait,
                Decision::Stop(_) => {
                    let backoff = options.retry.backoff_after(number, 0.0);
                    failed
                        .window_wait(&options.retry)
                        .map_or(backoff, |window| window.max(backoff))
                }
            },
            _ => return,
        };
        self.rate_limiter
            .pause(self.clock.elapsed().saturating_add(pause));
    }

    async fn wait(&self, call: CallId, cause: WaitCause, wait: Duration) {
        let _waiting = self.observers.wait_started(&*self.clock, call, cause, wait);
        self.clock.sleep(wait).await;
    }

    /// Passes the rate-limit headers of a response to the rate limiter.
    pub(crate) fn received(&self, status: StatusCode, headers: &HeaderMap) {
        let RateLimit { limit, remaining } = RateLimit::from_headers(headers);
        let reported = Reported {
            limit,
            remaining,
            retry_after: requested_wait(status, headers, self.clock.now()),
            is_refused: status == StatusCode::TOO_MANY_REQUESTS,
        };
        // Every request is sent by a call, within its permit.
        PERMIT.try_with(|permit| permit.received(&reported)).ok();
    }
}

tokio::task_local! {
    /// The permit of the current attempt. The generated client passes no context to its hooks.
    static PERMIT: Permit;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A clock whose sleeps end a second late, as on a machine that was suspended.
    #[derive(Debug, Default)]
    struct Late(Arc<Mutex<Duration>>);

    impl Clock for Late {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn elapsed(&self) -> Duration {
            *self.0.lock().expect("no panic")
        }

        fn sleep(&self, duration: Duration) -> Sleep {
            let now = Arc::clone(&self.0);
            Sleep::new(async move { *now.lock().expect("no panic") += duration + SECOND })
        }
    }

    struct Unconnected;

    impl Attempt for Unconnected {
        type Success = ();
        type Failure = ();

        fn target(&self) -> Target {
            let url: reqwest::Url = "http://127.0.0.1/".parse().expect("a URL");
            Target::new(http::Method::GET, url.clone(), "none", &url)
        }

        fn len(&self) -> u64 {
            0
        }

        async fn send(&mut self, _: AttemptTimeout) -> Result<Received<()>, Received<()>> {
            Err(Received {
                value: (),
                status: None,
                bytes: 0,
            })
        }

        fn failed((): &()) -> Failed {
            Failed {
                kind: ErrorKind::Connect,
                status: None,
                retry_after: None,
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_after_the_operation_timeout_although_a_wait_ends_late() {
        let effects = Effects {
            clock: Arc::new(Late::default()),
            random: Arc::new(|| 1.0),
            rate_limiter: RateLimiter::unlimited(),
            budget: RetryBudget::unlimited(),
            observers: Observers::default(),
        };
        let options = CallOptions {
            retry: RetryPolicy::new().backoff(SECOND, SECOND).expect("fits"),
            attempt_timeout: SECOND,
            operation_timeout: OperationTimeout::Call(SECOND * 3 / 2),
        };
        let mut progress = Progress::default();
        let ended = effects
            .call(&options, &mut Unconnected, &mut progress)
            .await;
        assert!(matches!(
            ended,
            Err(CallFailure::NotRetried((), NotAdmitted::OutOfTime(_)))
        ));
        assert_eq!(progress.attempts.count, 1);
    }
}
