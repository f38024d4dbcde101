//! Sends one batch and prints everything that the response says.
//!
//! `cargo run --example update_batch` runs it on the embedded reference server.

use webflow_cms::{Batch, Client, CmsLocaleId, CollectionId, ItemId, ItemUpdate, Token};
use webflow_cms_reference::{ReferenceServer, Variant};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const LAMP: &str = "66f6ed9576ddacf3149d5ea6";
const FRENCH: &str = "66f6e966c9e1dc700a857ca4";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (name, nom) = (
        Variant::named("Lamp", "lamp"),
        Variant::named("Lampe", "lampe"),
    );
    let server = ReferenceServer::builder()
        .item(COLLECTION, LAMP, None, name)
        .item(COLLECTION, LAMP, Some(FRENCH), nom)
        .start()
        .await;
    // For Webflow: `Client::new(Token::new(std::env::var("WEBFLOW_TOKEN")?)?)?`.
    let token = Token::new(server.token())?;
    let client = Client::builder(token).base_url(server.base_url()).build()?;

    let (lamp, french) = (ItemId::new(LAMP)?, CmsLocaleId::new(FRENCH)?);
    let english = ItemUpdate::new(lamp)
        .field("name", "Star lamp")?
        .field("price", &99.5)?;
    let french = ItemUpdate::new(lamp)
        .locale(french)
        .field("name", "Lampe Étoile")?;
    let batch = Batch::new([english, french.clear_field("subtitle")?])?;
    let updates = batch.updates().to_vec();
    let response = client.update(CollectionId::new(COLLECTION)?, batch).await?;

    println!(
        "status {}, attempts: {}",
        response.status(),
        response.attempts()
    );
    let rate = response.rate_limit();
    println!(
        "requests left this minute: {:?} of {:?}",
        rate.remaining, rate.limit
    );
    for (entry, update) in updates.iter().enumerate() {
        let Some(item) = response.item_of(entry) else {
            println!(
                "{} was not returned: check it before you call it updated",
                update.key()
            );
            continue;
        };
        println!("{}, last updated {:?}", update.key(), item.last_updated);
        if let Some(fields) = &item.field_data {
            println!("  fields: {}", fields.as_str());
        }
        for field in response.missing_fields(entry) {
            println!("  the field {field} was sent and is not in the response");
        }
    }
    Ok(())
}
