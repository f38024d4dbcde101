//! How a bulk run keeps the pace of its client.

mod support;

use std::time::Duration;

use support::{COLLECTION, SdkTime, collection};
use webflow_cms::{Client, ItemId, ItemUpdate, Token, reqwest};
use webflow_cms_reference::World;
use webflow_cms_reference::{Exchange, Limiter, Model, Settings, Variant};

const ITEMS: u64 = 2_100;
const LIMIT: u32 = 120;

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

/// `cargo xtask bench bulk` shows the same of 40,000 items.
#[test]
fn a_run_takes_the_time_of_its_pace_and_no_request_too_many() {
    let world = World::new(Settings::default()).expect("a port");
    for limiter in [
        Limiter::fixed_window(LIMIT, Duration::from_millis(17_300)),
        Limiter::sliding_window(LIMIT),
        Limiter::token_bucket(LIMIT),
    ] {
        let insert = |model: Model, number| {
            model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
        };
        let model = (0..ITEMS).fold(Model::new(), insert);
        world.reset(model).expect("a port");
        world.limit(limiter.clone());
        world.latency(latency);
        let token = Token::new(world.server().token()).expect("a token");
        let client = Client::builder(token)
            .base_url(world.base_url())
            .http(reqwest::Client::builder().no_proxy())
            .clock(SdkTime(world.time()))
            .observer(SdkTime(world.time()))
            .build()
            .expect("a client");
        let updates = (0..ITEMS).map(|number| {
            let update = ItemUpdate::new(ItemId::new(id(number)).expect("an id"));
            update.field("mark", number).expect("a field")
        });
        let run = client.bulk(collection()).run(updates).expect("a run");
        let report = world.run(run.finish()).expect("time passes");
        assert!(report.is_complete(), "{report}");

        let requests = ITEMS.div_ceil(100);
        assert_eq!(report.statistics.min_requests, requests);
        let log = world.log();
        assert_eq!(log.len() as u64, requests, "{limiter:?}: {log:?}");
        let accepted = |exchange: &Exchange| exchange.applied > 0;
        assert!(log.iter().all(accepted), "{limiter:?}: {log:?}");
        let gaps = u32::try_from(requests - 1).expect("few");
        let least = Duration::from_secs(60) * gaps / LIMIT;
        let most = least.mul_f64(1.02) + Duration::from_millis(500);
        let took = report.statistics.elapsed;
        assert!(
            least <= took && took <= most,
            "{limiter:?}: {took:?}, at least {least:?}"
        );
    }
}
