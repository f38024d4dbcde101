//! Events of a client for metrics: calls, attempts and waits.
//!
//! An [`Observer`] receives them. Each event carries the [`CallId`] of its call.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;

use crate::error::ErrorKind;
use crate::text::panic_text;
use crate::time::Clock;

/// Receives the events of a client. Each method does nothing by default.
///
/// Set it with [`ClientBuilder::observer`](crate::ClientBuilder::observer). The methods run on the task of the call, so
/// they should return quickly. If one panics, the client logs the panic at level ERROR and continues the call.
///
/// Each start event is followed by its end event, also if the call is dropped. No event contains a secret.
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
    /// Called when a call starts. Until its end, attempts and waits of concurrent calls may be reported too.
    fn call_started(&self, started: &CallStarted) {
        let _ = started;
    }

    /// Called when a call has ended.
    fn call_ended(&self, ended: &CallEnded) {
        let _ = ended;
    }

    /// Called before a request is sent.
    fn attempt_started(&self, started: &AttemptStarted) {
        let _ = started;
    }

    /// Called when the response was read or the attempt has failed.
    fn attempt_ended(&self, ended: &AttemptEnded) {
        let _ = ended;
    }

    /// Called when a call starts to wait.
    fn wait_started(&self, started: &WaitStarted) {
        let _ = started;
    }

    /// Called when a wait has ended.
    fn wait_ended(&self, ended: &WaitEnded) {
        let _ = ended;
    }

    /// Called before a bulk run writes to its journal, on a thread that may block.
    fn journal_write_started(&self, started: &JournalWriteStarted) {
        let _ = started;
    }

    /// Called after a bulk run has written to its journal, or was dropped meanwhile.
    fn journal_write_ended(&self, ended: &JournalWriteEnded) {
        let _ = ended;
    }
}

/// The id of a call. It is unique within the process and distinguishes the events of concurrent calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(u64);

impl CallId {
    fn next() -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        Self(CALLS.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the id as a number.
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

/// The start of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallStarted {
    /// The id of the call.
    pub call: CallId,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallEnded {
    /// The id of the call.
    pub call: CallId,
    /// The duration of the call, with all its attempts and waits.
    pub took: Duration,
}

/// The start of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptStarted {
    /// The id of the call.
    pub call: CallId,
    /// The number of the attempt within its call, counted from 1.
    pub number: u32,
    /// The size of the request's body in bytes.
    pub bytes_sent: u64,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttemptEnded {
    /// The id of the call.
    pub call: CallId,
    /// The number of the attempt within its call, counted from 1.
    pub number: u32,
    /// The result.
    pub end: AttemptEnd,
    /// The status of the response, or `None` without a response.
    pub status: Option<StatusCode>,
    /// The size of the request's body in bytes.
    pub bytes_sent: u64,
    /// How many bytes of the response's body were read, after decompression.
    pub bytes_received: u64,
    /// The duration of the attempt.
    pub took: Duration,
}

/// The result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptEnd {
    /// The attempt returned a valid response with status 200.
    Succeeded,
    /// The attempt failed with an error of this kind.
    Failed(ErrorKind),
    /// The call was dropped during the attempt.
    Dropped,
}

impl AttemptEnd {
    /// Returns `succeeded`, `dropped`, or for a failure [`ErrorKind::as_str`]. The name is stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(kind) => kind.as_str(),
            Self::Dropped => "dropped",
        }
    }
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

/// The start of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitStarted {
    /// The id of the call.
    pub call: CallId,
    /// The cause of the wait.
    pub cause: WaitCause,
    /// The expected duration. A wait for the rate limiter can become shorter or longer.
    pub expected: Duration,
}

/// The end of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitEnded {
    /// The id of the call.
    pub call: CallId,
    /// The cause of the wait.
    pub cause: WaitCause,
    /// The duration of the wait.
    pub waited: Duration,
}

/// A bulk run begins to write to its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalWriteStarted {}

/// A bulk run has written to its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalWriteEnded {
    /// How long the run has waited for the write, and for the disk if [`fsync`](crate::bulk::Bulk::fsync) is set.
    pub took: Duration,
}

/// The cause of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitCause {
    /// The [`RateLimiter`](crate::RateLimiter) delays the request.
    RateLimit,
    /// The service requested the wait, for example with `Retry-After`.
    RetryAfter,
    /// The back-off of the [`RetryPolicy`](crate::RetryPolicy) before a retry.
    Backoff,
}

impl WaitCause {
    /// Returns the cause in lower case with dashes, such as `retry-after`. The name is stable, and traces contain it.
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
            Self::RateLimit => "for the rate limiter",
            Self::RetryAfter => "because the service requested a wait",
            Self::Backoff => "before another attempt",
        })
    }
}

/// The observers of a client. A panic of an observer does not reach the call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Returns these observers and one more.
    pub(crate) fn and(&self, observer: Arc<dyn Observer>) -> Self {
        let mut all = self.0.clone();
        all.push(observer);
        Self(all)
    }

    fn notify(&self, notify: impl Fn(&dyn Observer)) {
        for observer in &self.0 {
            // Unwind safe: an observer has no access to the client's state.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| notify(&**observer))) {
                let panic = panic_text(&*panic).unwrap_or_default();
                tracing::error!(?observer, panic, "an observer panicked");
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
            });
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

    pub(crate) fn write_started<'a>(&'a self, clock: &'a dyn Clock) -> WriteGuard<'a> {
        self.notify(|observer| observer.journal_write_started(&JournalWriteStarted {}));
        WriteGuard {
            observers: self,
            clock,
            started: clock.elapsed(),
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
            });
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

/// Reports the end of a call when dropped.
#[must_use]
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

/// Reports the end of an attempt when dropped: [`AttemptEnd::Dropped`], unless `ended` was called.
#[must_use]
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

/// Reports the end of a wait when dropped.
#[must_use]
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

/// Reports the end of a write to a journal when dropped.
#[must_use]
pub(crate) struct WriteGuard<'a> {
    observers: &'a Observers,
    clock: &'a dyn Clock,
    started: Duration,
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        let took = self.clock.elapsed().saturating_sub(self.started);
        let ended = JournalWriteEnded { took };
        self.observers
            .notify(|observer| observer.journal_write_ended(&ended));
    }
}
