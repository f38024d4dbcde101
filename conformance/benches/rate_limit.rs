//! `cargo xtask bench rate_limit`: the time that requests take under the rate limit, the least possible time, and the
//! requests that are refused in spite of the rate limiter.
//!
//! The client is the SDK's own, over sockets; only time is virtual.

use std::cell::Cell;
use std::fmt;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{join, join_all};
use webflow_cms::observe::{AttemptEnded, AttemptStarted, Observer, WaitEnded, WaitStarted};
use webflow_cms::{
    Batch, Client, CollectionId, Error, ItemId, ItemUpdate, RateLimiter, Token, reqwest,
};
use webflow_cms_conformance::clients::SdkTime;
use webflow_cms_reference::{Limiter, Model, Settings, Variant, VirtualTime, World};

const LIMIT: u32 = 120;
const FALLEN: u32 = 60;
const WORKERS: usize = 4;
const REQUESTS: [usize; 7] = [1, 10, 40, 120, 121, 400, 1_000];
/// How much longer than the least time is a miss, up to the limit and beyond it.
const MOST_WITHIN: f64 = 1.1;
const MOST_BEYOND: f64 = 1.02;
const SEED: u64 = 1;
const MINUTE: Duration = Duration::from_secs(60);
const PHASE: Duration = Duration::from_secs(17);

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
        "{LIMIT} requests a minute, each 50 to 500 ms in flight\n\n{}",
        Row::HEAD
    );
    for window in WINDOWS {
        for requests in REQUESTS {
            let trial = Trial::new(&world, window.limiter())?;
            let row = trial.row(window, Callers::Workers, requests)?;
            missed += show(&row, row.ratio() <= row.most() && row.refused == 0);
        }
        let trial = Trial::new(&world, window.limiter())?;
        let row = trial.row(window, Callers::AllAtOnce, 400)?;
        missed += show(&row, row.refused == 0);
        for callers in [Callers::Spread, Callers::TwoClients] {
            let trial = Trial::new(&world, window.limiter())?;
            let row = trial.row(window, callers, 400)?;
            missed += show(&row, row.refused == 0);
        }
    }
    println!(
        "\nthe limit falls to {FALLEN} after 30 s; more 429s than were in flight at the first is a miss\n\n{}",
        Row::HEAD
    );
    for window in WINDOWS {
        let trial = Trial::new(&world, window.limiter())?.falling();
        let row = trial.row(window, Callers::Workers, 400)?;
        missed += show(&row, row.refused <= row.in_flight);
    }
    Ok(missed)
}

fn show(row: &Row, hit: bool) -> usize {
    println!("{row}{}", if hit { "" } else { "  MISSED" });
    usize::from(!hit)
}

#[derive(Clone, Copy)]
enum Window {
    FromFirst,
    Fixed,
    Sliding,
    Bucket,
}

const WINDOWS: [Window; 4] = [
    Window::FromFirst,
    Window::Fixed,
    Window::Sliding,
    Window::Bucket,
];

impl Window {
    fn limiter(self) -> Limiter {
        match self {
            Self::FromFirst => Limiter::window_from_first_request(LIMIT),
            Self::Fixed => Limiter::fixed_window(LIMIT, PHASE),
            Self::Sliding => Limiter::sliding_window(LIMIT),
            Self::Bucket => Limiter::token_bucket(LIMIT),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::FromFirst => "from first request",
            Self::Fixed => "fixed, from 17 s",
            Self::Sliding => "sliding",
            Self::Bucket => "token bucket",
        }
    }

    /// The least time that so many requests take. A fixed window may end sooner, which a client cannot know.
    fn optimum(self, requests: usize) -> Duration {
        let limit = usize::try_from(LIMIT).unwrap_or(usize::MAX);
        let all = latency_bound(requests);
        let (windows, rest) = ((requests - 1) / limit, (requests - 1) % limit + 1);
        let windows = MINUTE * count(windows);
        match self {
            Self::FromFirst | Self::Fixed | Self::Sliding => windows + latency_bound(rest),
            Self::Bucket => all.max(MINUTE * count(requests.saturating_sub(limit)) / LIMIT),
        }
    }
}

/// How long so many requests take, a few at a time, if nothing else is waited for.
fn latency_bound(requests: usize) -> Duration {
    let mut free = [Duration::ZERO; WORKERS];
    for number in 0..requests {
        let (there, back) = latency(number);
        if let Some(next) = free.iter_mut().min() {
            *next += there + back;
        }
    }
    free.into_iter().max().unwrap_or_default()
}

#[derive(Clone, Copy)]
enum Callers {
    /// A few, each with one request after the other, as a bulk run has them.
    Workers,
    AllAtOnce,
    /// The same few, evenly spread.
    Spread,
    /// Two clients without knowledge of each other, each with half of the limit.
    TwoClients,
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workers => f.pad(&format!("{WORKERS} at a time")),
            Self::AllAtOnce => f.pad("all at once"),
            Self::Spread => f.pad(&format!("{WORKERS}, spread")),
            Self::TwoClients => f.pad("2 shares of 0.5"),
        }
    }
}

struct Row {
    window: Window,
    callers: Callers,
    requests: usize,
    took: Duration,
    refused: usize,
    /// Requests in flight at the first 429.
    in_flight: usize,
    /// Whether the limit fell, so that the least time is another one.
    falls: bool,
}

impl Row {
    const HEAD: &str =
        "window              callers          requests       took    optimum   ratio  429s";

    fn ratio(&self) -> f64 {
        self.took.as_secs_f64() / self.window.optimum(self.requests).as_secs_f64()
    }

    fn most(&self) -> f64 {
        match self.requests {
            ..=120 => MOST_WITHIN,
            _ => MOST_BEYOND,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let optimum = self.window.optimum(self.requests).as_secs_f64();
        let (optimum, ratio) = match self.falls {
            false => (format!("{optimum:.2} s"), format!("{:.4}", self.ratio())),
            true => (String::new(), String::new()),
        };
        write!(
            f,
            "{:<19} {:<15} {:>9}  {:>7.2} s  {:>9}  {:>6}  {:>4}",
            self.window.name(),
            self.callers,
            self.requests,
            self.took.as_secs_f64(),
            optimum,
            ratio,
            self.refused,
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

    fn row(&self, window: Window, callers: Callers, requests: usize) -> Result<Row, Failure> {
        let default = RateLimiter::new();
        let clients = match callers {
            Callers::Workers | Callers::AllAtOnce => vec![self.client(default)?],
            Callers::Spread => vec![self.client(default.spread())?],
            Callers::TwoClients => vec![
                self.client(default.share(0.5)?)?,
                self.client(default.share(0.5)?)?,
            ],
        };
        let tasks = match callers {
            Callers::Workers | Callers::Spread => WORKERS,
            Callers::AllAtOnce | Callers::TwoClients => requests,
        };
        let left = Cell::new(requests);
        let calls = clients.iter().cycle().take(tasks);
        let calls = calls.map(|client| self.calls(client, &left));
        let fall = async {
            if self.falls {
                self.world.time().pause(MINUTE / 2).await;
                self.world.server().core().set_limit(FALLEN);
            }
        };
        let (ended, ()) = self.world.run(join(join_all(calls), fall))?;
        let ended = ended.into_iter().collect::<Result<Vec<_>, _>>()?;
        let seen = self.watch.seen();
        Ok(Row {
            window,
            callers,
            requests,
            took: ended.into_iter().max().unwrap_or_default(),
            refused: seen.refused,
            in_flight: seen.at_first_refusal,
            falls: self.falls,
        })
    }

    /// Calls one after the other, until so many have been made in all. When the last one ended.
    async fn calls(&self, client: &Client, left: &Cell<usize>) -> Result<Duration, Error> {
        let time = self.world.time();
        while let Some(rest) = left.get().checked_sub(1) {
            left.set(rest);
            let call = client.update(self.collection, self.batch.clone());
            let _ = time.caller(call.send()).await?;
        }
        Ok(time.elapsed())
    }
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
