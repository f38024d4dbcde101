//! When the next request of a token may leave: a pure function of what was sent and what was heard.

use std::collections::VecDeque;
use std::time::Duration;

/// The time in which a limit counts.
const MINUTE: Duration = Duration::from_secs(60);

/// How much later than another one a request may arrive although it left at the same distance.
///
/// Requests that leave `(60 s + SPREAD) / limit` apart, each on its way for some time between `a` and `a + SPREAD`,
/// never arrive more than `limit` in any 60 seconds, wherever these begin. So the pace holds under a fixed window of
/// any phase, a sliding window, and a token bucket that takes `1 + SPREAD * limit / 60 s` requests at once.
const SPREAD: Duration = Duration::from_millis(750);

/// For how long our own requests may be in the count that the service reports: its minute, and the time under way.
const COUNTED: Duration = Duration::from_secs(62);

/// Timers are no finer than this, so requests that are to leave closer together leave at once.
const FINEST: Duration = Duration::from_millis(1);

/// Who does not ask within this time after its turn came is not being polled, and is not waited for.
const GRACE: Duration = Duration::from_secs(1);

/// How many answers back the fall of the remaining requests is looked for.
const HEARD: usize = 8;

/// A fall by this many is no accident of answers that overtake each other.
const FALL: u64 = 3;

/// What decides the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// The headers, and this until they have said something.
    Learned { first: u32 },
    /// This, whatever the headers say.
    Fixed(u32),
    /// There is none.
    Off,
}

/// One who waits for a turn.
pub(crate) type Ticket = u64;

#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: Ticket,
    /// When its turn was to come, as it looked when it last asked.
    due: Duration,
}

/// The answer to one who asks for a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The request is to leave now.
    Now,
    /// The turn comes at this time, as it looks now.
    At(Duration),
}

/// The requests of one token. All times are of one clock.
#[derive(Debug)]
pub(crate) struct Schedule {
    rule: Rule,
    share: f64,
    learned: Option<u64>,
    /// The distance that is kept while others use the requests up.
    yielding: Option<Duration>,
    last: Option<Duration>,
    paused_until: Duration,
    waiting: VecDeque<Waiting>,
    next_ticket: Ticket,
    /// When our own requests left, as far as they may still count.
    sent: VecDeque<Duration>,
    /// The last numbers of remaining requests.
    heard: VecDeque<u64>,
}

impl Schedule {
    pub(crate) fn new(rule: Rule, share: f64) -> Self {
        Self {
            rule,
            share,
            learned: None,
            yielding: None,
            last: None,
            paused_until: Duration::ZERO,
            waiting: VecDeque::new(),
            next_ticket: 0,
            sent: VecDeque::new(),
            heard: VecDeque::new(),
        }
    }

    /// Takes a place behind all who wait.
    pub(crate) fn enter(&mut self) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiting {
            ticket,
            due: Duration::MAX,
        });
        ticket
    }

    /// Gives a place up. Whether it was still held.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> bool {
        match self.position(ticket) {
            Some(position) => self.waiting.remove(position).is_some(),
            None => false,
        }
    }

    /// Asks for the turn of a place, which is used up with it.
    pub(crate) fn ask(&mut self, ticket: Ticket, now: Duration) -> Turn {
        let Some(position) = self.position(ticket) else {
            return Turn::Now;
        };
        let interval = self.interval();
        let next = self
            .last
            .map_or(Duration::ZERO, |last| last.saturating_add(interval))
            .max(self.paused_until);
        // Who does not ask again does not know that its turn has come nearer.
        let before = (0..)
            .map(|place| next.saturating_add(interval.saturating_mul(place)))
            .zip(self.waiting.iter().take(position))
            .filter(|(due, waiting)| waiting.due.min(*due).saturating_add(GRACE) >= now)
            .count();
        let due = next
            .max(if before == 0 { Duration::ZERO } else { now })
            .saturating_add(interval.saturating_mul(u32::try_from(before).unwrap_or(u32::MAX)));
        if now < due {
            if let Some(waiting) = self.waiting.get_mut(position) {
                waiting.due = due;
            }
            return Turn::At(due);
        }
        self.waiting.remove(position);
        self.last = Some(now);
        self.forget(now);
        self.sent.push_back(now);
        Turn::Now
    }

    /// Lets nobody go before this time.
    pub(crate) fn pause(&mut self, until: Duration) {
        if self.rule == Rule::Off {
            return;
        }
        self.paused_until = self.paused_until.max(until);
    }

    pub(crate) fn paused_until(&self) -> Duration {
        self.paused_until
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes in what an answer says. Whether those who wait should ask again, because their turn may come sooner.
    pub(crate) fn learn(
        &mut self,
        limit: Option<u64>,
        remaining: Option<u64>,
        now: Duration,
    ) -> bool {
        let before = self.interval();
        if let Some(limit) = limit.filter(|limit| *limit > 0)
            && self.learned.replace(limit) != Some(limit)
        {
            // What remained of another limit says nothing of this one.
            self.heard.clear();
            self.yielding = None;
        }
        if let Some(remaining) = remaining {
            self.yielding = self.yield_to_others(remaining, now);
        }
        self.interval() < before
    }

    /// The requests a minute that the service grants the token, as far as is known.
    pub(crate) fn limit(&self) -> Option<u64> {
        match self.rule {
            Rule::Off => self.learned,
            Rule::Fixed(limit) => Some(limit.into()),
            Rule::Learned { first } => Some(self.learned.unwrap_or_else(|| first.into())),
        }
    }

    /// How far apart two requests leave.
    pub(crate) fn interval(&self) -> Duration {
        let Some(limit) = self.limit().filter(|_| self.rule != Rule::Off) else {
            return Duration::ZERO;
        };
        let ours = self.ours(limit);
        let even = (MINUTE + SPREAD).as_secs_f64() / ours;
        let even = Duration::try_from_secs_f64(even).unwrap_or(Duration::MAX);
        let even = if even < FINEST { Duration::ZERO } else { even };
        self.yielding.map_or(even, |interval| interval.max(even))
    }

    /// Our part of a limit: whole requests, so that the parts of several do not add up to more, but never none.
    fn ours(&self, limit: u64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "limits beyond 2^53 requests a minute do not need their last digits"
        )]
        let part = limit as f64 * self.share;
        if part >= 1.0 { part.floor() } else { part }
    }

    /// The distance to keep if others use up what we would run into: then what remains is spread over a whole minute,
    /// since nobody says when the count begins anew.
    ///
    /// That others do it is told by two signs together. More is missing than we have sent and they are due; and it gets
    /// less (with a token bucket smaller than the limit, much is missing all the time, and stays so).
    fn yield_to_others(&mut self, remaining: u64, now: Duration) -> Option<Duration> {
        let limit = self.limit().filter(|_| self.rule != Rule::Off)?;
        self.forget(now);
        if self
            .heard
            .back()
            .is_some_and(|last| remaining > last.saturating_add(FALL))
        {
            self.heard.clear();
        }
        let highest = self.heard.iter().copied().max().unwrap_or(remaining);
        self.heard.push_back(remaining);
        if self.heard.len() > HEARD {
            self.heard.pop_front();
        }
        let sent = u64::try_from(self.sent.len()).unwrap_or(u64::MAX);
        let missing = limit.saturating_sub(remaining).saturating_sub(sent);
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let due_to_others = (limit as f64) - self.ours(limit);
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let others = missing as f64 > due_to_others;
        let falls = highest.saturating_sub(remaining) >= FALL || self.yielding.is_some();
        let left = u32::try_from(remaining.max(1)).unwrap_or(u32::MAX);
        (others && falls).then(|| MINUTE / left)
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

    fn position(&self, ticket: Ticket) -> Option<usize> {
        self.waiting
            .binary_search_by_key(&ticket, |waiting| waiting.ticket)
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn paced(limit: u32) -> Schedule {
        Schedule::new(Rule::Fixed(limit), 1.0)
    }

    /// Sends as soon as it may, and says when that is.
    fn send(schedule: &mut Schedule, mut now: Duration) -> Duration {
        let ticket = schedule.enter();
        while let Turn::At(due) = schedule.ask(ticket, now) {
            assert!(due > now, "a turn in the past would be asked for for ever");
            now = due;
        }
        now
    }

    #[test]
    fn whatever_the_way_takes_no_sixty_seconds_see_more_arrivals_than_the_limit() {
        for limit in [1, 2, 7, 60, 119, 120, 121, 600] {
            let mut schedule = paced(limit);
            let mut now = Duration::ZERO;
            let mut arrivals = Vec::new();
            for number in 0..limit * 3 {
                now = send(&mut schedule, now);
                // The slowest are followed by the fastest, which is the worst for a window.
                let late = if number < limit {
                    SPREAD - Duration::from_millis(1)
                } else {
                    Duration::ZERO
                };
                arrivals.push(now + late);
            }
            for (first, start) in arrivals.iter().enumerate() {
                let within = arrivals[first..]
                    .iter()
                    .filter(|at| **at < *start + MINUTE)
                    .count();
                assert!(
                    within <= limit as usize,
                    "{within} arrivals at {limit} a minute"
                );
            }
        }
    }

    #[test]
    fn the_pace_costs_less_than_two_percent() {
        let mut schedule = paced(120);
        let first = send(&mut schedule, Duration::ZERO);
        let last = (1..1_000).fold(first, |now, _| send(&mut schedule, now));
        assert!(last - first < (SECOND * 999 / 2).mul_f64(1.02), "{last:?}");
    }

    #[test]
    fn turns_come_in_the_order_in_which_they_were_asked_for() {
        let mut schedule = paced(60);
        let [first, second, third] = [schedule.enter(), schedule.enter(), schedule.enter()];
        assert_eq!(schedule.ask(first, SECOND), Turn::Now);
        let interval = schedule.interval();
        assert_eq!(schedule.ask(third, SECOND), Turn::At(SECOND + interval * 2));
        assert_eq!(schedule.ask(second, SECOND), Turn::At(SECOND + interval));
        assert_eq!(schedule.ask(second, SECOND + interval), Turn::Now);
        assert_eq!(schedule.ask(third, SECOND + interval * 2), Turn::Now);
    }

    #[test]
    fn who_leaves_is_not_waited_for() {
        let mut schedule = paced(60);
        let [first, second, third] = [schedule.enter(), schedule.enter(), schedule.enter()];
        assert_eq!(schedule.ask(first, SECOND), Turn::Now);
        assert!(schedule.leave(second));
        assert!(!schedule.leave(second), "it left before");
        assert!(!schedule.leave(first), "its turn was used");
        assert_eq!(
            schedule.ask(third, SECOND),
            Turn::At(SECOND + schedule.interval())
        );
        assert_eq!(schedule.waiting(), 1);
    }

    #[test]
    fn who_is_never_polled_again_holds_nobody_up_for_long() {
        let mut schedule = paced(60);
        let now = send(&mut schedule, SECOND);
        let [asleep, awake] = [schedule.enter(), schedule.enter()];
        let Turn::At(due) = schedule.ask(asleep, now) else {
            panic!("too soon")
        };
        assert!(matches!(schedule.ask(awake, now), Turn::At(_)));
        let late = due + GRACE + SECOND;
        assert_eq!(schedule.ask(awake, late), Turn::Now);
        let next = send(&mut schedule, late);
        assert_eq!(next, late + schedule.interval(), "the pace is as before");
        assert_eq!(
            schedule.ask(asleep, next + SECOND * 9),
            Turn::Now,
            "it has waited the longest"
        );
    }

    #[test]
    fn who_is_never_polled_again_holds_nobody_up_although_its_turn_looked_far_away() {
        let mut schedule = paced(60);
        let now = send(&mut schedule, SECOND);
        let leaving: Vec<_> = (0..100).map(|_| schedule.enter()).collect();
        let [asleep, awake] = [schedule.enter(), schedule.enter()];
        assert!(matches!(schedule.ask(asleep, now), Turn::At(due) if due > now + SECOND * 99));
        for ticket in leaving {
            schedule.leave(ticket);
        }
        let late = now + schedule.interval() + GRACE + SECOND;
        assert_eq!(schedule.ask(awake, late), Turn::Now);
    }

    #[test]
    fn a_pause_holds_everybody_and_nobody_bursts_after_it() {
        let mut schedule = paced(60);
        let tickets: Vec<_> = (0..5).map(|_| schedule.enter()).collect();
        schedule.pause(SECOND * 30);
        schedule.pause(SECOND * 20);
        for (place, ticket) in (0..).zip(&tickets) {
            let due = SECOND * 30 + schedule.interval() * place;
            assert_eq!(schedule.ask(*ticket, SECOND), Turn::At(due));
        }
        assert_eq!(schedule.ask(tickets[0], SECOND * 30), Turn::Now);
        assert_eq!(
            schedule.ask(tickets[1], SECOND * 30),
            Turn::At(SECOND * 30 + schedule.interval())
        );
    }

    #[test]
    fn time_without_requests_is_not_saved_up() {
        let mut schedule = paced(60);
        send(&mut schedule, SECOND);
        let now = send(&mut schedule, SECOND * 600);
        assert_eq!(now, SECOND * 600);
        assert_eq!(send(&mut schedule, now), now + schedule.interval());
    }

    #[test]
    fn the_limit_is_learned_and_a_faster_one_lets_those_who_wait_ask_again() {
        let mut schedule = Schedule::new(Rule::Learned { first: 60 }, 1.0);
        let slow = schedule.interval();
        assert!(schedule.learn(Some(120), Some(119), SECOND));
        assert_eq!(schedule.interval(), slow / 2);
        assert!(!schedule.learn(Some(60), Some(59), SECOND));
        assert_eq!(schedule.interval(), slow);
        assert!(
            !schedule.learn(Some(0), None, SECOND),
            "a limit of nothing is no limit"
        );
        assert_eq!(schedule.interval(), slow);
    }

    #[test]
    fn a_pace_that_was_set_by_hand_learns_nothing() {
        let mut schedule = paced(30);
        schedule.learn(Some(120), None, SECOND);
        assert_eq!(schedule.limit(), Some(30));
    }

    #[test]
    fn shares_never_add_up_to_more_than_the_whole() {
        let third = Schedule::new(Rule::Fixed(100), 1.0 / 3.0);
        assert_eq!(third.ours(100), 33.0);
        let least = Schedule::new(Rule::Fixed(60), 0.001);
        assert!(
            least.interval() > MINUTE,
            "less than one a minute is less than one a minute"
        );
    }

    #[test]
    fn without_a_pace_all_go_at_once() {
        let mut schedule = Schedule::new(Rule::Off, 1.0);
        let tickets: Vec<_> = (0..5).map(|_| schedule.enter()).collect();
        schedule.learn(Some(60), Some(0), SECOND);
        schedule.pause(SECOND * 9);
        for ticket in tickets.into_iter().rev() {
            assert_eq!(schedule.ask(ticket, SECOND), Turn::Now);
        }
    }

    #[test]
    fn our_own_use_is_never_taken_for_that_of_others() {
        let mut schedule = paced(120);
        let mut now = Duration::ZERO;
        let even = schedule.interval();
        for number in 0..600 {
            now = send(&mut schedule, now);
            // A fixed window, whose count begins anew with each 60 seconds.
            let used = (now.as_secs_f64() % 60.0 / even.as_secs_f64()) as u64 + 1;
            schedule.learn(Some(120), Some(120_u64.saturating_sub(used)), now);
            assert_eq!(schedule.interval(), even, "request {number}");
        }
    }

    #[test]
    fn a_small_bucket_is_not_taken_for_the_use_of_others() {
        let mut schedule = paced(120);
        let even = schedule.interval();
        let mut now = Duration::ZERO;
        for remaining in [9, 9, 8, 9, 9, 8, 8, 9, 9, 9] {
            now = send(&mut schedule, now);
            schedule.learn(Some(120), Some(remaining), now);
            assert_eq!(schedule.interval(), even);
        }
    }

    #[test]
    fn what_others_leave_over_is_spread_until_the_count_begins_anew() {
        let mut schedule = paced(120);
        let even = schedule.interval();
        let mut now = Duration::ZERO;
        for remaining in (20..40).rev() {
            now = send(&mut schedule, now);
            schedule.learn(Some(120), Some(remaining), now);
        }
        assert_eq!(schedule.interval(), MINUTE / 20);
        schedule.learn(Some(120), Some(119), now);
        assert_eq!(schedule.interval(), even);
        for remaining in (0..5).rev() {
            schedule.learn(Some(120), Some(remaining), now);
        }
        assert_eq!(schedule.interval(), MINUTE, "nothing is left");
    }
}
