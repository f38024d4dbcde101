//! Virtual time, which advances only when all clients wait.

mod drive;
mod state;
mod timer;
mod within;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{Guard, Sleep, Time};
use state::Shared;
use timer::Timer;

pub use drive::Stalled;
pub use state::Counts;

/// 2026-01-01T00:00:00Z, in seconds from the epoch.
const START: u64 = 1_767_225_600;

/// A virtual time that a client, a server and a test share. It advances only when all of them wait: two hours take a
/// millisecond, and each wait ends at its exact instant.
///
/// The client under test uses it as its clock, with [`now`](Self::now), [`elapsed`](Self::elapsed) and
/// [`sleep`](Self::sleep), and reports its calls, requests and waits: by [`call_started`](Self::call_started) and the
/// methods below it, or by [`caller`](Self::caller), [`attempt`](Self::attempt) and [`waiting`](Self::waiting). The
/// server uses it by [`Core::with_time`](crate::Core::with_time). Time advances when
///
/// - each caller waits or has a request in flight,
/// - the server has read each request in flight and holds it on purpose: for latency, silence or a dripping body,
/// - each task that was woken has been polled.
///
/// Then time jumps to the earliest timer and fires it alone; timers of one instant fire in the order of creation.
/// All effects of a timer, over the network and back, are complete before the next one fires. Every run of a test has
/// the same instants.
///
/// Time advances within [`run`](Self::run), on a current-thread runtime of tokio. Tokio's paused clock does not fit: it
/// jumps whenever no task is ready, even while a response is on its way through a socket.
///
/// Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use webflow_cms_reference::VirtualTime;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let time = VirtualTime::new();
/// let (first, second) = time
///     .run(async {
///         let wait = async |seconds| {
///             time.pause(Duration::from_secs(seconds)).await;
///             time.elapsed()
///         };
///         tokio::join!(wait(7_200), wait(60))
///     })
///     .await;
/// assert_eq!((first.as_secs(), second.as_secs()), (7_200, 60));
/// # }
/// ```
#[derive(Clone, Default)]
pub struct VirtualTime(Arc<Shared>);

impl VirtualTime {
    /// Creates a time at its start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.look(|state| state.now)
    }

    /// The time of day. It starts at midnight on 1 January 2026, UTC.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(START) + self.elapsed()
    }

    /// Registers a call, from its first poll until it is ready or dropped. Time does not advance while the call works.
    /// A nested call is part of the outer one.
    pub fn caller<F: Future>(&self, call: F) -> impl Future<Output = F::Output> + use<F> {
        let time = self.clone();
        async move {
            let _caller = (!within::a_call()).then(|| time.count(|counts| &mut counts.callers));
            let mut call = pin!(call);
            poll_fn(|context| within::call(|| call.as_mut().poll(context))).await
        }
    }

    /// A wait of the test itself, for example before it drops a call or changes a limit.
    pub fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        let (time, sleep) = (self.clone(), self.timer(duration));
        self.caller(async move {
            let _waiting = time.waiting();
            sleep.await;
        })
    }

    /// Marks a request as in flight until the guard is dropped, for clients without an observer.
    pub fn attempt(&self) -> CountGuard {
        self.0.change(|state| state.started += 1);
        self.count(|counts| &mut counts.in_flight)
    }

    /// Marks a caller as waiting until the guard is dropped, for clients without an observer.
    pub fn waiting(&self) -> CountGuard {
        self.count(|counts| &mut counts.waiting)
    }

    /// The current counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.look(state::State::counts)
    }

    fn count(&self, what: fn(&mut Counts) -> &mut i64) -> CountGuard {
        self.0.change(|state| *what(&mut state.counts) += 1);
        CountGuard {
            shared: Arc::clone(&self.0),
            what,
        }
    }

    /// A sleep of a client's clock: ready this long after the call.
    #[must_use]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(self.timer(duration))
    }

    fn timer(&self, duration: Duration) -> Timer {
        Timer::new(Arc::clone(&self.0), duration)
    }

    /// Records that a call starts. `call` is a number that no other running call has. A nested call is part of the
    /// outer one.
    ///
    /// This method and the five below are hooks for the observer of a client, whose calls then need no
    /// [`caller`](Self::caller) around them.
    pub fn call_started(&self, call: u64) {
        if !within::a_call() {
            self.0.change(|state| {
                state.calls.insert(call);
                state.counts.callers += 1;
            });
        }
    }

    /// Records that a call has ended or was dropped.
    pub fn call_ended(&self, call: u64) {
        self.0.change(|state| {
            if state.calls.remove(&call) {
                state.counts.callers -= 1;
            }
        });
    }

    /// Records that a request is about to be sent.
    pub fn request_started(&self) {
        self.0.change(|state| {
            state.started += 1;
            state.counts.in_flight += 1;
        });
    }

    /// Records that a response was read, or that none will come.
    pub fn request_ended(&self) {
        self.0.change(|state| state.counts.in_flight -= 1);
    }

    /// Records that the client begins to work beside its calls, such as writing to a file on another thread.
    pub fn work_started(&self) {
        self.0.change(|state| state.counts.callers += 1);
    }

    /// Records that the client has ended such work.
    pub fn work_ended(&self) {
        self.0.change(|state| state.counts.callers -= 1);
    }

    /// Records that a call starts to wait.
    pub fn wait_started(&self) {
        self.0.change(|state| state.counts.waiting += 1);
    }

    /// Records that a call has stopped waiting.
    pub fn wait_ended(&self) {
        self.0.change(|state| state.counts.waiting -= 1);
    }
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualTime")
            .field("elapsed", &self.elapsed())
            .field("counts", &self.counts())
            .finish()
    }
}

/// A guard that is counted until dropped.
#[must_use = "counted until it is dropped"]
pub struct CountGuard {
    shared: Arc<Shared>,
    what: fn(&mut Counts) -> &mut i64,
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.shared
            .change(|state| *(self.what)(&mut state.counts) -= 1);
    }
}

impl fmt::Debug for CountGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountGuard").finish_non_exhaustive()
    }
}

impl Time for VirtualTime {
    fn now(&self) -> SystemTime {
        self.now()
    }

    fn elapsed(&self) -> Duration {
        self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(self.timer(duration))
    }

    fn arrived(&self) -> Guard {
        self.0.change(|state| state.arrived += 1);
        Box::new(self.count(|counts| &mut counts.open))
    }

    fn held(&self) -> Guard {
        Box::new(self.count(|counts| &mut counts.held))
    }
}
