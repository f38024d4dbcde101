//! The item of a response.

use super::generated::CollectionItem;
use crate::id::ReceivedId;

impl<F> CollectionItem<F> {
    /// Returns the locale of this variant, or `None` if the response does not name it.
    #[must_use]
    pub fn locale(&self) -> Option<&ReceivedId> {
        self.cms_locale_id.as_ref()
    }
}
