//! The token bucket that the service may have: whether it has one, and how many requests it holds at least.

use std::time::Duration;

use super::limits::{Limits, MARGIN, MINUTE};

/// How much of a token is left out of account, since a level is a sum of fractions.
const HAIR: f64 = 1e-6;

/// The lowest level that a bucket of the service's limit would have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// `None` until a response decides it.
    is_one: Option<bool>,
    level: f64,
    at: Duration,
    /// Whether it may be full until the next response, so that nothing runs into it before.
    is_full: bool,
    /// The most that it was seen to hold.
    capacity: f64,
    start: Start,
}

/// The requests since a minute without any.
#[derive(Clone, Copy, Debug)]
struct Start {
    began: Option<Duration>,
    /// How many requests had been sent when the first response came.
    sent: Option<u64>,
    /// Whether one of those was the first that the service counted.
    was_first: bool,
    /// Whether more was used than by us.
    has_others: bool,
    /// How many responses gave a number of remaining requests for the second time.
    repeated: u64,
}

/// A response, and what it is compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Response {
    /// The request's place among all requests.
    pub(super) number: u64,
    /// The lowest level after it was sent.
    pub(super) level: f64,
    /// How many requests have been sent in all.
    pub(super) sent: u64,
    /// How many of them have no response yet.
    pub(super) in_flight: u64,
    /// How many may have arrived in the minute before it was processed, this one included.
    pub(super) counted: u64,
    pub(super) remaining: u64,
    pub(super) is_refused: bool,
    /// Whether an earlier response gave the same number since the start.
    pub(super) is_repeated: bool,
    /// How many requests are left at least.
    pub(super) left: u64,
}

impl Bucket {
    pub(super) const fn new() -> Self {
        Self {
            is_one: None,
            level: 0.0,
            at: Duration::ZERO,
            is_full: false,
            capacity: 0.0,
            start: Start::new(None),
        }
    }

    /// A request is about to be sent after a minute without any.
    pub(super) fn begin(&mut self, now: Duration) {
        self.start = Start::new(Some(now));
    }

    /// When the first request was sent after a minute without any.
    pub(super) fn began(&self) -> Option<Duration> {
        self.start.began
    }

    /// Whether more was used than by us, since a minute without any of our requests.
    pub(super) fn has_others(&self) -> bool {
        self.start.has_others
    }

    /// Whether the window began with a request of ours, and nobody else has been seen to use it.
    pub(super) fn is_alone(&self, now: Duration) -> bool {
        let is_first_minute = |began: Duration| now < began.saturating_add(MINUTE);
        let is_first_minute = self.start.began.is_some_and(is_first_minute);
        is_first_minute && self.start.was_first && !self.start.has_others
    }

    /// Whether the service was seen to have a bucket.
    pub(super) fn is_one(&self) -> bool {
        self.is_one == Some(true)
    }

    /// How many requests it holds.
    pub(super) fn level(&self, now: Duration, limits: &Limits) -> u64 {
        whole(self.level_at(now, limits))
    }

    /// When it holds so many requests and one more.
    pub(super) fn refills(&self, place: u64, now: Duration, limits: &Limits) -> Duration {
        let missing = (float(place) + 1.0 + HAIR - self.level_at(now, limits)).max(0.0);
        let wait = Duration::try_from_secs_f64(missing / a_second(limits)).unwrap_or(MINUTE);
        now.saturating_add(wait)
    }

    /// A request leaves. The level after it.
    pub(super) fn take(&mut self, now: Duration, limits: &Limits) -> f64 {
        let level = self.level_at(now, limits);
        self.is_full |= level >= self.capacity;
        self.level = (level - 1.0).max(0.0);
        self.at = now;
        self.level
    }

    /// Takes in a response.
    pub(super) fn learn(&mut self, response: &Response, now: Duration, limits: &Limits) {
        if limits.is_share {
            return;
        }
        let later = response.sent.saturating_sub(response.number + 1);
        if response.remaining < whole(response.level - float(later)) {
            self.is_one = Some(false);
        }
        let comes_back = self.start.comes_back(response, now, limits);
        if self.is_one.is_none() && comes_back {
            self.is_one = Some(true);
        }
        let (level, left) = (self.level_at(now, limits), float(response.left));
        self.level = match self.is_one {
            Some(false) => left,
            _ => level.max(left),
        };
        self.capacity = self.capacity.max(float(response.remaining) + 1.0);
        self.at = now;
        self.is_full = false;
    }

    fn level_at(&self, now: Duration, limits: &Limits) -> f64 {
        if self.is_full {
            return self.level;
        }
        let gained = now.saturating_sub(self.at).as_secs_f64() * a_second(limits);
        (self.level + gained).min(self.capacity)
    }
}

impl Start {
    const fn new(began: Option<Duration>) -> Self {
        Self {
            began,
            sent: None,
            was_first: false,
            has_others: false,
            repeated: 0,
        }
    }

    /// Whether a response shows that a request came back alone, in the first minute of a token that nobody else uses.
    ///
    /// A window gives each number of remaining requests once, from the limit downward. After its end it does so again,
    /// and then all the numbers above come twice as well.
    fn comes_back(&mut self, response: &Response, now: Duration, limits: &Limits) -> bool {
        let sent = *self.sent.get_or_insert(response.sent);
        self.was_first |=
            response.number < sent && response.remaining.saturating_add(1) == limits.service;
        let ours = response.in_flight + response.counted;
        self.has_others |=
            response.is_refused || response.remaining.saturating_add(ours) < limits.service;
        let is_first_minute = |began: Duration| now < began.saturating_add(MINUTE);
        if self.has_others || !self.began.is_some_and(is_first_minute) || !response.is_repeated {
            return false;
        }
        self.repeated += 1;
        let above = limits.service.saturating_sub(response.remaining);
        self.was_first && above > self.repeated + response.in_flight
    }
}

/// How many requests come back in a second, by a clock that may be slow.
fn a_second(limits: &Limits) -> f64 {
    float(limits.service) / (MINUTE + MARGIN).as_secs_f64()
}

fn float(number: u64) -> f64 {
    number as f64
}

/// The whole requests in a level.
fn whole(level: f64) -> u64 {
    (level - HAIR).max(0.0).floor() as u64
}
