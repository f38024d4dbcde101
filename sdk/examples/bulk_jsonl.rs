//! Updates items from JSON lines and writes the items that were not updated as dead letters.
//!
//! `cargo run --example bulk_jsonl` runs it on the embedded reference server.

use std::io::Write;

use webflow_cms::bulk::JsonLines;
use webflow_cms::{Client, CmsLocaleId, CollectionId, RateLimiter, Token};
use webflow_cms_reference::{ReferenceServer, Variant};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";

/// 250 updates of 84 items in three locales. For a file: `JsonLines::open("items.jsonl")?`.
const INPUT: &str = include_str!("items.jsonl");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut server = ReferenceServer::builder();
    // The server does not have the items of the first two rows, so it rejects them.
    for update in JsonLines::new(INPUT.as_bytes()).skip(2) {
        let (id, locale) = update.map(|update| (update.id(), update.cms_locale_id()))?;
        let locale = locale.as_ref().map(CmsLocaleId::as_str);
        server = server.item(
            COLLECTION,
            id.as_str(),
            locale,
            Variant::named("Old", "old"),
        );
    }
    let server = server.start().await;
    // For Webflow: `Client::new(Token::new(std::env::var("WEBFLOW_TOKEN")?)?)?`.
    let client = Client::builder(Token::new(server.token())?)
        .base_url(server.base_url())
        .rate_limiter(RateLimiter::unlimited())
        .build()?;

    let rows = JsonLines::new(INPUT.as_bytes());
    let lines = rows.line_numbers();
    let mut run = client
        .bulk(CollectionId::new(COLLECTION)?)
        // With `.journal("items.jsonl.journal")` the same program resumes after a kill.
        .continue_after_source_error(true)
        .try_run(rows)?;
    let path = std::env::temp_dir().join("items.jsonl.not-updated");
    let mut dead_letters = std::fs::File::create(&path)?;
    while let Some(outcome) = run.next().await {
        if let Some(line) = outcome.dead_letter()? {
            writeln!(dead_letters, "{line}")?;
            eprintln!("line {}: {}", lines.of(outcome.index), outcome.status);
        }
    }
    println!("{}", run.finish().await);
    println!(
        "dead letters, to correct and use as input: {}",
        path.display()
    );
    Ok(())
}
