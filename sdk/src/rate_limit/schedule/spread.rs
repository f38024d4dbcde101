//! The even schedule: requests leave equally far apart, whatever is left of the window.

use std::collections::VecDeque;
use std::time::Duration;

use super::limits::{Limits, MINUTE};

/// For how long our own requests may be in the count that the service reports: its minute, and the time in flight.
const COUNTED: Duration = Duration::from_secs(62);

/// How many responses back the fall of the remaining requests is looked for.
const COMPARED: usize = 8;

/// A fall by this many is no accident of responses that overtake each other.
const FALL: u64 = 3;

/// The requests of one token, and what their responses said of the use of others.
#[derive(Debug)]
pub(super) struct Spread {
    /// The distance that is kept while others use the requests up.
    yielding: Option<Duration>,
    last: Option<Duration>,
    /// When our own requests left, as far as they may still count.
    sent: VecDeque<Duration>,
    /// The last numbers of remaining requests.
    reported: VecDeque<u64>,
}

impl Spread {
    pub(super) const fn new() -> Self {
        Self {
            yielding: None,
            last: None,
            sent: VecDeque::new(),
            reported: VecDeque::new(),
        }
    }

    /// How far apart two requests leave.
    pub(super) fn interval(&self, even: Duration) -> Duration {
        self.yielding.map_or(even, |interval| interval.max(even))
    }

    /// When the next request may leave.
    pub(super) fn next(&self, even: Duration) -> Duration {
        self.last.map_or(Duration::ZERO, |last| {
            last.saturating_add(self.interval(even))
        })
    }

    /// A request leaves.
    pub(super) fn send(&mut self, now: Duration) {
        self.last = Some(now);
        self.forget(now);
        self.sent.push_back(now);
    }

    /// What remained of another limit says nothing of the new one.
    pub(super) fn limit_changed(&mut self) {
        self.reported.clear();
        self.yielding = None;
    }

    /// Takes in how many requests are left.
    ///
    /// If others use up requests that are due to us, what remains is spread over a whole minute, since the count may
    /// begin anew only then. Two signs together show that: more is missing than we have sent and they are due; and it
    /// gets less (with a token bucket smaller than the limit, much is missing all the time, and stays so).
    pub(super) fn learn(&mut self, remaining: u64, now: Duration, limits: &Limits) {
        self.forget(now);
        let last = self.reported.back();
        if last.is_some_and(|last| remaining > last.saturating_add(FALL)) {
            self.reported.clear();
        }
        let highest = self.reported.iter().copied().max().unwrap_or(remaining);
        self.reported.push_back(remaining);
        if self.reported.len() > COMPARED {
            self.reported.pop_front();
        }
        let sent = u64::try_from(self.sent.len()).unwrap_or(u64::MAX);
        let missing = limits
            .service
            .saturating_sub(remaining)
            .saturating_sub(sent);
        let others = missing > limits.due_to_others();
        let falls = highest.saturating_sub(remaining) >= FALL || self.yielding.is_some();
        let left = u32::try_from(remaining.max(1)).unwrap_or(u32::MAX);
        self.yielding = (others && falls).then(|| MINUTE / left);
    }

    fn forget(&mut self, now: Duration) {
        while self
            .sent
            .front()
            .is_some_and(|sent| sent.saturating_add(COUNTED) < now)
        {
            self.sent.pop_front();
        }
    }
}
