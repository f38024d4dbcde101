//! A thousand calls at once that are all told to come back in a minute.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use support::{builder_in, collection, one, world};
use webflow_cms::RateLimiter;
use webflow_cms_reference::{Limiter, Reply};

const MOST_CALLS: u64 = 1_000;
const LIMIT: u32 = 120;
const MINUTE: Duration = Duration::from_secs(60);

/// As many calls as this process has files for: each takes one at its own end and one at the server's.
fn calls() -> usize {
    const OTHERS: u64 = 64;
    let calls = (files(OTHERS + 2 * MOST_CALLS) - OTHERS) / 2;
    assert!(
        calls > u64::from(LIMIT),
        "a volley needs more open files: `ulimit -n` is too low"
    );
    usize::try_from(calls.min(MOST_CALLS)).expect("a small number")
}

/// How many files can be open at once, after an attempt to raise that to `wanted`.
#[cfg(unix)]
fn files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(now) = current.filter(|now| *now < wanted) else {
        return wanted;
    };
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    let limit = Rlimit {
        current: Some(raised),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).map_or(now, |()| raised)
}

#[cfg(not(unix))]
fn files(wanted: u64) -> u64 {
    wanted
}

/// A time under way, in two parts, of up to half a second.
fn latency(number: usize) -> (Duration, Duration) {
    let mut rng = fastrand::Rng::with_seed(u64::try_from(number).unwrap_or(0));
    let mut part = || Duration::from_millis(rng.u64(25..=250));
    (part(), part())
}

#[test]
fn a_thousand_calls_that_are_all_told_429_come_back_when_they_may_and_at_the_pace_of_the_limit() {
    let calls = calls();
    let world = world();
    world.limit(Limiter::sliding_window(LIMIT));
    world.latency(latency);
    // The limiter refuses the others.
    let refusal = Reply::new(429)
        .header("retry-after", "60")
        .header("x-ratelimit-limit", &LIMIT.to_string());
    world.script((0..LIMIT).map(|_| refusal.clone()));

    let client = builder_in(&world)
        .rate_limiter(RateLimiter::with_initial_limit(u32::MAX).expect("a pace"))
        .build()
        .expect("a client");
    let (collection, batch, time) = (collection(), one(), world.time());
    let all = (0..calls).map(|_| time.caller(client.update(collection, batch.clone()).send()));
    let ended = world.run(join_all(all)).expect("time passes");

    let log = world.log();
    let answered = |status: u16| {
        log.iter().filter(move |exchange| {
            let reply = exchange.reply.as_ref();
            reply.is_some_and(|reply| reply.status == status)
        })
    };
    assert_eq!(answered(429).count(), calls, "every call is told to wait");
    assert_eq!(answered(200).count(), calls);
    for response in ended {
        assert_eq!(response.expect("an update").attempts(), 2);
    }

    let told = answered(429).filter_map(|exchange| {
        let seconds = exchange.reply.as_ref()?.headers.get("retry-after")?;
        let seconds = seconds.to_str().ok()?.parse().ok()?;
        Some(exchange.acted_at? + Duration::from_secs(seconds))
    });
    let asked = told.max().expect("it was told");
    let mut again: Vec<_> = answered(200).map(|exchange| exchange.at).collect();
    again.sort_unstable();
    assert!(again[0] >= asked, "{:?} is before {asked:?}", again[0]);
    for window in again.windows(LIMIT as usize + 1) {
        let [first, .., last] = window else { continue };
        assert!(*last >= *first + MINUTE, "a burst at {first:?}");
    }
    let least = MINUTE * u32::try_from(calls - 1).expect("a small number") / LIMIT;
    let took = again[calls - 1] - asked;
    assert!(
        took <= least.mul_f64(1.02) + Duration::from_secs(2),
        "{took:?} where {least:?} would do"
    );
}
