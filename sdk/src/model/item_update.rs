//! The update of one item.

mod json;

use serde::Serialize;

use super::fields::Fields;
use super::generated::{self, CollectionItem};
use super::missing_fields;
use crate::error::Error;
use crate::id::{CmsLocaleId, ItemId, ItemKey};

/// The changes to one item in one locale.
///
/// Only what is set is sent. Everything else stays unchanged.
///
/// `FromStr`, `Display` and serde use the JSON object of the API, as [`from_json`](Self::from_json) and
/// [`to_json`](Self::to_json) do.
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
#[must_use = "an item update changes nothing until it is sent"]
pub struct ItemUpdate {
    key: ItemKey,
    archived: Option<bool>,
    draft: Option<bool>,
    fields: Option<Fields>,
}

impl ItemUpdate {
    /// Creates an update of an item in its primary locale. [`locale`](Self::locale) selects another one.
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

    /// Sets the locale to update. Default: Webflow updates only the primary locale.
    pub fn locale(mut self, locale: CmsLocaleId) -> Self {
        self.key.locale = Some(locale);
        self
    }

    /// Archives or unarchives the item. Default: not sent.
    ///
    /// An archived item leaves the live site the next time that the whole site is published.
    pub fn archived(mut self, archived: bool) -> Self {
        self.archived = Some(archived);
        self
    }

    /// Sets whether the item is a draft. Default: not sent.
    ///
    /// `false` queues the item for the next publication of the site. `true` does not remove a published item from the
    /// site.
    pub fn draft(mut self, draft: bool) -> Self {
        self.draft = Some(draft);
        self
    }

    /// Replaces the fields by those of a value that serializes to a JSON object.
    ///
    /// # Errors
    ///
    /// The errors of [`Fields::new`].
    pub fn fields<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, Error> {
        self.fields = Some(Fields::new(value)?);
        Ok(self)
    }

    /// Replaces the fields.
    pub fn with_fields(mut self, fields: Fields) -> Self {
        self.fields = Some(fields);
        self
    }

    /// Sets one more field.
    ///
    /// # Errors
    ///
    /// The errors of [`Fields::set`].
    pub fn field<T: Serialize + ?Sized>(mut self, slug: &str, value: &T) -> Result<Self, Error> {
        self.fields.get_or_insert_default().set(slug, value)?;
        Ok(self)
    }

    /// Clears a field: sends `null` for it. See [`Fields::clear_field`].
    ///
    /// # Errors
    ///
    /// The errors of [`Fields::clear_field`].
    pub fn clear_field(mut self, slug: &str) -> Result<Self, Error> {
        self.fields.get_or_insert_default().clear_field(slug)?;
        Ok(self)
    }

    /// Returns the item and the locale.
    #[must_use]
    pub fn key(&self) -> ItemKey {
        self.key
    }

    /// Returns the id of the item.
    #[must_use]
    pub fn id(&self) -> ItemId {
        self.key.id
    }

    /// Returns the locale, or `None` for the primary locale.
    #[must_use]
    pub fn cms_locale_id(&self) -> Option<CmsLocaleId> {
        self.key.locale
    }

    /// Returns the value of [`archived`](Self::archived), or `None` if it is not set.
    #[must_use]
    pub fn is_archived(&self) -> Option<bool> {
        self.archived
    }

    /// Returns the value of [`draft`](Self::draft), or `None` if it is not set.
    #[must_use]
    pub fn is_draft(&self) -> Option<bool> {
        self.draft
    }

    /// Returns the fields that are set or cleared, or `None` without fields.
    #[must_use]
    pub fn field_data(&self) -> Option<&Fields> {
        self.fields.as_ref()
    }

    /// Returns the slugs of the fields that were sent with a value and that the returned item lacks. The list is empty
    /// if the item has no field data.
    pub(crate) fn missing_fields(&self, item: &CollectionItem) -> Vec<Box<str>> {
        match (&self.fields, &item.field_data) {
            (Some(sent), Some(received)) => missing_fields::missing_fields(sent, received),
            _ => Vec::new(),
        }
    }

    /// Returns `true` if the update sets or clears the field.
    pub(crate) fn has_field(&self, slug: &str) -> bool {
        let fields = self.fields.iter().flat_map(Fields::members);
        fields.into_iter().any(|(name, _)| name == slug)
    }

    /// Returns the entry of the request, in the type that is generated from the OpenAPI document.
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
