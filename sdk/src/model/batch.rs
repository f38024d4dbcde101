//! One request's worth of item updates.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;

use super::generated::ItemUpdateList;
use super::item_update::ItemUpdate;
use crate::error::{Error, InvalidInput};
use crate::id::DuplicateKey;
use crate::spec;

/// 1 to 100 item updates, each of another item or locale, as one request carries them.
///
/// The limit counts entries and not items: one item in three locales is three entries.
///
/// An entry without a locale and one with the id of the primary locale address the same content, which cannot be seen
/// here; use one way throughout.
///
/// A clone is cheap: it shares the item updates.
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
    /// How many item updates a batch holds at the most: 100, as Webflow documents and the OpenAPI document says.
    pub const MAX_ITEMS: usize = spec::MAX_ITEMS;

    /// Checks and takes item updates, which keep their order. To keep them if they are refused, ask
    /// [`check`](Self::check) first.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn new(updates: impl IntoIterator<Item = ItemUpdate>) -> Result<Self, Error> {
        let updates: Vec<_> = updates.into_iter().collect();
        Self::check(&updates)?;
        Ok(Self(Arc::new(updates)))
    }

    /// Says whether item updates make a batch.
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

    /// How many item updates there are: at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The item updates, in the order in which they are sent.
    #[must_use]
    pub fn updates(&self) -> &[ItemUpdate] {
        &self.0
    }

    /// Gives the item updates back. They are copied if the batch is shared with a clone or a response.
    #[must_use]
    pub fn into_updates(self) -> Vec<ItemUpdate> {
        Arc::unwrap_or_clone(self.0)
    }

    /// The body of the request.
    pub(crate) fn body(&self) -> Result<Bytes, Error> {
        let request = ItemUpdateList {
            items: self.0.iter().map(ItemUpdate::entry).collect(),
        };
        // Everything in it has been serialized once, so there is nothing left that could fail.
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
