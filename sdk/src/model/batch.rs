//! A batch: the item updates of one request.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;

use super::generated::ItemUpdateList;
use super::item_update::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::id::DuplicateKey;
use crate::spec;

/// The item updates of one request: 1 to 100 entries, each with a different item or locale.
///
/// The limit counts entries: one item in three locales is three entries.
///
/// An entry without a locale and an entry with the id of the primary locale update the same content. The client does
/// not know the primary locale and cannot detect such a pair, so use one of the two forms throughout.
///
/// A clone is cheap: it shares the item updates with the original.
///
/// ```
/// use webflow_cms::{Batch, ItemId, ItemUpdate};
///
/// let update = ItemUpdate::new(ItemId::new("66f6ed9576ddacf3149d5ea6")?).archived(true);
/// assert_eq!(Batch::new([update.clone()])?.len(), 1);
///
/// let error = Batch::new([update.clone(), update]).unwrap_err();
/// assert!(error.to_string().contains("entry 1 repeats entry 0"));
/// # Ok::<_, webflow_cms::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Batch(Arc<Vec<ItemUpdate>>);

impl Batch {
    /// The maximum number of item updates in a batch: 100, as Webflow documents. The value is generated from the
    /// OpenAPI document.
    pub const MAX_ITEMS: usize = spec::MAX_ITEMS;

    /// Makes a batch of item updates, which keep their order. If they are rejected, they are dropped; to keep them,
    /// call [`check`](Self::check) first.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check).
    pub fn new(updates: impl IntoIterator<Item = ItemUpdate>) -> Result<Self, Error> {
        let updates: Vec<_> = updates.into_iter().collect();
        Self::check(&updates)?;
        Ok(Self(Arc::new(updates)))
    }

    /// Checks that item updates make a valid batch.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::EmptyBatch`], [`InvalidInput::BatchTooLarge`], or [`InvalidInput::DuplicateKeys`] with every
    /// entry that repeats an earlier one.
    pub fn check(updates: &[ItemUpdate]) -> Result<(), Error> {
        if updates.is_empty() {
            return Err(InvalidInput::EmptyBatch.into());
        }
        if updates.len() > Self::MAX_ITEMS {
            return Err(InvalidInput::BatchTooLarge { len: updates.len() }.into());
        }
        let mut seen = HashMap::with_capacity(updates.len());
        let mut duplicates = Vec::new();
        for (index, update) in updates.iter().enumerate() {
            match seen.entry(update.key()) {
                Entry::Vacant(place) => {
                    place.insert(index);
                }
                Entry::Occupied(first) => {
                    duplicates.push(DuplicateKey {
                        key: update.key(),
                        first: *first.get(),
                        index,
                    });
                }
            }
        }
        if duplicates.is_empty() {
            Ok(())
        } else {
            Err(InvalidInput::DuplicateKeys(duplicates).into())
        }
    }

    /// Returns the number of item updates, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the item updates in the order in which they are sent.
    pub fn updates(&self) -> &[ItemUpdate] {
        &self.0
    }

    /// Converts the batch into its item updates. They are copied if the batch is shared with a clone or a response.
    #[must_use = "the batch is consumed"]
    pub fn into_updates(self) -> Vec<ItemUpdate> {
        Arc::unwrap_or_clone(self.0)
    }

    /// Serializes the body of the request.
    pub(crate) fn body(&self) -> Result<Bytes, Error> {
        let request = ItemUpdateList {
            items: self.0.iter().map(ItemUpdate::entry).collect(),
        };
        // No failure is known: all fields have been serialized before.
        let body = serde_json::to_vec(&request).map_err(|error| InvalidInput::Unserializable {
            path: Box::default(),
            reason: error.to_string().into(),
        })?;
        Ok(body.into())
    }
}

impl TryFrom<Vec<ItemUpdate>> for Batch {
    type Error = Error;

    fn try_from(updates: Vec<ItemUpdate>) -> Result<Self, Error> {
        Self::new(updates)
    }
}
