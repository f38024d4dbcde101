//! `cargo xtask bench pace`: the time that the rate limiter costs, and the requests that are refused in spite of it.
//!
//! The client is the SDK's own, over sockets; only time is virtual.

use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use webflow_cms::observe::{AttemptEnded, AttemptStarted, Observer, WaitEnded, WaitStarted};
use webflow_cms::{
    Batch, Client, CollectionId, Error, ItemId, ItemUpdate, RateLimiter, Token, reqwest,
};
use webflow_cms_conformance::clients::SdkTime;
use webflow_cms_reference::{Limiter, Model, Settings, Variant, VirtualTime, World};

const REQUESTS: usize = 1_000;
const LIMIT: u32 = 120;
const FALLEN: u32 = 60;
const WORKERS: usize = 4;
const MOST: f64 = 1.02;
const SEED: u64 = 1;

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const LAMP: &str = "66f6ed9576ddacf3149d5ea6";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("\n{missed} rows miss their target");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize, Failure> {
    let world = World::new(Settings::default())?;
    let mut missed = 0;
    println!(
        "{REQUESTS} requests at {LIMIT} a minute, each 50 to 500 ms in flight\n\
         a factor above {MOST} or a 429 is a miss\n"
    );
    println!("{}", Row::HEAD);
    for (server, limiter) in servers(1) {
        for callers in [Callers::Workers, Callers::AllAtOnce] {
            let trial = Trial::new(&world, limiter.clone())?;
            let row = trial.row(server, callers)?;
            missed += show(&row, row.factor() <= MOST && row.refused == 0);
        }
    }
    for (server, limiter) in servers(2) {
        let trial = Trial::new(&world, limiter)?;
        let row = trial.row(server, Callers::TwoClients)?;
        missed += show(&row, row.factor() <= MOST && row.refused == 0);
    }
    println!(
        "\nthe limit falls to {FALLEN} half way; more 429s than requests in flight at the first is a miss\n"
    );
    println!("{}", Row::HEAD);
    for (server, limiter) in servers(1) {
        let trial = Trial::new(&world, limiter)?.falling();
        let row = trial.row(server, Callers::AllAtOnce)?;
        missed += show(&row, row.refused <= row.in_flight);
    }
    Ok(missed)
}

/// The servers, one for each window algorithm. Requests of one client that overtake each other take two tokens at once,
/// so no bucket holds fewer.
fn servers(clients: u32) -> Vec<(&'static str, Limiter)> {
    let small = if clients == 1 {
        "token bucket of 2"
    } else {
        "token bucket of 4"
    };
    let fixed = |phase| Limiter::fixed_window(LIMIT, Duration::from_millis(phase));
    vec![
        ("fixed window from 0 s", fixed(0)),
        ("fixed window from 0.3 s", fixed(300)),
        ("fixed window from 17 s", fixed(17_000)),
        ("fixed window from 30 s", fixed(30_000)),
        ("fixed window from 59.9 s", fixed(59_900)),
        ("sliding window", Limiter::sliding_window(LIMIT)),
        ("token bucket", Limiter::token_bucket(LIMIT)),
        (small, Limiter::token_bucket_of(LIMIT, 2 * clients)),
    ]
}

fn show(row: &Row, hit: bool) -> usize {
    println!("{row}{}", if hit { "" } else { "  MISSED" });
    usize::from(!hit)
}

#[derive(Clone, Copy)]
enum Callers {
    /// A few callers, each with one request after the other.
    Workers,
    AllAtOnce,
    /// Two clients without knowledge of each other, each with half of the limit.
    TwoClients,
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workers => f.pad(&format!("{WORKERS} workers")),
            Self::AllAtOnce => f.pad("all at once"),
            Self::TwoClients => f.pad("2 clients of 0.5"),
        }
    }
}

struct Row {
    server: &'static str,
    callers: Callers,
    took: Duration,
    minimum: Duration,
    refused: usize,
    /// Requests in flight at the first 429.
    in_flight: usize,
    real: Duration,
}

impl Row {
    const HEAD: &str = "server                    callers            requests       took    minimum  factor  \
                        429s  in flight  real time";

    fn factor(&self) -> f64 {
        self.took.as_secs_f64() / self.minimum.as_secs_f64()
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<25} {:<18} {REQUESTS:>8}  {:>7.2} s  {:>7.2} s  {:.4}  {:>4}  {:>9}  {:>7.2} s",
            self.server,
            self.callers,
            self.took.as_secs_f64(),
            self.minimum.as_secs_f64(),
            self.factor(),
            self.refused,
            self.in_flight,
            self.real.as_secs_f64(),
        )
    }
}

struct Trial<'a> {
    world: &'a World,
    watch: Watch,
    falls: bool,
    batch: Batch,
    collection: CollectionId,
}

impl<'a> Trial<'a> {
    fn new(world: &'a World, limiter: Limiter) -> Result<Self, Failure> {
        let lamp = Variant::named("Lamp", "lamp");
        world.reset(Model::new().insert(COLLECTION, LAMP, None, lamp))?;
        world.limit(limiter);
        world.latency(latency);
        let update = ItemUpdate::new(ItemId::new(LAMP)?).field("name", "Star lamp")?;
        Ok(Self {
            world,
            watch: Watch::new(world.time()),
            falls: false,
            batch: Batch::new([update])?,
            collection: CollectionId::new(COLLECTION)?,
        })
    }

    fn falling(self) -> Self {
        Self {
            falls: true,
            ..self
        }
    }

    fn client(&self, rate_limiter: RateLimiter) -> Result<Client, Error> {
        Client::builder(Token::new(self.world.server().token())?)
            .base_url(self.world.base_url())
            // Nothing here is encrypted, so the system's certificates are not loaded.
            .http(reqwest::Client::builder().no_proxy().tls_certs_only([]))
            .clock(SdkTime(self.world.time()))
            .observer(self.watch.clone())
            .rate_limiter(rate_limiter)
            .build()
    }

    fn row(&self, server: &'static str, callers: Callers) -> Result<Row, Failure> {
        let clients = match callers {
            Callers::Workers | Callers::AllAtOnce => vec![self.client(RateLimiter::new())?],
            Callers::TwoClients => vec![
                self.client(RateLimiter::new().share(0.5)?)?,
                self.client(RateLimiter::new().share(0.5)?)?,
            ],
        };
        let tasks = match callers {
            Callers::Workers => WORKERS,
            Callers::AllAtOnce | Callers::TwoClients => REQUESTS,
        };
        let minimum = minute_over(LIMIT) * count(REQUESTS - 1);
        let half = minute_over(LIMIT) * count(REQUESTS / 2);
        let started = Instant::now();
        let calls = clients
            .iter()
            .cycle()
            .take(tasks)
            .map(|client| self.calls(client, REQUESTS / tasks));
        let fall = async {
            if self.falls {
                self.world.time().pause(half).await;
                self.world.server().core().set_limit(FALLEN);
            }
        };
        let (ended, ()) = self.world.run(join(join_all(calls), fall))?;
        ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        let minimum = if self.falls {
            minimum + minute_over(FALLEN) * count(REQUESTS / 2) - half
        } else {
            minimum
        };
        let seen = self.watch.seen();
        Ok(Row {
            server,
            callers,
            took: self.world.time().elapsed(),
            minimum,
            refused: seen.refused,
            in_flight: seen.at_first_refusal,
            real: started.elapsed(),
        })
    }

    /// This number of calls, one after the other.
    async fn calls(&self, client: &Client, calls: usize) -> Result<(), Error> {
        let time = self.world.time();
        for _ in 0..calls {
            let call = client.update(self.collection, self.batch.clone());
            let _ = time.caller(call.send()).await?;
        }
        Ok(())
    }
}

fn minute_over(limit: u32) -> Duration {
    Duration::from_secs(60) / limit
}

fn count(requests: usize) -> u32 {
    u32::try_from(requests).unwrap_or(u32::MAX)
}

/// A latency in two parts, by the number of the request.
fn latency(number: usize) -> (Duration, Duration) {
    let mut rng = fastrand::Rng::with_seed(SEED ^ u64::try_from(number).unwrap_or(0));
    let whole = rng.u64(50..=500);
    let there = rng.u64(0..=whole);
    (
        Duration::from_millis(there),
        Duration::from_millis(whole - there),
    )
}

/// An observer that reports to the virtual time and counts requests in flight.
#[derive(Clone, Debug)]
struct Watch {
    time: SdkTime,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    in_flight: usize,
    refused: usize,
    at_first_refusal: usize,
}

impl Watch {
    fn new(time: VirtualTime) -> Self {
        let seen = Arc::default();
        Self {
            time: SdkTime(time),
            seen,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn attempt_started(&self, started: &AttemptStarted) {
        self.time.attempt_started(started);
        self.seen().in_flight += 1;
    }

    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.time.attempt_ended(ended);
        let mut seen = self.seen();
        if ended.status.is_some_and(|status| status == 429) {
            if seen.refused == 0 {
                seen.at_first_refusal = seen.in_flight;
            }
            seen.refused += 1;
        }
        seen.in_flight -= 1;
    }

    fn wait_started(&self, started: &WaitStarted) {
        self.time.wait_started(started);
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        self.time.wait_ended(ended);
    }
}
