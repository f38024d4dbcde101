//! What is to change in one item.

mod json;

use serde::Serialize;

use super::fields::Fields;
use super::generated::{self, CollectionItem};
use super::missing_fields;
use crate::error::Error;
use crate::id::{CmsLocaleId, ItemId, ItemKey};

/// The changes to one item in one locale. What is not set is not sent, and stays as it is.
///
/// ```
/// use webflow_cms::{CmsLocaleId, ItemId, ItemUpdate};
///
/// let update = ItemUpdate::new(ItemId::new("66f6ed9576ddacf3149d5ea6")?)
///     .locale(CmsLocaleId::new("66f6e966c9e1dc700a857ca4")?)
///     .draft(true)
///     .field("name", "Lampe Étoile")?
///     .clear_field("subtitle")?;
/// # Ok::<_, webflow_cms::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ItemUpdate {
    key: ItemKey,
    archived: Option<bool>,
    draft: Option<bool>,
    fields: Option<Fields>,
}

impl ItemUpdate {
    /// An update of an item, in its primary locale unless [`locale`](Self::locale) is called.
    #[must_use]
    pub fn new(id: ItemId) -> Self {
        Self {
            key: ItemKey { id, locale: None },
            archived: None,
            draft: None,
            fields: None,
        }
    }

    pub(crate) fn of_key(key: ItemKey) -> Self {
        Self {
            key,
            ..Self::new(key.id)
        }
    }

    /// The locale to change. Without it Webflow changes the primary locale only.
    #[must_use]
    pub fn locale(mut self, locale: CmsLocaleId) -> Self {
        self.key.locale = Some(locale);
        self
    }

    /// Archives the item or takes it out of the archive. An archived item leaves the live site when the whole site is
    /// next published.
    #[must_use]
    pub fn archived(mut self, archived: bool) -> Self {
        self.archived = Some(archived);
        self
    }

    /// Makes the item a draft or not. Mind that `false` queues the item for the next publication of the site, and that
    /// `true` does not take a published item off the site.
    #[must_use]
    pub fn draft(mut self, draft: bool) -> Self {
        self.draft = Some(draft);
        self
    }

    /// Sets the fields to those of a value that serializes to a JSON object. What was set before is replaced.
    ///
    /// # Errors
    ///
    /// As [`Fields::new`].
    pub fn fields<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, Error> {
        self.fields = Some(Fields::new(value)?);
        Ok(self)
    }

    /// Sets the fields. What was set before is replaced.
    #[must_use]
    pub fn with_fields(mut self, fields: Fields) -> Self {
        self.fields = Some(fields);
        self
    }

    /// Sets one more field.
    ///
    /// # Errors
    ///
    /// As [`Fields::set`].
    pub fn field<T: Serialize + ?Sized>(mut self, slug: &str, value: &T) -> Result<Self, Error> {
        self.fields.get_or_insert_default().set(slug, value)?;
        Ok(self)
    }

    /// Clears a field, by an explicit `null`.
    ///
    /// # Errors
    ///
    /// As [`Fields::clear_field`].
    pub fn clear_field(mut self, slug: &str) -> Result<Self, Error> {
        self.fields.get_or_insert_default().clear_field(slug)?;
        Ok(self)
    }

    /// The item and the locale.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        self.key
    }

    /// The id of the item.
    #[must_use]
    pub fn id(&self) -> ItemId {
        self.key.id
    }

    /// The locale; `None` for the primary one.
    #[must_use]
    pub fn cms_locale_id(&self) -> Option<CmsLocaleId> {
        self.key.locale
    }

    /// The value of [`archived`](Self::archived), if it is set.
    #[must_use]
    pub fn is_archived(&self) -> Option<bool> {
        self.archived
    }

    /// The value of [`draft`](Self::draft), if it is set.
    #[must_use]
    pub fn is_draft(&self) -> Option<bool> {
        self.draft
    }

    /// The fields that are set or cleared, if there are any.
    #[must_use]
    pub fn field_data(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// The slugs of the fields that were sent with a value and that the returned item lacks. None, if the item has no
    /// field data.
    pub(crate) fn missing_fields(&self, item: &CollectionItem) -> Vec<Box<str>> {
        match (&self.fields, &item.field_data) {
            (Some(sent), Some(received)) => missing_fields::missing_fields(sent, received),
            _ => Vec::new(),
        }
    }

    /// Whether it sets or clears a field.
    pub(crate) fn has_field(&self, slug: &str) -> bool {
        let fields = self.fields.iter().flat_map(Fields::members);
        fields.into_iter().any(|(name, _)| name == slug)
    }

    /// The entry as the document describes it.
    pub(crate) fn entry(&self) -> generated::ItemUpdate<&Fields> {
        generated::ItemUpdate {
            id: self.key.id.into(),
            cms_locale_id: self.key.locale.map(Into::into),
            is_archived: self.archived,
            is_draft: self.draft,
            field_data: self.fields.as_ref(),
        }
    }
}
