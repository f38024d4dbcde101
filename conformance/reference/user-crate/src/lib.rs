//! Code that uses the SDK: it renames an item.

use webflow_cms::{Batch, Client, CollectionId, Error, ItemId, ItemUpdate};

/// Renames an item in its primary locale.
///
/// # Errors
///
/// An error of the SDK if the name is refused, or if the service does not take it.
pub async fn rename(
    client: &Client,
    collection: CollectionId,
    item: ItemId,
    name: &str,
) -> Result<(), Error> {
    let batch = Batch::new([ItemUpdate::new(item).field("name", name)?])?;
    client.update(collection, batch).await?;
    Ok(())
}
