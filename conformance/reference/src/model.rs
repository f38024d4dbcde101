//! The model of a site: collections of items, each in one or more locales.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::clock::timestamp;
use super::reply::Reply;

/// A model of the staged items of a Webflow site: collections of items, each item in one or more locales.
///
/// Two models are equal if they hold the same variants, timestamps included. Settings such as [`Model::atomic`] are not
/// compared.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) collections: BTreeMap<String, Collection>,
    pub(super) rejected: BTreeMap<VariantKey, Option<Reply>>,
    /// The refused values of fields, each with its response.
    pub(super) refused: Vec<(String, Value, Reply)>,
    pub(super) atomic: bool,
    pub(super) ticks: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub(super) primary: String,
    pub(super) secondary: BTreeSet<String>,
    /// Slugs of the fields that are in the schema and not published yet.
    pub(super) unpublished: BTreeSet<String>,
    /// The variants by item id, then by locale id.
    pub(super) items: BTreeMap<String, BTreeMap<String, Variant>>,
}

impl Collection {
    fn new(primary: &str) -> Self {
        Self {
            primary: primary.to_owned(),
            secondary: BTreeSet::new(),
            unpublished: BTreeSet::new(),
            items: BTreeMap::new(),
        }
    }
}

/// One item in one locale.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Whether the item is archived.
    pub is_archived: bool,
    /// Whether the item is a draft.
    pub is_draft: bool,
    /// When the item was last published, in ISO 8601. `None` (JSON `null`) if it never was.
    pub last_published: Option<String>,
    /// When the item was last updated, in ISO 8601 with milliseconds and `Z`.
    pub last_updated: String,
    /// When the item was created, in the same format.
    pub created_on: String,
    /// Field values by field slug.
    pub field_data: Map<String, Value>,
}

impl Variant {
    /// Creates a variant with these fields that was never published and is neither archived nor a draft.
    #[must_use]
    pub fn new(field_data: Map<String, Value>) -> Self {
        Self {
            is_archived: false,
            is_draft: false,
            last_published: None,
            last_updated: timestamp(0),
            created_on: timestamp(0),
            field_data,
        }
    }

    /// Creates a variant with the fields `name` and `slug`, which every item has.
    #[must_use]
    pub fn named(name: &str, slug: &str) -> Self {
        Self::new(Map::new())
            .field("name", name)
            .field("slug", slug)
    }

    /// Sets one field.
    #[must_use]
    pub fn field(mut self, slug: &str, value: impl Into<Value>) -> Self {
        self.field_data.insert(slug.to_owned(), value.into());
        self
    }

    /// Whether both variants have the same fields and flags, whatever their timestamps.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.is_archived == other.is_archived
            && self.is_draft == other.is_draft
            && self.field_data == other.field_data
    }
}

/// The address of one variant: collection, item and locale, also for the primary locale.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantKey {
    /// The id of the collection.
    pub collection: String,
    /// The id of the item.
    pub item: String,
    /// The id of the CMS locale.
    pub locale: String,
}

impl Model {
    /// Id of the primary locale of a collection that [`Model::collection`] did not declare.
    pub const PRIMARY_LOCALE: &'static str = "0123456789abcdef01234567";

    /// Creates a model without collections.
    #[must_use]
    pub fn new() -> Self {
        Self {
            collections: BTreeMap::new(),
            rejected: BTreeMap::new(),
            refused: Vec::new(),
            atomic: true,
            ticks: 0,
        }
    }

    /// Declares a collection and the ids of its locales.
    ///
    /// An existing collection keeps its items; `primary` becomes its primary locale, and `secondary` is added to its
    /// other locales.
    #[must_use]
    pub fn collection(mut self, id: &str, primary: &str, secondary: &[&str]) -> Self {
        let collection = self.collection_mut(id);
        primary.clone_into(&mut collection.primary);
        collection
            .secondary
            .extend(secondary.iter().map(|&locale| locale.to_owned()));
        self
    }

    /// Inserts a variant, or replaces it. Without a locale it is the primary one.
    ///
    /// A collection that was not declared gets [`Model::PRIMARY_LOCALE`] as its primary locale. A locale that was not
    /// declared becomes a secondary one.
    #[must_use]
    pub fn insert(
        mut self,
        collection: &str,
        item: &str,
        locale: Option<&str>,
        variant: Variant,
    ) -> Self {
        let collection = self.collection_mut(collection);
        let locale = locale.unwrap_or(&collection.primary).to_owned();
        if locale != collection.primary {
            collection.secondary.insert(locale.clone());
        }
        collection
            .items
            .entry(item.to_owned())
            .or_default()
            .insert(locale, variant);
        self
    }

    /// Rejects this variant: a batch that addresses it gets a 400 whose error does not name the item, as with a field
    /// value that Webflow does not accept. Without a locale it is the primary variant; declare the collection first.
    #[must_use]
    pub fn reject(mut self, collection: &str, item: &str, locale: Option<&str>) -> Self {
        let key = self.key(collection, item, locale);
        self.rejected.insert(key, None);
        self
    }

    /// Rejects this variant as [`reject`](Self::reject) does, with this response, such as a 409 or a 422. Missing rate
    /// headers are added.
    ///
    /// ```
    /// use serde_json::json;
    /// use webflow_cms_reference::{Model, Reply, Update, Variant};
    ///
    /// let conflict = json!({"message": "Conflict", "code": "conflict", "externalReference": null, "details": []});
    /// let mut model = Model::new()
    ///     .insert("collection", "item", None, Variant::named("Lamp", "lamp"))
    ///     .reject_with("collection", "item", None, Reply::new(409).json(&conflict));
    /// let update = Update::from_body("collection", &json!({"items": [{"id": "item"}]}));
    /// assert_eq!(model.apply(&update).unwrap_err().status(), 409);
    /// ```
    #[must_use]
    pub fn reject_with(
        mut self,
        collection: &str,
        item: &str,
        locale: Option<&str>,
        reply: Reply,
    ) -> Self {
        let key = self.key(collection, item, locale);
        self.rejected.insert(key, Some(reply));
        self
    }

    /// Refuses this value of a field: a batch with an entry that sets it gets this response, such as a 422, whichever
    /// variant the entry addresses. Missing rate headers are added.
    #[must_use]
    pub fn refuse_value(mut self, slug: &str, value: impl Into<Value>, reply: Reply) -> Self {
        self.refused.push((slug.to_owned(), value.into(), reply));
        self
    }

    /// Declares a field of a collection that is in the schema and not published yet. An update that names the field
    /// succeeds, and its value is dropped, as was observed.
    #[must_use]
    pub fn unpublished_field(mut self, collection: &str, slug: &str) -> Self {
        let collection = self.collection_mut(collection);
        collection.unpublished.insert(slug.to_owned());
        self
    }

    /// Whether a batch that is refused for one of its entries changes nothing. Default: `true`.
    ///
    /// With `false` the entries before the refused one are applied. Webflow does not document which holds;
    /// all-or-nothing was observed only for the endpoint's live twin.
    #[must_use]
    pub fn atomic(mut self, atomic: bool) -> Self {
        self.atomic = atomic;
        self
    }

    /// The variant of an item in a locale. `None` is the primary locale.
    #[must_use]
    pub fn variant(&self, collection: &str, item: &str, locale: Option<&str>) -> Option<&Variant> {
        let collection = self.collections.get(collection)?;
        collection
            .items
            .get(item)?
            .get(locale.unwrap_or(&collection.primary))
    }

    /// Id of the primary locale of a collection.
    #[must_use]
    pub fn primary_locale(&self, collection: &str) -> Option<&str> {
        self.collections
            .get(collection)
            .map(|collection| collection.primary.as_str())
    }

    /// All variants, ordered by collection, item and locale.
    pub fn variants(&self) -> impl Iterator<Item = (VariantKey, &Variant)> {
        self.collections.iter().flat_map(|(id, collection)| {
            collection.items.iter().flat_map(move |(item, locales)| {
                locales.iter().map(move |(locale, variant)| {
                    let key = VariantKey {
                        collection: id.clone(),
                        item: item.clone(),
                        locale: locale.clone(),
                    };
                    (key, variant)
                })
            })
        })
    }

    /// Keys of the variants that differ between both models, or that only one of them has.
    #[must_use]
    pub fn differences(&self, other: &Self) -> BTreeSet<VariantKey> {
        let theirs: BTreeMap<_, _> = other.variants().collect();
        let ours: BTreeMap<_, _> = self.variants().collect();
        ours.keys()
            .chain(theirs.keys())
            .filter(|key| ours.get(key) != theirs.get(key))
            .cloned()
            .collect()
    }

    fn key(&mut self, collection: &str, item: &str, locale: Option<&str>) -> VariantKey {
        let primary = &self.collection_mut(collection).primary;
        VariantKey {
            collection: collection.to_owned(),
            item: item.to_owned(),
            locale: locale.unwrap_or(primary).to_owned(),
        }
    }

    fn collection_mut(&mut self, id: &str) -> &mut Collection {
        self.collections
            .entry(id.to_owned())
            .or_insert_with(|| Collection::new(Self::PRIMARY_LOCALE))
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.variants().eq(other.variants())
    }
}
