//! The state of a virtual time, and whether it may advance.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Counts of callers, requests and timers at one moment. All are zero when everything has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls and pauses that are being polled.
    pub callers: i64,
    /// Callers that wait.
    pub waiting: i64,
    /// Requests in flight, as the clients see it.
    pub in_flight: i64,
    /// Requests that the server has read and whose connections the clients have not closed.
    pub open: i64,
    /// Requests that the server holds on purpose.
    pub held: i64,
    /// Timers that have not fired.
    pub timers: i64,
    /// Timers that have fired and whose owners were not polled since.
    pub fired: i64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) now: Duration,
    /// All counts but those of timers, which are computed.
    pub(super) counts: Counts,
    /// Number of attempts that were started.
    pub(super) started: u64,
    /// Number of attempts that reached the server. An attempt that is dropped early never does.
    pub(super) arrived: u64,
    /// By instant, and by order of creation within one instant.
    timers: BTreeMap<(Duration, u64), Option<Waker>>,
    /// Fired timers, and whether each woke a task.
    fired: BTreeMap<u64, bool>,
    created: u64,
    /// Changes with every event.
    version: u64,
    driver: Option<Waker>,
    /// The calls that clients have reported and that count as callers.
    pub(super) calls: HashSet<u64>,
}

/// Whether time may advance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// A task is at work, or there is no timer.
    Busy,
    /// All callers wait.
    Idle,
    /// All callers wait, but the task that was woken last has not polled its timer yet.
    Woken,
    /// All callers wait by the counts, which also say that a request was lost on its way. A lost request may be counted
    /// in place of one that has yet to arrive.
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
        // A connection stays open while its attempt is in flight. So once all attempts have arrived, equal counts mean
        // that the held requests are those in flight, and none that a client has abandoned.
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

    /// Stops expecting requests that did not arrive.
    pub(super) fn forget_lost(&mut self) {
        self.arrived = self.started;
    }

    /// Advances to the earliest timer. Returns the waker of its owner.
    fn fire(&mut self) -> Option<Waker> {
        let ((at, timer), waker) = self.timers.pop_first()?;
        self.now = at;
        self.fired.insert(timer, waker.is_some());
        if self.counts.in_flight == 0 {
            self.forget_lost();
        }
        waker
    }

    /// Adds a timer for a future instant.
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

    /// Records an event. Wake the returned driver after releasing the lock.
    fn changed(&mut self) -> Option<Waker> {
        self.version += 1;
        self.driver.take()
    }

    /// The instant of the earliest timer.
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

    /// Changes the state and wakes the driver.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, driver) = {
            let mut state = self.lock();
            (change(&mut state), state.changed())
        };
        // Not under the lock: a waker may run code of its owner that reads the time.
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

    /// Ready when the timer has fired.
    pub(super) fn poll_timer(&self, at: Duration, timer: u64, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let fired = state.fired.remove(&timer).is_some();
        let waker = state.timers.get_mut(&(at, timer));
        let known = |waker: &Waker| waker.will_wake(context.waker());
        let old = match waker {
            // Futures that are polled together poll all their timers whenever one of them is woken. That is no event.
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

    /// Advances to the earliest timer and wakes its owner.
    pub(super) fn pass(&self) {
        if let Some(waker) = self.change(State::fire) {
            waker.wake();
        }
    }

    /// A panic under the lock leaves no partial change, so a poisoned lock is used like any other.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
