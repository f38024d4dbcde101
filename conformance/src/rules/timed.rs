//! What the rules about time have in common: a client in a virtual time, and the server that it talks to.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::site;
use crate::client::{ClientSettings, Entry, Options, Outcome, Random, RateLimiter, Session};
use crate::harness::Harness;
use crate::panics;
use webflow_cms_reference::Model;
use webflow_cms_reference::World;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A client in a world that has just begun.
pub(crate) struct Fixture<'a> {
    pub(crate) world: &'a World,
    pub(crate) client: Box<dyn Session>,
}

/// Begins a case. The client keeps no pace and has no bound, but for what is changed.
pub(crate) fn fixture<'a>(
    harness: &'a Harness<'_>,
    change: impl FnOnce(&mut ClientSettings),
) -> Result<Fixture<'a>, String> {
    let entries: Vec<_> = (0..ITEMS).map(|item| site::marked((item, 0))).collect();
    fixture_with(harness, site::model_of(&entries), change)
}

/// The same on a site that is like this.
pub(crate) fn fixture_with<'a>(
    harness: &'a Harness<'_>,
    model: Model,
    change: impl FnOnce(&mut ClientSettings),
) -> Result<Fixture<'a>, String> {
    let world = harness.world();
    world.reset(model).map_err(|error| error.to_string())?;
    let client = client(harness, change)?;
    Ok(Fixture { world, client })
}

/// One more client in the same world.
pub(crate) fn client(
    harness: &Harness<'_>,
    change: impl FnOnce(&mut ClientSettings),
) -> Result<Box<dyn Session>, String> {
    let world = harness.world();
    let mut settings = ClientSettings {
        base_url: world.base_url(),
        token: world.server().token(),
        collection_id: site::COLLECTION.to_owned(),
        rate_limiter: RateLimiter::Unlimited,
        client_defaults: false,
        max_attempts: 5,
        retry_ambiguous: true,
        backoff: (SECOND, 30 * SECOND),
        max_retry_after: 120 * SECOND,
        retry_budget: None,
        attempt_timeout: 60 * SECOND,
        operation_timeout: None,
        random: Random::Always(0.5),
    };
    change(&mut settings);
    harness
        .client()
        .timed()
        .ok_or("the client's time cannot be made virtual")?
        .session(&world.time(), &settings)
}

/// A pace that is as good as none until a response tells the limit.
pub(crate) const NEARLY_UNLIMITED: RateLimiter = RateLimiter::WithInitialLimit(100_000_000);

/// How many items the site has.
const ITEMS: usize = 8;

/// The entry that call number `call` sends.
pub(crate) fn entry(call: usize) -> Vec<Entry> {
    vec![site::marked((call % ITEMS, 0))]
}

impl Fixture<'_> {
    /// Lets time pass until the future is ready.
    pub(crate) fn run<F: Future>(&self, future: F) -> Result<F::Output, String> {
        self.world
            .run(future)
            .map_err(|stalled| stalled.to_string())
    }

    /// Makes one call to its end. When it ended, too.
    pub(crate) fn call(&self) -> Result<(Outcome, Duration), String> {
        self.run(self.update(0))
    }

    pub(crate) async fn update(&self, call: usize) -> (Outcome, Duration) {
        self.update_with(entry(call), Options::default()).await
    }

    /// Makes a call of these entries. When it ended, too.
    pub(crate) async fn update_with(
        &self,
        items: Vec<Entry>,
        options: Options,
    ) -> (Outcome, Duration) {
        let outcome = guarded(self.client.update(items, options)).await;
        (outcome, self.world.time().elapsed())
    }

    /// When the requests arrived.
    pub(crate) fn arrivals(&self) -> Vec<Duration> {
        self.world
            .server()
            .core()
            .read_log(|log| log.iter().map(|exchange| exchange.at).collect())
    }

    /// When the requests arrived that were answered with 429.
    pub(crate) fn refusals(&self) -> Vec<Duration> {
        self.world.server().core().read_log(|log| {
            log.iter()
                .filter(|exchange| {
                    exchange
                        .reply
                        .as_ref()
                        .is_some_and(|reply| reply.status == 429)
                })
                .map(|exchange| exchange.at)
                .collect()
        })
    }

    /// Fails unless so many requests arrived.
    pub(crate) fn sent(&self, expected: usize) -> Result<Vec<Duration>, String> {
        let arrivals = self.arrivals();
        if arrivals.len() == expected {
            return Ok(arrivals);
        }
        Err(format!(
            "{} requests were sent instead of {expected}, at {arrivals:?}",
            arrivals.len()
        ))
    }
}

/// A call whose panic is an outcome.
pub(crate) async fn guarded(call: impl Future<Output = Outcome>) -> Outcome {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Outcome::Crashed {
            reason: panics::caught(&*panic),
        })
}

/// Fails unless a time is within bounds, both included.
pub(crate) fn within(
    what: &str,
    time: Duration,
    least: Duration,
    most: Duration,
) -> Result<(), String> {
    if (least..=most).contains(&time) {
        return Ok(());
    }
    Err(format!(
        "{what} is {time:?} and not from {least:?} to {most:?}"
    ))
}

/// The most arrivals in any 60 seconds.
pub(crate) fn busiest_minute(arrivals: &[Duration]) -> usize {
    let mut sorted = arrivals.to_vec();
    sorted.sort_unstable();
    (0..sorted.len())
        .map(|first| {
            let end = sorted[first] + 60 * SECOND;
            sorted[first..].iter().take_while(|at| **at < end).count()
        })
        .max()
        .unwrap_or(0)
}
