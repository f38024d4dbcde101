//! The properties of the even schedule.

use std::time::Duration;

use super::super::limits::{GRACE, LATENESS, MINUTE};
use super::super::{Reported, Rule, Schedule, Turn};

const SECOND: Duration = Duration::from_secs(1);

/// A response of no request in particular.
fn learn(
    schedule: &mut Schedule,
    limit: Option<u64>,
    remaining: Option<u64>,
    now: Duration,
) -> bool {
    let reported = Reported {
        limit,
        remaining,
        ..Reported::default()
    };
    schedule.learn(u64::MAX, &reported, now)
}

fn limited(limit: u32) -> Schedule {
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
        let mut schedule = limited(limit);
        let mut now = Duration::ZERO;
        let mut arrivals = Vec::new();
        for number in 0..limit * 3 {
            now = send(&mut schedule, now);
            // The slowest are followed by the fastest, which is the worst for a window.
            let late = if number < limit {
                LATENESS - Duration::from_millis(1)
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
fn even_spreading_costs_less_than_two_percent() {
    let mut schedule = limited(120);
    let first = send(&mut schedule, Duration::ZERO);
    let last = (1..1_000).fold(first, |now, _| send(&mut schedule, now));
    assert!(last - first < (SECOND * 999 / 2).mul_f64(1.02), "{last:?}");
}

#[test]
fn turns_come_in_the_order_in_which_they_were_asked_for() {
    let mut schedule = limited(60);
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
    let mut schedule = limited(60);
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
    let mut schedule = limited(60);
    let now = send(&mut schedule, SECOND);
    let [asleep, awake] = [schedule.enter(), schedule.enter()];
    let Turn::At(due) = schedule.ask(asleep, now) else {
        panic!("too soon")
    };
    assert!(matches!(schedule.ask(awake, now), Turn::At(_)));
    let late = due + GRACE + SECOND;
    assert_eq!(schedule.ask(awake, late), Turn::Now);
    let next = send(&mut schedule, late);
    assert_eq!(
        next,
        late + schedule.interval(),
        "the interval is as before"
    );
    assert_eq!(
        schedule.ask(asleep, next + SECOND * 9),
        Turn::Now,
        "it has waited the longest"
    );
}

#[test]
fn who_is_never_polled_again_holds_nobody_up_although_its_turn_looked_far_away() {
    let mut schedule = limited(60);
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
    let mut schedule = limited(60);
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
    let mut schedule = limited(60);
    send(&mut schedule, SECOND);
    let now = send(&mut schedule, SECOND * 600);
    assert_eq!(now, SECOND * 600);
    assert_eq!(send(&mut schedule, now), now + schedule.interval());
}

#[test]
fn the_limit_is_learned_and_a_faster_one_lets_those_who_wait_ask_again() {
    let mut schedule = Schedule::new(Rule::learned(60).spread(), 1.0);
    let slow = schedule.interval();
    assert!(learn(&mut schedule, Some(120), Some(119), SECOND));
    assert_eq!(schedule.interval(), slow / 2);
    assert!(!learn(&mut schedule, Some(60), Some(59), SECOND));
    assert_eq!(schedule.interval(), slow);
    assert!(
        !learn(&mut schedule, Some(0), None, SECOND),
        "a limit of nothing is no limit"
    );
    assert_eq!(schedule.interval(), slow);
}

#[test]
fn a_fixed_limit_is_not_changed_by_responses() {
    let mut schedule = limited(30);
    learn(&mut schedule, Some(120), None, SECOND);
    assert_eq!(schedule.limit(), Some(30));
}

#[test]
fn shares_never_add_up_to_more_than_the_whole() {
    let third = Schedule::new(Rule::Fixed(100), 1.0 / 3.0);
    assert_eq!(third.limits().map(|limits| limits.ours), Some(33));
    let least = Schedule::new(Rule::Fixed(60), 0.001);
    assert!(
        least.interval() > MINUTE,
        "less than one a minute is less than one a minute"
    );
}

#[test]
fn without_a_limit_all_requests_leave_at_once() {
    let mut schedule = Schedule::new(Rule::Off, 1.0);
    let tickets: Vec<_> = (0..5).map(|_| schedule.enter()).collect();
    learn(&mut schedule, Some(60), Some(0), SECOND);
    schedule.pause(SECOND * 9);
    for ticket in tickets.into_iter().rev() {
        assert_eq!(schedule.ask(ticket, SECOND), Turn::Now);
    }
}

#[test]
fn our_own_use_is_never_taken_for_that_of_others() {
    let mut schedule = limited(120);
    let mut now = Duration::ZERO;
    let even = schedule.interval();
    for number in 0..600 {
        now = send(&mut schedule, now);
        // A fixed window, whose count begins anew with each 60 seconds.
        let used = (now.as_secs_f64() % 60.0 / even.as_secs_f64()) as u64 + 1;
        learn(
            &mut schedule,
            Some(120),
            Some(120_u64.saturating_sub(used)),
            now,
        );
        assert_eq!(schedule.interval(), even, "request {number}");
    }
}

#[test]
fn a_small_bucket_is_not_taken_for_the_use_of_others() {
    let mut schedule = limited(120);
    let even = schedule.interval();
    let mut now = Duration::ZERO;
    for remaining in [9, 9, 8, 9, 9, 8, 8, 9, 9, 9] {
        now = send(&mut schedule, now);
        learn(&mut schedule, Some(120), Some(remaining), now);
        assert_eq!(schedule.interval(), even);
    }
}

#[test]
fn what_others_leave_over_is_spread_until_the_count_begins_anew() {
    let mut schedule = limited(120);
    let even = schedule.interval();
    let mut now = Duration::ZERO;
    for remaining in (20..40).rev() {
        now = send(&mut schedule, now);
        learn(&mut schedule, Some(120), Some(remaining), now);
    }
    assert_eq!(schedule.interval(), MINUTE / 20);
    learn(&mut schedule, Some(120), Some(119), now);
    assert_eq!(schedule.interval(), even);
    for remaining in (0..5).rev() {
        learn(&mut schedule, Some(120), Some(remaining), now);
    }
    assert_eq!(schedule.interval(), MINUTE, "nothing is left");
}
