//! Counts attempts and waits with an observer, for a metrics system.
//!
//! `cargo run --example observe_metrics` runs it on the embedded reference server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use webflow_cms::observe::{AttemptEnd, AttemptEnded, Observer, WaitEnded};
use webflow_cms::{Batch, Client, CollectionId, ItemId, ItemUpdate, Token};
use webflow_cms_reference::{ReferenceServer, Reply, Variant};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const LAMP: &str = "66f6ed9576ddacf3149d5ea6";

/// Counters that clones share: the client has one clone, the exporter of the metrics another.
#[derive(Clone, Debug, Default)]
struct Metrics {
    attempts: Arc<AtomicU64>,
    failed_attempts: Arc<AtomicU64>,
    waited_ms: Arc<AtomicU64>,
}

impl Observer for Metrics {
    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.attempts.fetch_add(1, Relaxed);
        if let AttemptEnd::Failed(kind) = ended.end {
            self.failed_attempts.fetch_add(1, Relaxed);
            println!(
                "call {}, attempt {}: {}",
                ended.call,
                ended.number,
                kind.as_str()
            );
        }
    }

    fn wait_ended(&self, ended: &WaitEnded) {
        self.waited_ms
            .fetch_add(ended.waited.as_millis() as u64, Relaxed);
        println!(
            "call {} waited {:.1?}: {}",
            ended.call,
            ended.waited,
            ended.cause.as_str()
        );
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lamp = Variant::named("Lamp", "lamp");
    let server = ReferenceServer::builder()
        .item(COLLECTION, LAMP, None, lamp)
        .start()
        .await;
    server.script([Reply::new(429).header("retry-after", "1")]); // The first request only.

    let metrics = Metrics::default();
    // For Webflow: leave out `base_url`, and take the token from the environment.
    let client = Client::builder(Token::new(server.token())?)
        .base_url(server.base_url())
        .observer(metrics.clone())
        .build()?;
    let batch = Batch::new([ItemUpdate::new(ItemId::new(LAMP)?).field("name", "Star lamp")?])?;
    client.update(CollectionId::new(COLLECTION)?, batch).await?;

    let Metrics {
        attempts,
        failed_attempts,
        waited_ms,
    } = metrics;
    println!("attempts: {attempts:?}, failed: {failed_attempts:?}, waited: {waited_ms:?} ms");
    Ok(())
}
