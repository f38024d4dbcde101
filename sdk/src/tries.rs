//! The loop around every request: wait for the turn, try, wait, try again.

mod span;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use http::{HeaderMap, StatusCode};
use tracing::Instrument;

pub(crate) use self::span::Target;
use self::span::TrySpan;
use crate::error::{Error, InvalidInput};
use crate::observer::{Observers, TryEnd};
use crate::pace::{NotNow, Pace, Patience};
use crate::retry::{Draw, Failed, Next};
use crate::{Clock, ErrorKind, GaveUp, RateLimit, RetryBudget, RetryPolicy, Sleep, WaitCause};

/// What a call goes by, unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) struct CallOptions {
    pub(crate) retry: RetryPolicy,
    /// For one try.
    pub(crate) timeout: Duration,
    /// For the whole call.
    pub(crate) deadline: Deadline,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// Unless set: its attempts together, three times as long as one of them. Waits do not count, since the policy and
    /// the pace bound them; so this is for how long a service can be silent.
    Attempts,
    /// All its attempts and waits together.
    Call(Duration),
    /// As long as the policy and the pace take: a run has their patience.
    Unlimited,
}

impl Deadline {
    /// How many attempts can last as long as they may, unless a deadline is set.
    const SILENT_ATTEMPTS: u32 = 3;

    pub(crate) fn limit(self, timeout: Duration) -> Option<Duration> {
        match self {
            Self::Attempts => Some(timeout.saturating_mul(Self::SILENT_ATTEMPTS)),
            Self::Call(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

impl CallOptions {
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.timeout.is_zero() || self.deadline == Deadline::Call(Duration::ZERO) {
            return Err(InvalidInput::ZeroTimeout.into());
        }
        self.retry.check()
    }
}

/// What the calls of a client and of its clones have in common.
#[derive(Clone)]
pub(crate) struct Effects {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Random,
    pub(crate) pace: Pace,
    pub(crate) budget: RetryBudget,
    pub(crate) observers: Observers,
}

/// A source of numbers from 0 to 1.
pub(crate) type Random = Arc<dyn Fn() -> f64 + Send + Sync>;

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedTry {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The status of the answer, if there was one.
    pub status: Option<StatusCode>,
    /// Whether the service may have acted on this try.
    pub may_have_acted: bool,
    /// How long the call waited after it, before it took its turn for the next one; none, if there was to be no next
    /// one.
    pub waited: Option<Duration>,
}

impl fmt::Display for FailedTry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if let Some(status) = self.status {
            write!(formatter, " (status {})", status.as_u16())?;
        }
        if self.may_have_acted {
            formatter.write_str(", the service may have acted")?;
        }
        match self.waited {
            Some(waited) => write!(formatter, ", waited {waited:.1?}"),
            None => Ok(()),
        }
    }
}

/// Hooks that a call runs before each attempt is sent and after each failed one. The call waits for them.
pub(crate) trait Watch: fmt::Debug + Send + Sync {
    /// A request is about to leave. Whether it may.
    fn leaving(&self) -> BoxFuture<'_, bool>;

    /// The attempt failed.
    fn failed<'a>(&'a self, failed: &'a Failed) -> BoxFuture<'a, ()>;
}

/// The tries of a call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tries {
    pub(crate) watch: Option<Arc<dyn Watch>>,
    pub(crate) count: u32,
    pub(crate) failed: Vec<FailedTry>,
    pub(crate) may_have_acted: bool,
}

impl Tries {
    /// More than this many are counted, but not kept one by one.
    const KEPT: usize = 32;

    async fn failed(&mut self, failed: &Failed, waited: Option<Duration>) {
        let may_have_acted = failed.may_have_acted();
        self.may_have_acted |= may_have_acted;
        if let Some(watch) = &self.watch {
            watch.failed(failed).await;
        }
        if self.failed.len() == Self::KEPT {
            self.failed.remove(0);
        }
        self.failed.push(FailedTry {
            kind: failed.kind,
            status: failed.status,
            may_have_acted,
            waited,
        });
    }

    /// Puts the attempts of earlier calls in front of these.
    pub(crate) fn after(&mut self, earlier: &[FailedTry], may_have_acted: bool) {
        let more = u32::try_from(earlier.len()).unwrap_or(u32::MAX);
        self.count = self.count.saturating_add(more);
        self.may_have_acted |=
            may_have_acted || earlier.iter().any(|attempt| attempt.may_have_acted);
        self.failed.splice(0..0, earlier.iter().cloned());
        let surplus = self.failed.len().saturating_sub(Self::KEPT);
        self.failed.drain(..surplus);
    }
}

/// The end of a call that did not succeed.
pub(crate) enum Ended<F> {
    /// The last try failed, and there was no other.
    Failed(F, GaveUp),
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
        tries: &mut Tries,
    ) -> Result<A::Success, Ended<A::Fault>> {
        let clock = &*self.clock;
        let _call = self.observers.call_started(clock);
        let deadline = match options.deadline {
            Deadline::Call(limit) => Some(clock.elapsed().saturating_add(limit)),
            Deadline::Attempts | Deadline::Unlimited => None,
        };
        let mut for_attempts = match options.deadline {
            Deadline::Attempts => options.deadline.limit(options.timeout),
            Deadline::Call(_) | Deadline::Unlimited => None,
        };
        let patience = Patience {
            clock,
            observers: &self.observers,
            deadline,
            longest_wait: options.retry.longest_wait(),
        };
        let left = || deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
        let mut before: Option<(A::Fault, Option<Draw<'_>>)> = None;
        loop {
            let turn = self.pace.turn(patience).await;
            let (fault, draw) = before
                .take()
                .map_or((None, None), |(fault, draw)| (Some(fault), draw));
            let may_leave = match (turn, &tries.watch) {
                (Ok(()), Some(watch)) if !watch.leaving().await => Err(NotNow::Forbidden),
                (turn, _) => turn,
            };
            if let Err(why) = may_leave {
                return Err(match fault {
                    Some(fault) => Ended::NotAgain(fault, why),
                    None => Ended::NotSent(why),
                });
            }
            if let Some(draw) = draw {
                draw.spend();
            }
            tries.count = tries.count.saturating_add(1);
            let limits = [left(), for_attempts].into_iter().flatten();
            let time = limits.fold(options.timeout, Duration::min);
            let began = clock.elapsed();
            let tried = self.try_once(attempt, tries.count, time).await;
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
                .next(&failed, tries.count, left, || (self.random)());
            self.hold_others(&failed, &next, options, tries.count);
            let (wait, cause) = match next {
                Next::Wait { wait, cause } => (wait, cause),
                Next::Stop(why) => {
                    tries.failed(&failed, None).await;
                    return Err(Ended::Failed(fault, why));
                }
            };
            let draw = if failed.status == Some(StatusCode::TOO_MANY_REQUESTS) {
                None
            } else {
                match self.budget.draw() {
                    Some(draw) => Some(draw),
                    None => {
                        tries.failed(&failed, None).await;
                        return Err(Ended::Failed(fault, GaveUp::BudgetSpent));
                    }
                }
            };
            tries.failed(&failed, Some(wait)).await;
            self.wait(cause, wait).await;
            before = Some((fault, draw));
        }
    }

    async fn try_once<A: Attempt + Send>(
        &self,
        attempt: &mut A,
        number: u32,
        time: Duration,
    ) -> Result<A::Success, A::Fault> {
        let guard = self
            .observers
            .try_started(&*self.clock, number, attempt.len());
        let span = TrySpan::new(&attempt.target(), number, attempt.len());
        let timer = Timer(self.clock.sleep(time));
        let read = attempt.send(timer).instrument(span.span()).await;
        match read {
            Ok(read) => {
                span.succeeded(read.status);
                guard.ended(TryEnd::Succeeded, read.status, read.bytes);
                Ok(read.value)
            }
            Err(read) => {
                let kind = A::failed(&read.value).kind;
                span.failed(kind, read.status);
                guard.ended(TryEnd::Failed(kind), read.status, read.bytes);
                Err(read.value)
            }
        }
    }

    /// Stops every call of the token for as long as the service asked, or for as long as this one waits if it said too
    /// many requests and no time.
    fn hold_others(&self, failed: &Failed, next: &Next, options: &CallOptions, tries: u32) {
        let pause = match (failed.asked_wait(), failed.kind) {
            (Some(asked), _) => asked,
            (None, ErrorKind::TooManyRequests) => match next {
                Next::Wait { wait, .. } => *wait,
                Next::Stop(_) => {
                    let own = options.retry.own_wait(tries, 0.0);
                    failed
                        .window_wait(&options.retry)
                        .map_or(own, |window| window.max(own))
                }
            },
            _ => return,
        };
        self.pace.pause(self.clock.elapsed().saturating_add(pause));
    }

    async fn wait(&self, cause: WaitCause, wait: Duration) {
        let _waiting = self.observers.wait_started(&*self.clock, cause, wait);
        self.clock.sleep(wait).await;
    }

    /// Takes in what the head of an answer says of the token's requests.
    pub(crate) fn heard(&self, headers: &HeaderMap) {
        self.pace
            .learn(RateLimit::from_headers(headers), self.clock.elapsed());
    }
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
            Box::pin(async move { *now.lock().expect("no panic") += duration + SECOND })
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
            pace: Pace::off(),
            budget: RetryBudget::unlimited(),
            observers: Observers::default(),
        };
        let options = CallOptions {
            retry: RetryPolicy::new().backoff(SECOND, SECOND),
            timeout: SECOND,
            deadline: Deadline::Call(SECOND * 3 / 2),
        };
        let mut tries = Tries::default();
        let ended = effects.call(&options, &mut Unconnected, &mut tries).await;
        assert!(matches!(
            ended,
            Err(Ended::NotAgain((), NotNow::DeadlineTooNear(_)))
        ));
        assert_eq!(tries.count, 1);
    }
}
