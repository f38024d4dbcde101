//! The loop around every request: wait for the turn, try, wait, try again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http::{HeaderMap, StatusCode};
use tracing::Instrument;

use super::span::{AttemptSpan, Target};
use crate::error::{Attempts, Error, ErrorKind, FailedAttempt, InvalidInput, RetryStopped};
use crate::observe::{AttemptEnd, CallId, Observers, WaitCause};
use crate::rate_limit::{Heard, NotNow, Patience, Permit, RateLimit, RateLimiter, asked_wait};
use crate::retry::{Draw, Failed, Next, RetryBudget, RetryPolicy};
use crate::time::{Clock, Sleep};

/// What a call goes by, unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    pub(crate) retry: RetryPolicy,
    /// For one try.
    pub(crate) attempt_timeout: Duration,
    /// For the whole call.
    pub(crate) operation_timeout: OperationTimeout,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationTimeout {
    /// Unless set: its attempts together, three times as long as one of them. Waits do not count, since the policy and
    /// the pace bound them; so this is for how long a service can be silent.
    Attempts,
    /// All its attempts and waits together.
    Call(Duration),
    /// As long as the policy and the pace take: a run has their patience.
    Unlimited,
}

impl OperationTimeout {
    /// How many attempts can last as long as they may, unless a deadline is set.
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

    /// The limit that stopped the retries, for the text of an error.
    pub(crate) fn time_limit_of(&self, why: RetryStopped) -> Option<Duration> {
        match why {
            RetryStopped::RetryAfterTooLong => Some(self.retry.max_wait()),
            RetryStopped::TimeoutExceeded => self.operation_timeout.limit(self.attempt_timeout),
            _ => None,
        }
    }
}

/// What the calls of a client and of its clones have in common.
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

/// Is with a call in the moments that decide what is known of it.
pub(crate) trait Watch: fmt::Debug + Send + Sync {
    /// A request is about to leave. Whether it may.
    fn leaving(&self) -> bool;

    /// The try failed.
    fn failed(&self, failed: &Failed);
}

/// The attempts of a call so far, and its watch.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) attempts: Attempts,
}

impl Progress {
    fn failed(&mut self, failed: &Failed, waited: Option<Duration>) {
        if let Some(watch) = &self.watch {
            watch.failed(failed);
        }
        self.attempts.push(FailedAttempt {
            kind: failed.kind,
            status: failed.status,
            may_have_acted: failed.may_have_acted(),
            waited,
        });
    }
}

/// The end of a call that did not succeed.
pub(crate) enum Ended<F> {
    /// The last try failed, and there was no other.
    Failed(F, RetryStopped),
    /// A try failed, and the turn of the next one did not come.
    NotAgain(F, NotNow),
    /// Not even one request was sent.
    NotSent(NotNow),
}

/// One request, to be sent once or more often.
pub(crate) trait Attempt {
    type Success: Send;
    type Fault: Send;

    /// Where it goes.
    fn target(&self) -> Target;

    /// How many bytes the request's body has.
    fn len(&self) -> u64;

    /// Sends it once.
    fn send(
        &mut self,
        timer: Timer,
    ) -> impl Future<Output = Result<Read<Self::Success>, Read<Self::Fault>>> + Send;

    fn failed(fault: &Self::Fault) -> Failed;
}

/// What came of a try, and how many bytes of the answer's body were read for it.
pub(crate) struct Read<T> {
    pub(crate) value: T,
    pub(crate) status: Option<StatusCode>,
    pub(crate) bytes: u64,
}

/// Runs out after a time; covers all phases of a try.
pub(crate) struct Timer(Sleep);

impl Timer {
    /// What the future gives, unless the time runs out before.
    pub(crate) async fn within<T>(&mut self, future: impl Future<Output = T> + Unpin) -> Option<T> {
        match select(future, &mut self.0).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(_) => None,
        }
    }
}

impl Effects {
    /// Sends a request, and sends it again as the policy says.
    pub(crate) async fn call<A: Attempt + Send>(
        &self,
        options: &CallOptions,
        attempt: &mut A,
        progress: &mut Progress,
    ) -> Result<A::Success, Ended<A::Fault>> {
        let clock = &*self.clock;
        let call = self.observers.call_started(clock);
        let deadline = match options.operation_timeout {
            OperationTimeout::Call(limit) => Some(clock.elapsed().saturating_add(limit)),
            OperationTimeout::Attempts | OperationTimeout::Unlimited => None,
        };
        let mut for_attempts = match options.operation_timeout {
            OperationTimeout::Attempts => options.operation_timeout.limit(options.attempt_timeout),
            OperationTimeout::Call(_) | OperationTimeout::Unlimited => None,
        };
        let patience = Patience {
            clock,
            observers: &self.observers,
            call: call.id(),
            deadline,
            longest_wait: options.retry.max_wait(),
        };
        let left = || deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
        let mut before: Option<(A::Fault, Option<Draw<'_>>)> = None;
        loop {
            let turn = self.rate_limiter.turn(patience).await;
            let turn = turn.map(|ticket| Permit::new(&self.rate_limiter, &self.clock, ticket));
            let (fault, draw) = before
                .take()
                .map_or((None, None), |(fault, draw)| (Some(fault), draw));
            let may_leave = |permit: Permit| match &progress.watch {
                Some(watch) if !watch.leaving() => Err(NotNow::Aborted),
                _ => Ok(permit.sent()),
            };
            let permit = match turn.and_then(may_leave) {
                Ok(permit) => permit,
                Err(why) => {
                    return Err(match fault {
                        Some(fault) => Ended::NotAgain(fault, why),
                        None => Ended::NotSent(why),
                    });
                }
            };
            if let Some(draw) = draw {
                draw.spend();
            }
            progress.attempts.count = progress.attempts.count.saturating_add(1);
            let number = progress.attempts.count;
            let limits = [left(), for_attempts].into_iter().flatten();
            let time = limits.fold(options.attempt_timeout, Duration::min);
            let began = clock.elapsed();
            let tried = self.attempt_once(call.id(), attempt, number, time);
            let tried = PERMIT.scope(permit, tried).await;
            for_attempts =
                for_attempts.map(|time| time.saturating_sub(clock.elapsed().saturating_sub(began)));
            let fault = match tried {
                Ok(success) => {
                    self.budget.succeeded();
                    return Ok(success);
                }
                Err(fault) => fault,
            };
            let failed = A::failed(&fault);
            // A wait takes none of the time for attempts.
            let left = left().or(for_attempts.filter(Duration::is_zero));
            let next = options
                .retry
                .next(&failed, number, left, || (self.random)());
            self.hold_others(&failed, &next, options, number);
            let (wait, cause) = match next {
                Next::Wait { wait, cause } => (wait, cause),
                Next::Stop(why) => {
                    progress.failed(&failed, None);
                    return Err(Ended::Failed(fault, why));
                }
            };
            let draw = if failed.status == Some(StatusCode::TOO_MANY_REQUESTS) {
                None
            } else {
                match self.budget.draw() {
                    Some(draw) => Some(draw),
                    None => {
                        progress.failed(&failed, None);
                        return Err(Ended::Failed(fault, RetryStopped::BudgetExhausted));
                    }
                }
            };
            progress.failed(&failed, Some(wait));
            self.wait(call.id(), cause, wait).await;
            before = Some((fault, draw));
        }
    }

    async fn attempt_once<A: Attempt + Send>(
        &self,
        call: CallId,
        attempt: &mut A,
        number: u32,
        time: Duration,
    ) -> Result<A::Success, A::Fault> {
        let guard = self
            .observers
            .attempt_started(&*self.clock, call, number, attempt.len());
        let span = AttemptSpan::new(&attempt.target(), number, attempt.len());
        let timer = Timer(self.clock.sleep(time));
        let read = attempt.send(timer).instrument(span.span()).await;
        match read {
            Ok(read) => {
                span.succeeded(read.status);
                guard.ended(AttemptEnd::Succeeded, read.status, read.bytes);
                Ok(read.value)
            }
            Err(read) => {
                let kind = A::failed(&read.value).kind;
                span.failed(kind, read.status);
                guard.ended(AttemptEnd::Failed(kind), read.status, read.bytes);
                Err(read.value)
            }
        }
    }

    /// Stops every call of the token for as long as the service asked, or for as long as this one waits if it said too
    /// many requests and no time.
    fn hold_others(&self, failed: &Failed, next: &Next, options: &CallOptions, number: u32) {
        let pause = match (failed.asked_wait(), failed.kind) {
            (Some(asked), _) => asked,
            (None, ErrorKind::TooManyRequests) => match next {
                Next::Wait { wait, .. } => *wait,
                Next::Stop(_) => {
                    let own = options.retry.own_wait(number, 0.0);
                    failed
                        .window_wait(&options.retry)
                        .map_or(own, |window| window.max(own))
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

    /// Takes in what the head of a response says of the token's requests.
    pub(crate) fn received(&self, status: StatusCode, headers: &HeaderMap) {
        let RateLimit { limit, remaining } = RateLimit::from_headers(headers);
        let heard = Heard {
            limit,
            remaining,
            retry_after: asked_wait(status, headers, self.clock.now()),
            is_refused: status == StatusCode::TOO_MANY_REQUESTS,
        };
        // Every request is sent by a call, within its permit.
        PERMIT.try_with(|permit| permit.answered(&heard)).ok();
    }
}

tokio::task_local! {
    /// The permit of the attempt that is being made: the generated client hands no context to its hooks.
    static PERMIT: Permit;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Wakes everybody a second late, as a machine does that was asleep.
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
        type Fault = ();

        fn target(&self) -> Target {
            let url: reqwest::Url = "http://127.0.0.1/".parse().expect("a URL");
            Target::new(http::Method::GET, url.clone(), "none", &url)
        }

        fn len(&self) -> u64 {
            0
        }

        async fn send(&mut self, _: Timer) -> Result<Read<()>, Read<()>> {
            Err(Read {
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
    async fn nothing_is_sent_after_the_deadline_although_a_wait_ends_late() {
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
            Err(Ended::NotAgain((), NotNow::OutOfTime(_)))
        ));
        assert_eq!(progress.attempts.count, 1);
    }
}
