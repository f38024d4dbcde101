//! An item as a response holds it.

use super::generated::CollectionItem;
use crate::id::ReceivedId;

impl<F> CollectionItem<F> {
    /// The locale of this variant, where the service names it.
    #[must_use]
    pub fn locale(&self) -> Option<&ReceivedId> {
        self.cms_locale_id.as_ref()
    }
}
