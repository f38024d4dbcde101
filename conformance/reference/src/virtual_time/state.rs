//! What a virtual time knows, and whether it may pass.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Who is where at a moment. All are zero when everything is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls and pauses that are being polled.
    pub callers: i64,
    /// Callers that wait.
    pub waiting: i64,
    /// Requests that are under way, as the clients see it.
    pub in_flight: i64,
    /// Requests that the server has read, and whose connections the clients have not closed.
    pub open: i64,
    /// Requests that the server holds on purpose.
    pub held: i64,
    /// Timers that have not fired.
    pub timers: i64,
    /// Timers that have fired, and whose owners were not polled since.
    pub fired: i64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) now: Duration,
    /// Everything but timers, which know themselves.
    pub(super) counts: Counts,
    /// How many attempts were started, ever.
    pub(super) started: u64,
    /// How many of them the server has seen. A try that is dropped early never gets there.
    pub(super) arrived: u64,
    /// By instant, and by order of creation within one.
    timers: BTreeMap<(Duration, u64), Option<Waker>>,
    /// Fired timers, and whether they woke anybody.
    fired: BTreeMap<u64, bool>,
    created: u64,
    /// Changes with everything that happens.
    version: u64,
    driver: Option<Waker>,
    /// The calls that clients have reported of and that are counted as callers.
    pub(super) calls: HashSet<u64>,
}

/// Whether time may pass, as things look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Somebody is at work, or nobody waits for a time.
    Busy,
    /// Everybody waits.
    Idle,
    /// Everybody waits, but whoever was woken last has not looked at the time yet.
    Woken,
    /// The counts say that everybody waits, and also that a request was lost on its way. So a lost one may be counted in
    /// place of one that has yet to arrive.
    Lost,
}

impl State {
    pub(super) fn counts(&self) -> Counts {
        let count = |length| i64::try_from(length).unwrap_or(i64::MAX);
        Counts {
            timers: count(self.timers.len()),
            fired: count(self.fired.len()),
            ..self.counts
        }
    }

    pub(super) fn outlook(&self) -> Outlook {
        let Counts {
            callers,
            waiting,
            in_flight,
            open,
            held,
            ..
        } = self.counts;
        // A connection stays open as long as its try is in flight. So once all attempts have arrived, equal counts mean that
        // the requests which are held are those in flight, and none that a client has given up.
        let idle = waiting + in_flight == callers && in_flight == open && open == held;
        if !idle || self.timers.is_empty() {
            Outlook::Busy
        } else if in_flight > 0 && self.arrived != self.started {
            Outlook::Lost
        } else if self.fired.values().any(|woke| *woke) {
            Outlook::Woken
        } else {
            Outlook::Idle
        }
    }

    /// Gives up on requests that did not arrive.
    pub(super) fn forget_lost(&mut self) {
        self.arrived = self.started;
    }

    /// Goes to the earliest timer. Whom to wake.
    fn fire(&mut self) -> Option<Waker> {
        let ((at, timer), waker) = self.timers.pop_first()?;
        self.now = at;
        self.fired.insert(timer, waker.is_some());
        if self.counts.in_flight == 0 {
            self.forget_lost();
        }
        waker
    }

    /// A new timer for an instant to come.
    pub(super) fn add_timer(&mut self, at: Duration) -> u64 {
        let timer = self.created;
        self.created += 1;
        self.timers.insert((at, timer), None);
        timer
    }

    pub(super) fn remove_timer(&mut self, at: Duration, timer: u64) -> Option<Waker> {
        self.fired.remove(&timer);
        self.timers.remove(&(at, timer)).flatten()
    }

    /// Notes that something has changed. The driver is to be woken, once the lock is free.
    fn changed(&mut self) -> Option<Waker> {
        self.version += 1;
        self.driver.take()
    }

    /// When the earliest timer fires.
    pub(super) fn next(&self) -> Option<Duration> {
        self.timers.keys().next().map(|(at, _)| *at)
    }
}

#[derive(Default)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state, and tells the driver.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, driver) = {
            let mut state = self.lock();
            (change(&mut state), state.changed())
        };
        // Not under the lock: a waker can run whatever its owner likes, and that may look at the time.
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    pub(super) fn version(&self) -> u64 {
        self.look(|state| state.version)
    }

    /// Ready when anything has changed since this version.
    pub(super) fn poll_changed(&self, version: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.version != version {
            return Poll::Ready(());
        }
        state.driver = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether the timer has fired.
    pub(super) fn poll_timer(&self, at: Duration, timer: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let fired = state.fired.remove(&timer).is_some();
        let waker = state.timers.get_mut(&(at, timer));
        let known = |waker: &Waker| waker.will_wake(context.waker());
        let old = match waker {
            // Futures that are polled together look at their timers each time that one of them is woken. That is no news.
            Some(waker) if waker.as_ref().is_some_and(known) => return Poll::Pending,
            Some(waker) => waker.replace(context.waker().clone()),
            None => None,
        };
        let driver = state.changed();
        drop(state);
        drop(old);
        if let Some(driver) = driver {
            driver.wake();
        }
        if fired {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Goes to the earliest timer and wakes its owner.
    pub(super) fn pass(&self) {
        if let Some(waker) = self.change(State::fire) {
            waker.wake();
        }
    }

    /// Nothing is left half-changed by a panic under the lock, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
