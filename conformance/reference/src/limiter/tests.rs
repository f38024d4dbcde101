//! Properties of the rate limiter.

use std::time::Duration;

use proptest::prelude::*;

use super::{Limiter, MINUTE};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A limiter of each algorithm with a small limit. Seven tokens a minute take no whole number of nanoseconds each.
fn limiters() -> impl Strategy<Value = Limiter> {
    (0..5, 1..=7_u32, 0..90_000_u64, 1..=9_u32).prop_map(
        |(way, limit, phase, capacity)| match way {
            0 => Limiter::fixed_window(limit, Duration::from_millis(phase)),
            1 => Limiter::sliding_window(limit),
            2 => Limiter::token_bucket(limit),
            3 => Limiter::window_from_first_request(limit),
            _ => Limiter::token_bucket_of(limit, capacity),
        },
    )
}

/// Times of requests: many at once, some soon after, a few after minutes.
fn arrivals() -> impl Strategy<Value = Vec<Duration>> {
    let gap = prop_oneof![
        4 => Just(0),
        4 => 0..20_000_000_000_u64,
        1 => Just(60_000_000_000),
        1 => 0..200_000_000_000_u64,
    ];
    prop::collection::vec(gap, 1..60).prop_map(|gaps| {
        gaps.into_iter()
            .scan(Duration::ZERO, |now, gap| {
                *now += Duration::from_nanos(gap);
                Some(*now)
            })
            .collect()
    })
}

/// The arrivals that are admitted.
fn admitted(limiter: &Limiter, arrivals: &[Duration]) -> Vec<Duration> {
    let mut limiter = limiter.clone();
    let admitted = |now: &Duration| limiter.decide(*now).admitted;
    arrivals.iter().copied().filter(admitted).collect()
}

/// The maximum number of arrivals in any span of this length, its end excluded.
fn most_within(arrivals: &[Duration], length: Duration) -> usize {
    let within = |start: &Duration| {
        let inside = |at: &&Duration| *start <= **at && **at < *start + length;
        arrivals.iter().filter(inside).count()
    };
    arrivals.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #[test]
    fn no_minute_of_a_fixed_window_admits_more_than_the_limit(
        limit in 1..=6_u32, phase in 0..120_u64, arrivals in arrivals()
    ) {
        let admitted = admitted(&Limiter::fixed_window(limit, seconds(phase)), &arrivals);
        for start in (0..).map(|minute| seconds(phase % 60 + minute * 60)).take(240) {
            let inside = |at: &&Duration| start <= **at + MINUTE && **at < start;
            prop_assert!(admitted.iter().filter(inside).count() <= limit as usize);
        }
    }

    #[test]
    fn a_window_from_the_first_request_gives_nothing_back_before_it_ends(
        limit in 1..=6_u32, arrivals in arrivals()
    ) {
        let mut limiter = Limiter::window_from_first_request(limit);
        let (mut begun, mut asked) = (None, 0);
        for now in arrivals {
            let start = *begun.get_or_insert(now);
            if now - start >= MINUTE {
                (begun, asked) = (Some(now), 0);
            }
            asked += 1;
            let decision = limiter.decide(now);
            prop_assert_eq!(decision.admitted, asked <= limit);
            prop_assert_eq!(decision.remaining, limit.saturating_sub(asked));
            prop_assert_eq!(decision.window_ends, begun.map(|start| start + MINUTE - now));
        }
    }

    #[test]
    fn no_minute_at_all_of_a_sliding_window_admits_more_than_the_limit(limit in 1..=6_u32, arrivals in arrivals()) {
        let admitted = admitted(&Limiter::sliding_window(limit), &arrivals);
        prop_assert!(most_within(&admitted, MINUTE) <= limit as usize);
    }

    #[test]
    fn no_span_of_a_token_bucket_admits_more_than_its_capacity_and_its_refill(
        limit in 1..=6_u32, capacity in 1..=9_u32, span in 1..600_u64, arrivals in arrivals()
    ) {
        let admitted = admitted(&Limiter::token_bucket_of(limit, capacity), &arrivals);
        let most = u64::from(capacity) + span * u64::from(limit) / 60;
        prop_assert!(most_within(&admitted, seconds(span)) as u64 <= most);
    }

    #[test]
    fn after_the_wait_a_request_is_admitted_and_not_a_nanosecond_before(
        mut limiter in limiters(), arrivals in arrivals()
    ) {
        for now in arrivals {
            let decision = limiter.decide(now);
            prop_assert_eq!(decision.retry_after.is_zero(), decision.remaining > 0);
            let then = now + decision.retry_after;
            prop_assert!(limiter.clone().decide(then).admitted);
            prop_assert!(then == now || !limiter.clone().decide(then - NANOSECOND).admitted);
        }
    }

    #[test]
    fn as_many_requests_as_remain_are_admitted_at_once_and_no_more(mut limiter in limiters(), arrivals in arrivals()) {
        for now in arrivals {
            let remaining = limiter.decide(now).remaining as usize;
            prop_assert_eq!(admitted(&limiter, &vec![now; remaining + 3]).len(), remaining);
        }
    }

    #[test]
    fn refused_requests_do_not_count(mut limiter in limiters(), arrivals in arrivals()) {
        let mut spared = limiter.clone();
        for now in arrivals {
            let decision = limiter.decide(now);
            if decision.admitted {
                prop_assert_eq!(spared.decide(now), decision);
            }
        }
    }

    #[test]
    fn a_limit_that_is_set_to_what_it_is_changes_nothing(limiter in limiters(), arrivals in arrivals()) {
        let (mut left, mut set) = (limiter.clone(), limiter);
        for now in arrivals {
            let limit = left.limit;
            set.set_limit(now, limit);
            prop_assert_eq!(left.decide(now), set.decide(now));
        }
    }
}

#[test]
fn a_limit_can_grow_and_shrink_at_any_time() {
    let remaining = |mut limiter: Limiter, limit| {
        limiter.decide(seconds(1));
        limiter.decide(seconds(1));
        limiter.set_limit(seconds(1), limit);
        let decision = limiter.decide(seconds(1));
        (decision.admitted, decision.remaining, decision.retry_after)
    };
    for window in [
        Limiter::window_from_first_request(3),
        Limiter::fixed_window(3, seconds(1)),
        Limiter::sliding_window(3),
    ] {
        assert_eq!(
            remaining(window.clone(), 1),
            (false, 0, seconds(60)),
            "two were admitted before"
        );
        assert_eq!(remaining(window, 5), (true, 2, Duration::ZERO));
    }
    assert_eq!(
        remaining(Limiter::token_bucket(10), 4),
        (true, 3, Duration::ZERO),
        "eight tokens do not fit"
    );
    assert_eq!(
        remaining(Limiter::token_bucket(2), 30),
        (false, 0, seconds(2)),
        "an empty bucket fills faster"
    );
}

#[test]
fn what_a_bucket_has_lost_does_not_come_back_with_its_size() {
    let mut limiter = Limiter::token_bucket(10);
    limiter.set_limit(seconds(1), 4);
    limiter.set_limit(seconds(1), 10);
    assert_eq!(limiter.decide(seconds(1)).remaining, 3);
}

#[test]
fn windows_that_lost_some_of_their_limit_admit_again_when_enough_is_forgotten() {
    let mut limiter = Limiter::sliding_window(3);
    for second in [0, 10, 20] {
        limiter.decide(seconds(second));
    }
    limiter.set_limit(seconds(30), 1);
    assert_eq!(
        limiter.decide(seconds(30)).retry_after,
        seconds(50),
        "the last of the three has to go"
    );
}

#[test]
fn a_limit_of_nothing_admits_nothing_and_says_to_wait_a_minute() {
    for mut limiter in [
        Limiter::fixed_window(0, Duration::ZERO),
        Limiter::sliding_window(0),
        Limiter::window_from_first_request(0),
        Limiter::token_bucket(0),
        Limiter::token_bucket_of(60, 0),
    ] {
        let decision = limiter.decide(seconds(100));
        assert_eq!((decision.admitted, decision.retry_after), (false, MINUTE));
    }
}

#[test]
fn time_does_not_go_back() {
    let mut limiter = Limiter::sliding_window(1);
    limiter.decide(seconds(50));
    assert_eq!(limiter.decide(seconds(20)).retry_after, MINUTE);
}

#[test]
fn a_fixed_window_starts_at_its_phase_and_every_minute_from_there() {
    let mut limiter = Limiter::fixed_window(1, seconds(75));
    let waits: Vec<_> = [0, 14, 15, 74, 75, 76]
        .map(|second| limiter.decide(seconds(second)))
        .map(|decision| (decision.admitted, decision.retry_after.as_secs()))
        .to_vec();
    assert_eq!(
        waits,
        [
            (true, 15),
            (false, 1),
            (true, 60),
            (false, 1),
            (true, 60),
            (false, 59)
        ]
    );
}
