//! How long the rate limit makes a bulk run take.

mod support;

use std::time::Duration;

use support::{COLLECTION, SdkTime, collection};
use webflow_cms::{Client, ItemId, ItemUpdate, RateLimiter, Token, reqwest};
use webflow_cms_reference::World;
use webflow_cms_reference::{Exchange, Limiter, Model, Settings, Variant};

const LIMIT: u32 = 120;
const MINUTE: Duration = Duration::from_secs(60);

fn id(number: u64) -> String {
    format!("66f6ed95{number:016x}")
}

/// 50 to 500 ms in two parts, which the number of the request decides.
fn latency(number: usize) -> (Duration, Duration) {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let whole = random.u64(50..=500);
    let there = random.u64(0..=whole);
    (
        Duration::from_millis(there),
        Duration::from_millis(whole - there),
    )
}

/// How long so many requests take if nothing else is waited for: a run sends the first one alone, then four at a time.
fn latency_bound(requests: u64) -> Duration {
    let time = |number: u64| latency(usize::try_from(number).expect("few"));
    let (there, back) = time(0);
    let mut free = [there + back; 4];
    for number in 1..requests {
        let (there, back) = time(number);
        let next = free.iter_mut().min().expect("four of them");
        *next += there + back;
    }
    free.into_iter().max().expect("four of them")
}

fn limiters() -> [Limiter; 5] {
    [
        Limiter::window_from_first_request(LIMIT),
        Limiter::fixed_window(LIMIT, Duration::ZERO),
        Limiter::fixed_window(LIMIT, Duration::from_millis(17_300)),
        Limiter::sliding_window(LIMIT),
        Limiter::token_bucket(LIMIT),
    ]
}

/// Updates so many items in a bulk run: the time that it took, of which every request was accepted.
fn run(world: &World, limiter: &Limiter, rate_limiter: RateLimiter, items: u64) -> Duration {
    let insert = |model: Model, number| {
        model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
    };
    let model = (0..items).fold(Model::new(), insert);
    world.reset(model).expect("a port");
    world.limit(limiter.clone());
    world.latency(latency);
    let token = Token::new(world.server().token()).expect("a token");
    let client = Client::builder(token)
        .base_url(world.base_url())
        .http(reqwest::Client::builder().no_proxy())
        .clock(SdkTime(world.time()))
        .observer(SdkTime(world.time()))
        .rate_limiter(rate_limiter)
        .build()
        .expect("a client");
    let updates = (0..items).map(|number| {
        let update = ItemUpdate::new(ItemId::new(id(number)).expect("an id"));
        update.field("mark", number).expect("a field")
    });
    let run = client.bulk(collection()).run(updates).expect("a run");
    let report = world.run(run.finish()).expect("time passes");
    assert!(report.is_complete(), "{report}");

    let requests = items.div_ceil(100);
    assert_eq!(report.statistics.min_requests, requests);
    let log = world.log();
    assert_eq!(log.len() as u64, requests, "{limiter:?}: {log:?}");
    let accepted = |exchange: &Exchange| exchange.applied > 0;
    assert!(log.iter().all(accepted), "{limiter:?}: {log:?}");
    report.statistics.elapsed
}

/// `cargo xtask bench rate_limit` shows the same of more requests.
#[test]
fn a_run_within_the_limit_takes_the_time_of_its_latencies_and_no_request_too_many() {
    let world = World::new(Settings::default()).expect("a port");
    for limiter in limiters() {
        for items in [100, 1_000, 4_000] {
            let took = run(&world, &limiter, RateLimiter::new(), items);
            let bound = latency_bound(items / 100);
            println!("{limiter:?}: {items} items in {took:?}, latency bound {bound:?}");
            assert!(
                took <= bound.mul_f64(1.1),
                "{limiter:?}: {took:?} for {bound:?}"
            );
        }
    }
}

#[test]
fn a_run_beyond_the_limit_waits_for_the_windows_and_no_longer() {
    const ITEMS: u64 = 24_500;
    let world = World::new(Settings::default()).expect("a port");
    for limiter in limiters() {
        let took = run(&world, &limiter, RateLimiter::new(), ITEMS);
        let bound = 2 * MINUTE + latency_bound(5);
        assert!(
            took <= bound.mul_f64(1.02),
            "{limiter:?}: {took:?} for {bound:?}"
        );
    }
}

#[test]
fn a_run_that_is_spread_takes_the_time_of_even_requests() {
    let world = World::new(Settings::default()).expect("a port");
    for limiter in limiters() {
        let took = run(&world, &limiter, RateLimiter::new().spread(), 2_100);
        let least = MINUTE * 20 / LIMIT;
        let most = least.mul_f64(1.02) + Duration::from_millis(1_500);
        assert!(
            least <= took && took <= most,
            "{limiter:?}: {took:?} for {least:?}"
        );
    }
}
