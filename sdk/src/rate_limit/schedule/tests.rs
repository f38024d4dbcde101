//! The properties of the schedule.

mod simulation;
mod spread;

use std::time::Duration;

use proptest::prelude::*;

use self::simulation::{Kind, Lie, Rounding, Scenario, Wait, optimum, run};

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::FromFirst),
        prop_oneof![Just(0), 1..60_000_u64, Just(59_999),]
            .prop_map(|phase| Kind::Fixed(Duration::from_millis(phase))),
        Just(Kind::Sliding),
        Just(Kind::Bucket),
    ]
}

fn limits() -> impl Strategy<Value = u64> {
    prop_oneof![Just(60), Just(120), 4..16_u64, 4..300_u64]
}

/// Numbers of requests around the multiples of the limit.
fn requests(limit: u64) -> impl Strategy<Value = usize> {
    let limit = limit as usize;
    prop_oneof![
        1..=limit,
        (1..=3_usize, 0..5_usize).prop_map(move |(windows, more)| windows * limit + more - 1),
        1..=limit * 4,
    ]
}

fn callers() -> impl Strategy<Value = usize> {
    prop_oneof![3 => Just(4), 1 => Just(1), 2 => 1..40_usize, 1 => 40..120_usize]
}

fn start() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0..120_000_u64].prop_map(Duration::from_millis)
}

fn idle() -> impl Strategy<Value = Vec<(usize, Duration)>> {
    let pause = prop_oneof![0..3_000_u64, 55_000..70_000_u64, 0..200_000_u64]
        .prop_map(Duration::from_millis);
    prop::collection::vec((0..200_usize, pause), 0..6)
}

/// Scenarios in which nobody else uses the token and the headers are true.
fn truthful() -> impl Strategy<Value = Scenario> {
    let server = (
        kinds(),
        limits(),
        prop_oneof![
            Just(Wait::Whole),
            Just(Wait::Next),
            Just(Wait::Constant),
            Just(Wait::Absent)
        ],
        prop_oneof![
            Just(Rounding::Up),
            Just(Rounding::Down),
            Just(Rounding::Nearest)
        ],
        -0.001..0.001,
    );
    (
        server,
        callers(),
        any::<u64>(),
        start(),
        prop_oneof![2 => Just(Vec::new()), 1 => idle()],
    )
        .prop_flat_map(|(server, callers, seed, start, idle)| {
            let (kind, limit, wait, rounding, skew) = server;
            requests(limit).prop_map(move |requests| Scenario {
                wait,
                rounding,
                skew,
                callers,
                seed,
                start,
                idle: idle.clone(),
                ..Scenario::new(kind, limit, requests)
            })
        })
}

/// A quarter of the usual number of cases, since a case is many requests: `PROPTEST_CASES=40000` runs 10,000.
fn config() -> ProptestConfig {
    ProptestConfig::with_cases(ProptestConfig::default().cases / 4)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_request_is_refused_where_the_headers_are_true(scenario in truthful()) {
        let outcome = run(&scenario);
        prop_assert_eq!(outcome.refused, 0, "{:?}", outcome.refusals);
        prop_assert!(!outcome.is_spread);
        prop_assert_eq!(outcome.sent.len(), scenario.requests);
    }
}

const MINUTE: Duration = Duration::from_secs(60);

fn lies() -> impl Strategy<Value = Lie> {
    prop_oneof![
        Just(Lie::Absent),
        Just(Lie::OnlyLimit),
        Just(Lie::OnlyRemaining),
        Just(Lie::Constant),
        (1..20_usize).prop_map(Lie::Late),
        (2..4_u64).prop_map(Lie::Higher),
        Just(Lie::Random),
    ]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn up_to_the_limit_requests_take_the_time_of_their_latencies(
        kind in kinds(), limit in prop_oneof![Just(60), Just(120)], part in 1..=120_usize,
        seed in any::<u64>(), start in start(), callers in 1..=4_usize,
    ) {
        let scenario = Scenario { seed, start, callers, ..Scenario::new(kind, limit, part.min(limit as usize)) };
        let outcome = run(&scenario);
        let bound = simulation::latency_bound(seed, scenario.requests, callers);
        prop_assert!(outcome.took <= bound.mul_f64(1.1), "{:?} for {:?}", outcome.took, bound);
    }

    #[test]
    fn beyond_the_limit_requests_take_two_percent_longer_than_the_window_asks(
        kind in kinds(), limit in prop_oneof![Just(60), Just(120)],
        requests in prop_oneof![Just(400), Just(1_000), 361..1_000_usize],
        seed in any::<u64>(), start in start(), callers in prop_oneof![3 => Just(4_usize), 1 => 3..60_usize],
        rounding in prop_oneof![Just(Rounding::Up), Just(Rounding::Down), Just(Rounding::Nearest)],
        other in prop_oneof![Just(Wait::Whole), Just(Wait::Next), Just(Wait::Constant), Just(Wait::Absent)],
    ) {
        // Nothing comes back to a bucket that is emptied at once, so it shows itself a minute later.
        let callers = if kind == Kind::Bucket { callers.min(4) } else { callers };
        let wait = if matches!(kind, Kind::Fixed(_)) { Wait::Whole } else { other };
        let scenario = Scenario { seed, start, callers, rounding, wait, ..Scenario::new(kind, limit, requests) };
        let outcome = run(&scenario);
        let windows = MINUTE * ((requests as u64 - 1) / limit) as u32;
        let rest = (requests as u64 - 1) % limit + 1;
        let windows = windows + simulation::latency_bound(seed, rest as usize, callers);
        let optimum = match kind {
            Kind::FromFirst => windows,
            // Nobody knows how soon the first window ends, so more callers than start at once may miss it.
            Kind::Fixed(_) if callers > 4 => windows,
            _ => optimum(&scenario),
        };
        prop_assert!(outcome.took <= optimum.mul_f64(1.02), "{:?} for {optimum:?}", outcome.took);
    }

    #[test]
    fn a_window_of_few_requests_takes_no_window_more_than_it_needs(
        kind in kinds(), limit in 4..16_u64, windows in 1..=4_usize, more in 0..4_usize,
        seed in any::<u64>(), start in start(),
    ) {
        let requests = limit as usize * windows + more;
        let scenario = Scenario { seed, start, ..Scenario::new(kind, limit, requests) };
        let outcome = run(&scenario);
        let windows = MINUTE * ((requests as u64 - 1) / limit) as u32;
        let rest = (requests - 1) % limit as usize + 1;
        let bound = windows.mul_f64(1.02) + simulation::latency_bound(seed, rest, 4) + MINUTE / 60;
        prop_assert!(outcome.took <= bound, "{:?} for {bound:?}", outcome.took);
    }

    #[test]
    fn requests_leave_in_the_order_in_which_they_were_asked_for(scenario in truthful()) {
        let scenario = Scenario { idle: Vec::new(), ..scenario };
        let outcome = run(&scenario);
        // Those that leave at the same instant may do so in any order.
        let mut sent: Vec<_> = outcome.sent.iter().zip(&outcome.order).collect();
        sent.sort_unstable();
        let order: Vec<_> = sent.iter().map(|(_, request)| **request).collect();
        prop_assert!(order.is_sorted(), "{:?}", order);
    }

    #[test]
    fn headers_that_lie_cost_no_more_refusals_than_requests_were_in_flight(
        scenario in truthful(), lie in lies(), honest in any::<bool>(),
    ) {
        // A limit below the one that is assumed before the first response is refused by even spreading too.
        let limit = scenario.limit.max(60);
        let wait = if honest { scenario.wait } else { Wait::Absent };
        let requests = scenario.requests.min(400);
        let scenario = Scenario { limit, lie: Some(lie), idle: Vec::new(), wait, requests, ..scenario };
        let outcome = run(&scenario);
        // Requests are spread by the limit that the headers give, which may be another one each time.
        let most = outcome.at_first_refusal + if lie == Lie::Random { 4 } else { 0 };
        prop_assert!(outcome.refused <= most, "{most} at most: {:?} {:?}", outcome.refusals, outcome.sent);
        prop_assert!(outcome.refused == 0 || outcome.is_spread);
    }

    #[test]
    fn a_share_keeps_to_its_part_in_every_minute(scenario in truthful(), part in 1..20_u32, others in others()) {
        let share = f64::from(part) / 20.0;
        let (limit, requests) = (scenario.limit.max(60), scenario.requests.min(300));
        let scenario = Scenario { limit, share, others, requests, ..scenario };
        let outcome = run(&scenario);
        let ours = (scenario.limit as f64 * share).floor() as usize;
        for (first, start) in outcome.arrived.iter().enumerate() {
            let within = outcome.arrived[first..].iter().take_while(|at| **at < *start + MINUTE).count();
            prop_assert!(within <= ours, "{within} of {ours} from {start:?}");
        }
    }

    #[test]
    fn what_was_used_before_the_first_request_is_believed(scenario in truthful(), left in 4..300_u64) {
        let before = scenario.limit.saturating_sub(left);
        let outcome = run(&Scenario { before, idle: Vec::new(), ..scenario.clone() });
        prop_assert_eq!(outcome.refused, 0, "{:?} of {:?}", outcome.refusals, outcome.sent);
    }

    #[test]
    fn a_token_that_is_used_up_refuses_the_first_four_requests_and_no_other(scenario in truthful(), left in 0..4_u64) {
        let before = scenario.limit.saturating_sub(left);
        let outcome = run(&Scenario { before, idle: Vec::new(),
            rounding: Rounding::Up, ..scenario.clone() });
        prop_assert!(outcome.refused as u64 <= 4 - left, "{:?}", outcome.refusals);
        prop_assert!(!outcome.is_spread);
    }

    #[test]
    fn each_request_of_another_process_costs_at_most_one_refusal_beside_those_in_flight(
        scenario in truthful(), others in others(),
    ) {
        let scenario = Scenario { limit: scenario.limit.max(60), others, idle: Vec::new(), ..scenario };
        let outcome = run(&scenario);
        let most = outcome.at_first_refusal + scenario.others.len();
        prop_assert!(outcome.refused <= most, "{most} at most: {:?}", outcome.refusals);
    }
}

/// When another process sends requests.
fn others() -> impl Strategy<Value = Vec<Duration>> {
    let at = prop_oneof![0..5_000_u64, 0..200_000_u64].prop_map(Duration::from_millis);
    prop::collection::vec(at, 0..60)
}
