//! `cargo xtask bench bulk`: the number of requests of a bulk run, and its time against the minimum under the rate
//! limit.

use std::error::Error;
use std::time::{Duration, Instant};

use webflow_cms::bulk::Report;
use webflow_cms::{Client, CollectionId, ItemId, ItemUpdate, Token, reqwest};
use webflow_cms_conformance::clients::SdkTime;
use webflow_cms_reference::{Limiter, Model, Settings, Variant, World};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";

/// Requests per minute.
const LIMIT: u32 = 120;

/// Maximum time of a run as a multiple of the minimum.
const MOST: f64 = 1.02;

fn main() -> Result<(), Box<dyn Error>> {
    let world = World::new(Settings::default())?;
    let limiters = [
        (
            "fixed window",
            Limiter::fixed_window(LIMIT, Duration::from_millis(17_300)),
        ),
        ("sliding window", Limiter::sliding_window(LIMIT)),
        ("token bucket", Limiter::token_bucket(LIMIT)),
    ];
    println!(
        "{LIMIT} requests a minute, each with a response after 50 to 500 ms; the time is virtual\n"
    );
    println!(
        "{:>6}  {:<14}  {:>8}  {:>8}  {:>4}  {:>9}  {:>9}  {:>5}  {:>9}",
        "items", "limiter", "requests", "overhead", "429s", "least", "took", "ratio", "real time"
    );
    let mut ended = Vec::new();
    for items in [0, 1, 99, 100, 101, 1_000, 40_000] {
        for (name, limiter) in &limiters {
            ended.push(row(&world, items, name, limiter)?);
        }
    }
    match ended.into_iter().all(|ended| ended) {
        true => Ok(()),
        false => Err("a run sent more requests than it must, or took too long".into()),
    }
}

/// Whether the run needed no more requests and time than allowed.
fn row(world: &World, items: u64, name: &str, limiter: &Limiter) -> Result<bool, Box<dyn Error>> {
    world.reset(model(items))?;
    world.limit(limiter.clone());
    world.latency(latency);
    let began = Instant::now();
    let report = run(world, items)?;
    let (requests, refused) = world.server().core().read_log(|log| {
        let too_many = |status| status == http::StatusCode::TOO_MANY_REQUESTS;
        let statuses = log
            .iter()
            .filter_map(|exchange| Some(exchange.reply.as_ref()?.status));
        (
            log.len() as u64,
            statuses.filter(|status| too_many(*status)).count(),
        )
    });
    let least = items.div_ceil(100).saturating_sub(1) as f64 * 60.0 / f64::from(LIMIT);
    let took = report.statistics.elapsed.as_secs_f64();
    let ratio = if least > 0.0 {
        format!("{:.3}", took / least)
    } else {
        "-".to_owned()
    };
    println!(
        "{items:>6}  {name:<14}  {requests:>8}  {:>8.2}  {refused:>4}  {least:>7.1} s  {took:>7.1} s  {ratio:>5}  \
         {:>7.1} s",
        report.statistics.overhead(),
        began.elapsed().as_secs_f64()
    );
    // A short run waits for its last response about as long as for the rate limiter.
    let most = (least * MOST).max(least + 1.0);
    Ok(report.is_complete() && requests == items.div_ceil(100) && refused == 0 && took <= most)
}

fn run(world: &World, items: u64) -> Result<Report, Box<dyn Error>> {
    let time = SdkTime(world.time());
    let client = Client::builder(Token::new(world.server().token())?)
        .base_url(world.base_url())
        .http(reqwest::Client::builder().no_proxy())
        .clock(time.clone())
        .observer(time)
        .build()?;
    let updates = (0..items).map(|number| {
        let update = ItemUpdate::new(ItemId::new(id(number)).expect("an id"));
        update.field("mark", &number).expect("a field")
    });
    let run = client.bulk(CollectionId::new(COLLECTION)?).run(updates)?;
    Ok(world.run(run.finish())?)
}

fn id(number: u64) -> String {
    format!("66f6ed95{number:016x}")
}

fn model(items: u64) -> Model {
    (0..items).fold(Model::new(), |model, number| {
        model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
    })
}

/// A latency of 50 to 500 ms in two parts, by the number of the request.
fn latency(number: usize) -> (Duration, Duration) {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let whole = random.u64(50..=500);
    let there = random.u64(0..=whole);
    (
        Duration::from_millis(there),
        Duration::from_millis(whole - there),
    )
}
