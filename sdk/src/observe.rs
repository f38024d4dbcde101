//! What a client tells of its work while it is at it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::error::ErrorKind;
use crate::time::Clock;

/// Hears of every try and every wait of a client, for metrics. Each method does nothing unless written.
///
/// What it hears holds no secret. It is called on the way of the request, so it should be quick; if it panics, the
/// request goes on.
///
/// Each start is followed by its end, also when the call is dropped in between.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use webflow_cms::observe::{AttemptEnded, Observer};
///
/// #[derive(Debug, Default)]
/// struct Sent(AtomicU64);
///
/// impl Observer for Sent {
///     fn attempt_ended(&self, ended: &AttemptEnded) {
///         self.0.fetch_add(ended.bytes_sent, Ordering::Relaxed);
///     }
/// }
/// ```
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// A call begins. What follows of tries and waits until its end may be of other calls at the same time.
    fn call_started(&self, started: &CallStarted) {
        let _ = started;
    }

    /// A call is over.
    fn call_ended(&self, ended: &CallEnded) {
        let _ = ended;
    }

    /// A request is about to be sent.
    fn attempt_started(&self, started: &AttemptStarted) {
        let _ = started;
    }

    /// The answer was read, or there will be none.
    fn attempt_ended(&self, ended: &AttemptEnded) {
        let _ = ended;
    }

    /// A call begins to wait.
    fn wait_started(&self, started: &WaitStarted) {
        let _ = started;
    }

    /// A call has waited.
    fn wait_ended(&self, ended: &WaitEnded) {
        let _ = ended;
    }
}

/// The id of a call, by which the events of concurrent calls are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    fn next() -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        Self(CALLS.fetch_add(1, Ordering::Relaxed))
    }

    /// The id as a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A call begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallStarted {
    /// The id of the call. No other call of this process has it.
    pub call: CallId,
}

/// A call is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallEnded {
    /// The id of the call.
    pub call: CallId,
    /// How long it took, with all its tries and waits.
    pub took: Duration,
}

/// A request is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptStarted {
    /// The id of the call.
    pub call: CallId,
    /// The number of the try within its call, counted from 1.
    pub number: u32,
    /// The length of the request's body in bytes.
    pub bytes_sent: u64,
}

/// A try is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptEnded {
    /// The id of the call.
    pub call: CallId,
    /// The number of the try within its call, counted from 1.
    pub number: u32,
    /// How it ended.
    pub end: AttemptEnd,
    /// The status of the answer, if there was one.
    pub status: Option<StatusCode>,
    /// The length of the request's body in bytes.
    pub bytes_sent: u64,
    /// How many bytes of the answer's body were read, decoded.
    pub bytes_received: u64,
    /// How long it took.
    pub took: Duration,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptEnd {
    /// With the documented answer.
    Succeeded,
    /// With an error of this kind.
    Failed(ErrorKind),
    /// The call was dropped.
    Dropped,
}

impl fmt::Display for AttemptEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => formatter.write_str("succeeded"),
            Self::Failed(kind) => write!(formatter, "failed: {kind}"),
            Self::Dropped => formatter.write_str("dropped"),
        }
    }
}

/// A call begins to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitStarted {
    /// The id of the call.
    pub call: CallId,
    /// Why.
    pub cause: WaitCause,
    /// How long, as it looks now. A wait for the pace can become shorter or longer.
    pub expected: Duration,
}

/// A call has waited.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitEnded {
    /// The id of the call.
    pub call: CallId,
    /// Why.
    pub cause: WaitCause,
    /// How long it was.
    pub waited: Duration,
}

/// Why a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitCause {
    /// For its turn among the requests of the token, which are spread over the minute.
    RateLimit,
    /// Because the service asked for a wait with `Retry-After`.
    RetryAfter,
    /// Before another try, for a time of our own choice.
    Backoff,
}

impl WaitCause {
    /// The cause in lower case, with a dash in `retry-after`. It is stable, and the name that traces have.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate-limit",
            Self::RetryAfter => "retry-after",
            Self::Backoff => "backoff",
        }
    }
}

impl fmt::Display for WaitCause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::RateLimit => "for its turn among the requests of the token",
            Self::RetryAfter => "because the service asked for a wait",
            Self::Backoff => "before another attempt",
        })
    }
}

/// Who is told. A panic of theirs stays with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// These, and one more.
    pub(crate) fn and(&self, observer: Arc<dyn Observer>) -> Self {
        let mut all = self.0.clone();
        all.push(observer);
        Self(all)
    }

    fn notify(&self, notify: impl Fn(&dyn Observer)) {
        for observer in &self.0 {
            // Nothing of ours is in the hands of an observer, so its panic leaves nothing half-changed.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| notify(&**observer))) {
                let message = message_of(&*panic);
                tracing::error!(?observer, message, "an observer panicked");
            }
        }
    }

    pub(crate) fn call_started<'a>(&'a self, clock: &'a dyn Clock) -> CallGuard<'a> {
        let call = CallId::next();
        self.notify(|observer| observer.call_started(&CallStarted { call }));
        CallGuard {
            observers: self,
            clock,
            call,
            started: clock.elapsed(),
        }
    }

    pub(crate) fn attempt_started<'a>(
        &'a self,
        clock: &'a dyn Clock,
        call: CallId,
        number: u32,
        bytes_sent: u64,
    ) -> AttemptGuard<'a> {
        self.notify(|observer| {
            observer.attempt_started(&AttemptStarted {
                call,
                number,
                bytes_sent,
            })
        });
        AttemptGuard {
            observers: self,
            clock,
            started: clock.elapsed(),
            ended: AttemptEnded {
                call,
                number,
                end: AttemptEnd::Dropped,
                status: None,
                bytes_sent,
                bytes_received: 0,
                took: Duration::ZERO,
            },
        }
    }

    pub(crate) fn wait_started<'a>(
        &'a self,
        clock: &'a dyn Clock,
        call: CallId,
        cause: WaitCause,
        expected: Duration,
    ) -> WaitGuard<'a> {
        tracing::debug!(cause = cause.as_str(), ?expected, "waiting");
        self.notify(|observer| {
            observer.wait_started(&WaitStarted {
                call,
                cause,
                expected,
            })
        });
        WaitGuard {
            observers: self,
            clock,
            call,
            cause,
            started: clock.elapsed(),
        }
    }
}

/// The message of a panic.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// Reports the end of a call when dropped.
pub(crate) struct CallGuard<'a> {
    observers: &'a Observers,
    clock: &'a dyn Clock,
    call: CallId,
    started: Duration,
}

impl CallGuard<'_> {
    pub(crate) fn id(&self) -> CallId {
        self.call
    }
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        let ended = CallEnded {
            call: self.call,
            took: self.clock.elapsed().saturating_sub(self.started),
        };
        self.observers
            .notify(|observer| observer.call_ended(&ended));
    }
}

/// Tells the end of a try when it goes, as dropped unless it was told otherwise.
pub(crate) struct AttemptGuard<'a> {
    observers: &'a Observers,
    clock: &'a dyn Clock,
    started: Duration,
    ended: AttemptEnded,
}

impl AttemptGuard<'_> {
    pub(crate) fn ended(
        mut self,
        end: AttemptEnd,
        status: Option<StatusCode>,
        bytes_received: u64,
    ) {
        self.ended.end = end;
        self.ended.status = status;
        self.ended.bytes_received = bytes_received;
    }
}

impl Drop for AttemptGuard<'_> {
    fn drop(&mut self) {
        self.ended.took = self.clock.elapsed().saturating_sub(self.started);
        self.observers
            .notify(|observer| observer.attempt_ended(&self.ended));
    }
}

/// Tells the end of a wait when it goes.
pub(crate) struct WaitGuard<'a> {
    observers: &'a Observers,
    clock: &'a dyn Clock,
    call: CallId,
    cause: WaitCause,
    started: Duration,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let ended = WaitEnded {
            call: self.call,
            cause: self.cause,
            waited: self.clock.elapsed().saturating_sub(self.started),
        };
        self.observers
            .notify(|observer| observer.wait_ended(&ended));
    }
}
