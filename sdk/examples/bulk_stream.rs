//! Drives a bulk update in a spawned task, from a channel, with progress and cancellation.
//!
//! `cargo run --example bulk_stream` runs it on the embedded reference server. Ctrl-C cancels it.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::stream;
use tokio::sync::mpsc;
use webflow_cms::{Client, CollectionId, ItemId, ItemUpdate, RateLimiter, Token};
use webflow_cms_reference::{ReferenceServer, Variant};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const ITEMS: u64 = 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ids = (0..ITEMS).map(|number| format!("66f6ed95{number:016x}"));
    let server = ids.clone().fold(ReferenceServer::builder(), |server, id| {
        server.item(COLLECTION, &id, None, Variant::named("Old", "old"))
    });
    let server = server.start().await;
    // For Webflow: `Client::new(Token::new(std::env::var("WEBFLOW_TOKEN")?)?)?`.
    let client = Client::builder(Token::new(server.token())?)
        .base_url(server.base_url())
        .rate_limiter(RateLimiter::fixed(600)?)
        .build()?;

    // The sender waits while the channel is full, so memory use does not grow with the input.
    let (sender, receiver) = mpsc::channel::<Result<ItemUpdate, Infallible>>(100);
    tokio::spawn(async move {
        for id in ids {
            let update = ItemUpdate::new(ItemId::new(id)?).field("name", "New")?;
            if sender.send(Ok(update)).await.is_err() {
                break; // The run has ended.
            }
        }
        Ok::<_, webflow_cms::Error>(())
    });
    let updates = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|update| (update, receiver))
    });

    let bulk = client
        .bulk(CollectionId::new(COLLECTION)?)
        .expected_items(ITEMS);
    let run = bulk.run_stream(updates)?;
    let (handle, canceller) = (run.handle(), run.handle());
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            canceller.cancel(); // Requests in flight finish; the other items are not attempted.
        }
    });
    let running = tokio::spawn(run.finish());
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    while !running.is_finished() {
        ticks.tick().await;
        let progress = handle.progress();
        let (updated, left) = (
            progress.counts.updated,
            progress.remaining.unwrap_or_default(),
        );
        println!("{updated} of {ITEMS} updated, {left:.1?} remaining");
    }
    println!("{}", running.await?);
    Ok(())
}
