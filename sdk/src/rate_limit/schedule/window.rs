//! The window schedule: spends what is left of a window at once, then waits for requests to come back.
//!
//! Webflow counts in a fixed window of 60 seconds, but nothing here depends on that. A request leaves for one of four
//! reasons, and each of them holds under a fixed window of any phase, a sliding window and a token bucket alike:
//!
//! - *Remaining.* A response said how many requests are left. Until the next response, that number less the requests in
//!   flight can only be too low, since a count comes back but is never taken away by time. The service processes
//!   requests in an order of its own, so the lowest number counts among the responses that may be the last processed.
//! - *The minute's count.* Fewer requests than the limit can have arrived in the last 60 seconds. A request counts
//!   until 60 seconds after its response, because it arrived before that. If a response of the last minute says how
//!   many requests are left, only those count as free that were left then or have come back since.
//! - *The window's end.* Nothing is left, nothing is in flight, and the wait that the last response gave is over. One
//!   request finds out.
//! - *Refill.* The service has been seen to hand requests back one by one, as a token bucket does.
//!
//! A request that no response vouches for is unconfirmed. At most [`UNCONFIRMED`] of these are in flight, beyond which
//! they leave as far apart as the even schedule has them.

use std::collections::VecDeque;
use std::time::Duration;

use super::bucket::{Bucket, Response};
use super::countdown::{Countdown, ROUNDING};
use super::limits::{FINEST, GRACE, Limits, MARGIN, MINUTE, Reported, Ticket, times};

/// How many requests may be in flight without a response that vouches for them: as many as a bulk run has by default.
pub(super) const UNCONFIRMED: u64 = 4;

/// Why a request leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// A response said that so many are left.
    Remaining,
    /// It follows from the responses so far.
    Inferred,
    /// No response of the last minute says anything.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    ticket: Ticket,
    /// Its place among all requests.
    number: u64,
    sent: Duration,
    basis: Basis,
    /// What the bucket held at the least after this one was sent.
    level: f64,
}

/// Requests that may count for a minute from now on.
#[derive(Clone, Copy, Debug)]
struct Counted {
    sent: Duration,
    received: Duration,
    /// What the response said. `None` if the request was refused, too.
    remaining: Option<u64>,
}

/// A response that may be the last that the service processed.
#[derive(Clone, Copy, Debug)]
struct Latest {
    sent: Duration,
    received: Duration,
    remaining: u64,
    /// When the wait that it gave is over.
    ends: Option<Duration>,
}

/// The requests of one token, and what their responses said. All times are of one clock.
#[derive(Debug)]
pub(super) struct Window {
    in_flight: Vec<InFlight>,
    counted: VecDeque<Counted>,
    latest: Vec<Latest>,
    /// The latest time at which a request was sent whose response has come.
    last_confirmed: Duration,
    last_sent: Option<Duration>,
    /// Unconfirmed requests, until a response with both headers comes.
    unconfirmed: u64,
    bucket: Bucket,
    countdown: Countdown,
    sent: u64,
    /// When a response first said that there were too many requests.
    refused: Option<Duration>,
    /// How many requests were refused although a response had said that they were left.
    broken: u64,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self {
            in_flight: Vec::new(),
            counted: VecDeque::new(),
            latest: Vec::new(),
            last_confirmed: Duration::ZERO,
            last_sent: None,
            unconfirmed: 0,
            bucket: Bucket::new(),
            countdown: Countdown::new(),
            sent: 0,
            refused: None,
            broken: 0,
        }
    }

    /// How many requests may leave now.
    pub(super) fn open(&self, now: Duration, limits: &Limits) -> u64 {
        self.open_for(now, limits).0
    }

    /// How many requests may leave now, and why.
    fn open_for(&self, now: Duration, limits: &Limits) -> (u64, Basis) {
        let in_flight = self.flying();
        let free = limits.ours.saturating_sub(in_flight + self.count(now));
        let known = self.latest(now);
        let left = known.map(|latest| latest.remaining.saturating_sub(in_flight));
        let most = if limits.is_share { free } else { u64::MAX };
        if let Some(left) = left.filter(|left| (*left).min(most) > 0) {
            return (left.min(most), Basis::Remaining);
        }
        if !limits.is_share && known.is_some() && self.bucket.is_one() {
            let level = self.bucket.level(now, limits);
            if level > 0 {
                return (level, Basis::Inferred);
            }
        }
        let basis = known.map_or(Basis::Unknown, |_| Basis::Inferred);
        let ended = known
            .and_then(|latest| latest.ends)
            .is_some_and(|ends| now >= ends);
        if ended && in_flight == 0 && most > 0 {
            return (1, Basis::Inferred);
        }
        let free = known.map_or(free, |latest| {
            free.min(self.come_back(&latest, now, limits))
        });
        if free == 0 {
            return (0, basis);
        }
        let unconfirmed = UNCONFIRMED.saturating_sub(self.unconfirmed);
        if unconfirmed > 0 && !limits.interval.is_zero() {
            return (unconfirmed.min(free), basis);
        }
        let is_spread = self
            .last_sent
            .is_none_or(|last| now >= last.saturating_add(limits.interval));
        match (is_spread, limits.interval.is_zero()) {
            (true, true) => (free, basis),
            (true, false) => (1, basis),
            (false, _) => (0, basis),
        }
    }

    /// How many requests are left, with those of ours that have come back since the response.
    fn come_back(&self, latest: &Latest, now: Duration, limits: &Limits) -> u64 {
        let back = self.not_known_to(latest, limits);
        let back = back.take_while(|counted| !counted.counts(now)).count() as u64;
        let left = latest.remaining.saturating_add(back);
        left.saturating_sub(self.flying())
    }

    /// When so many of these and one more are left, if no response comes before.
    fn comes_back(&self, place: u64, latest: &Latest, limits: &Limits) -> Duration {
        let missing = (self.flying() + place + 1).saturating_sub(latest.remaining);
        let Some(last) = index_of_last(missing) else {
            return Duration::ZERO;
        };
        let fresh_until = latest.received.saturating_add(MINUTE + MARGIN);
        let back = self.not_known_to(latest, limits).nth(last);
        back.map_or(fresh_until, |counted| counted.out().min(fresh_until))
    }

    /// Requests that had not come back when the response was processed, and so are not among those that it said were
    /// left. Where nobody else uses the token, also those of which that is not known, since the minute's count includes
    /// them.
    fn not_known_to(
        &self,
        latest: &Latest,
        limits: &Limits,
    ) -> impl Iterator<Item = &Counted> + use<'_> {
        let Latest { sent, received, .. } = *latest;
        let is_certain = self.bucket.has_others() && !limits.is_share;
        let counted = self.counted.iter();
        counted.filter(move |counted| match is_certain {
            true => counted.sent.saturating_add(MINUTE) > received,
            false => counted.out() > sent,
        })
    }

    /// When the request at this place of the queue may leave, if no response comes before.
    pub(super) fn opens(&self, place: u64, now: Duration, limits: &Limits) -> Duration {
        if self.open(now, limits) > place {
            return now;
        }
        let mut opens = self.counted_out(place, now, limits);
        if self.unconfirmed >= UNCONFIRMED {
            let places = times(limits.interval, place.saturating_add(1));
            let spread = |last: Duration| last.saturating_add(places);
            opens = opens.max(self.last_sent.map_or(now, spread));
        }
        if let Some(latest) = self.latest(now) {
            if !self.bucket.is_alone(now) {
                opens = opens.max(self.comes_back(place, &latest, limits));
            }
            let mut ends = latest.ends.filter(|_| self.in_flight.is_empty());
            if limits.is_share {
                ends = ends.map(|ends| ends.max(self.counted_out(place, now, limits)));
            }
            if let Some(ends) = ends {
                let later = if place == 0 { Duration::ZERO } else { GRACE };
                opens = opens.min(ends.saturating_add(later));
            }
            if !limits.is_share && self.bucket.is_one() {
                opens = opens.min(self.bucket.refills(place, now, limits));
            }
        }
        opens.max(now.saturating_add(FINEST))
    }

    /// When so many requests and one more can leave without more than the limit having arrived in any minute.
    pub(super) fn counted_out(&self, place: u64, now: Duration, limits: &Limits) -> Duration {
        let in_flight = self.flying();
        let (windows, place) = (place / limits.ours.max(1), place % limits.ours.max(1));
        let later = times(MINUTE, windows);
        if in_flight + place >= limits.ours {
            return now.saturating_add(MINUTE).saturating_add(later);
        }
        let over = (in_flight + self.count(now) + place + 1).saturating_sub(limits.ours);
        let Some(last) = index_of_last(over) else {
            return now.saturating_add(later);
        };
        let mut counted = self.counted.iter().filter(|counted| counted.counts(now));
        let out = counted.nth(last);
        out.map_or(now, Counted::out).saturating_add(later)
    }

    /// A request leaves.
    pub(super) fn send(&mut self, ticket: Ticket, now: Duration, limits: &Limits) {
        let (_, basis) = self.open_for(now, limits);
        self.forget(now);
        if self.count(now) == 0 && self.in_flight.is_empty() {
            self.bucket.begin(now);
        }
        if basis != Basis::Remaining {
            self.unconfirmed += 1;
            // Something has come back, so what the waits counted down to may be over.
            self.countdown = Countdown::new();
        }
        self.in_flight.push(InFlight {
            ticket,
            number: self.sent,
            sent: now,
            basis,
            level: self.bucket.take(now, limits),
        });
        self.sent += 1;
        self.last_sent = Some(now);
    }

    /// A request that was let go was not sent.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        if let Some(request) = self.land(ticket)
            && request.basis != Basis::Remaining
        {
            self.unconfirmed = self.unconfirmed.saturating_sub(1);
        }
    }

    /// A request ended without a response. It may have arrived.
    pub(super) fn end(&mut self, ticket: Ticket, now: Duration) {
        if let Some(request) = self.land(ticket) {
            self.count_in(request.sent, now);
        }
    }

    /// Takes in a response. Whether what the service says can be believed.
    pub(super) fn learn(
        &mut self,
        ticket: Ticket,
        reported: &Reported,
        now: Duration,
        limits: &Limits,
    ) -> bool {
        let Some(request) = self.land(ticket) else {
            return true;
        };
        self.forget(now);
        self.count_in(request.sent, now);
        let refused = self.refused.is_none_or(|refused| request.sent <= refused);
        let is_true = !reported.is_refused || (request.basis == Basis::Unknown && refused);
        if reported.is_refused {
            self.refused.get_or_insert(now);
            self.broken += u64::from(request.basis == Basis::Remaining);
        }
        let remaining = match (reported.remaining, reported.is_refused) {
            (_, true) => Some(0),
            (remaining, false) => remaining,
        };
        let Some(remaining) = remaining else {
            return is_true;
        };
        if remaining > limits.service {
            return false;
        }
        let unconfirmed = self
            .in_flight
            .iter()
            .filter(|other| other.basis != Basis::Remaining);
        self.unconfirmed = unconfirmed.count() as u64;
        self.last_confirmed = self.last_confirmed.max(request.sent);
        let last_confirmed = self.last_confirmed;
        self.latest
            .retain(|latest| latest.received > last_confirmed);
        if let Some(wait) = reported.retry_after {
            self.countdown.learn(request.sent, now, wait);
        }
        // A refusal says when to come again; another response counts down to it in whole seconds.
        let rounding = if reported.is_refused {
            MARGIN
        } else {
            ROUNDING
        };
        let ends = reported.retry_after.map(|wait| {
            let ends = now.saturating_add(wait).saturating_add(rounding);
            self.countdown.end().map_or(ends, |end| end.min(ends))
        });
        self.latest.push(Latest {
            sent: request.sent,
            received: now,
            remaining,
            ends,
        });
        if let Some(own) = self.counted.back_mut().filter(|_| !reported.is_refused) {
            own.remaining = Some(remaining);
        }
        self.update_bucket(&request, remaining, reported.is_refused, now, limits);
        is_true
            && self.served(now) + self.flying()
                <= limits
                    .service
                    .saturating_mul(2)
                    .saturating_add(limits.service / 8 + UNCONFIRMED)
    }

    fn update_bucket(
        &mut self,
        request: &InFlight,
        remaining: u64,
        is_refused: bool,
        now: Duration,
        limits: &Limits,
    ) {
        let since = self.bucket.began();
        let counted = self
            .counted
            .iter()
            .filter(|counted| Some(counted.sent) >= since);
        let same = counted.filter(|counted| counted.remaining == Some(remaining));
        let lowest = self.latest(now).map_or(0, |latest| latest.remaining);
        let response = Response {
            number: request.number,
            level: request.level,
            sent: self.sent,
            in_flight: self.flying(),
            counted: self.count(request.sent),
            remaining,
            is_refused,
            is_repeated: same.count() > 1,
            left: lowest.saturating_sub(self.flying()),
        };
        self.bucket.learn(&response, now, limits);
    }

    /// How many of our own requests the service said to have served in the last minute.
    pub(super) fn served(&self, now: Duration) -> u64 {
        let counted = self.counted.iter().filter(|counted| counted.counts(now));
        counted
            .filter(|counted| counted.remaining.is_some())
            .count() as u64
    }

    /// How many requests can be refused although a response said that they were left: those that were, or those that
    /// are left beside the ones in flight.
    pub(super) fn broken(&self, now: Duration) -> u64 {
        let latest = self.latest(now).map_or(0, |latest| latest.remaining);
        latest.saturating_sub(self.flying()).max(self.broken)
    }

    /// What is known of the remaining requests: the lowest number, and the latest end.
    fn latest(&self, now: Duration) -> Option<Latest> {
        let fresh = |latest: &&Latest| latest.received.saturating_add(MINUTE + MARGIN) > now;
        let fresh = self.latest.iter().filter(fresh);
        fresh.copied().reduce(|one, other| Latest {
            sent: one.sent.min(other.sent),
            received: one.received.max(other.received),
            remaining: one.remaining.min(other.remaining),
            ends: one.ends.zip(other.ends).map(|(one, other)| one.max(other)),
        })
    }

    fn flying(&self) -> u64 {
        self.in_flight.len() as u64
    }

    /// How many requests may have arrived in the last minute, without those in flight.
    fn count(&self, now: Duration) -> u64 {
        let out = self.counted.partition_point(|counted| !counted.counts(now));
        (self.counted.len() - out) as u64
    }

    fn count_in(&mut self, sent: Duration, received: Duration) {
        self.counted.push_back(Counted {
            sent,
            received,
            remaining: None,
        });
    }

    fn land(&mut self, ticket: Ticket) -> Option<InFlight> {
        let place = self
            .in_flight
            .iter()
            .position(|request| request.ticket == ticket)?;
        Some(self.in_flight.remove(place))
    }

    /// A request that has come back counts for another minute, as far as a response did not know of it.
    fn forget(&mut self, now: Duration) {
        let is_past = |counted: &Counted| counted.out().saturating_add(MINUTE) < now;
        while self.counted.front().is_some_and(is_past) {
            self.counted.pop_front();
        }
    }
}

impl Counted {
    fn out(&self) -> Duration {
        self.received.saturating_add(MINUTE + MARGIN)
    }

    fn counts(&self, now: Duration) -> bool {
        self.out() > now
    }
}

/// The index of the last of so many.
fn index_of_last(many: u64) -> Option<usize> {
    usize::try_from(many).ok()?.checked_sub(1)
}
