//! Updates of the model, and refusals.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::clock::timestamp;
use super::model::{Collection, Model, Variant, VariantKey};
use super::reply::{Basis, Reply};

/// Maximum number of entries of one request, from the text of the reference page.
pub const MAX_ENTRIES: usize = 100;

/// A request to update items, as the model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The id of the collection.
    pub collection: String,
    /// The entries, in the order of the request.
    pub entries: Vec<Entry>,
}

/// The update of one item in one locale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// The id of the item.
    pub id: String,
    /// The id of the CMS locale. `None` for the primary locale.
    pub locale: Option<String>,
    /// The new archive flag, if sent.
    pub is_archived: Option<bool>,
    /// The new draft flag, if sent.
    pub is_draft: Option<bool>,
    /// The fields to change. `null` clears a field.
    pub field_data: Map<String, Value>,
}

impl Update {
    /// Reads a request body. Unknown keys and values of the wrong type are ignored; the check against the API document
    /// refuses the latter beforehand.
    #[must_use]
    pub fn from_body(collection: &str, body: &Value) -> Self {
        let entries = body
            .get("items")
            .and_then(Value::as_array)
            .map(|items| items.iter().map(Entry::from_value).collect());
        Self {
            collection: collection.to_owned(),
            entries: entries.unwrap_or_default(),
        }
    }
}

impl Entry {
    fn from_value(value: &Value) -> Self {
        let text = |key| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |key| value.get(key).and_then(Value::as_bool);
        Self {
            id: text("id").unwrap_or_default(),
            locale: text("cmsLocaleId"),
            is_archived: flag("isArchived"),
            is_draft: flag("isDraft"),
            field_data: value
                .get("fieldData")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        }
    }

    fn apply_to(&self, variant: &mut Variant, unpublished: &BTreeSet<String>, now: String) {
        if let Some(is_archived) = self.is_archived {
            variant.is_archived = is_archived;
        }
        if let Some(is_draft) = self.is_draft {
            variant.is_draft = is_draft;
        }
        let published = |(slug, _): &(&String, &Value)| !unpublished.contains(*slug);
        for (slug, value) in self.field_data.iter().filter(published) {
            if value.is_null() {
                variant.field_data.remove(slug);
            } else {
                variant.field_data.insert(slug.clone(), value.clone());
            }
        }
        variant.last_updated = now;
    }
}

/// A variant after its update.
#[derive(Clone, Debug, PartialEq)]
pub struct Updated {
    /// The address of the variant.
    pub key: VariantKey,
    /// Whether its locale is the primary one.
    pub primary: bool,
    /// Whether the entry named its locale.
    pub named: bool,
    /// The variant after the update.
    pub variant: Variant,
}

/// The reason why the model refuses a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The batch has no entries.
    Empty,
    /// The batch has more than [`MAX_ENTRIES`] entries.
    TooManyEntries,
    /// Two entries address the same variant.
    Duplicate,
    /// The collection does not exist.
    UnknownCollection,
    /// The collection does not have the item.
    UnknownItem,
    /// The collection does not have the locale.
    UnknownLocale,
    /// The item does not exist in this locale.
    MissingVariant,
    /// The variant is [rejected](Model::reject), possibly [with a response](Model::reject_with), or the entry sets a
    /// [refused value](Model::refuse_value).
    Rejected,
}

/// A refused batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// Number of entries that were applied: 0, unless the model is not [atomic](Model::atomic).
    pub applied: usize,
    /// The response that was set by [`Model::reject_with`] or [`Model::refuse_value`], if any.
    pub reply: Option<Box<Reply>>,
}

impl Refusal {
    /// The HTTP status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        match (&self.reply, self.reason) {
            (Some(reply), _) => reply.status.as_u16(),
            (_, Reason::UnknownCollection | Reason::UnknownItem | Reason::MissingVariant) => 404,
            _ => 400,
        }
    }

    /// The basis of status and code. The texts of a 404 are assumed.
    #[must_use]
    pub fn basis(&self) -> Basis {
        match (&self.reply, self.reason) {
            (Some(reply), _) => reply.basis,
            (_, Reason::Rejected | Reason::UnknownItem | Reason::MissingVariant) => Basis::Observed,
            _ => Basis::Assumed,
        }
    }

    /// The response, without rate headers.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let modelled = || Reply::new(self.status()).json(&self.body());
        self.reply
            .as_deref()
            .cloned()
            .unwrap_or_else(modelled)
            .on(self.basis())
    }

    /// The error body of the model in Webflow's shape. It does not name the item, and for a 404 not even the missing
    /// part: collection, item or variant.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut details = json!([]);
        let (code, message) = match self.reason {
            Reason::Empty => (
                "validation_error",
                r#"Validation Error: ["Value (items) should NOT have fewer than 1 items"]"#,
            ),
            Reason::TooManyEntries => (
                "validation_error",
                r#"Validation Error: ["Value (items) should NOT have more than 100 items"]"#,
            ),
            Reason::Duplicate => (
                "validation_error",
                r#"Validation Error: ["Value (items) should NOT have duplicate items"]"#,
            ),
            Reason::UnknownLocale => (
                "validation_error",
                r#"Validation Error: ["Value (cmsLocaleId) is no locale of the site"]"#,
            ),
            Reason::UnknownCollection | Reason::UnknownItem | Reason::MissingVariant => {
                ("resource_not_found", "Requested resource not found")
            }
            Reason::Rejected => {
                let description = "Field not described in schema: undefined";
                details = json!([{"param": "unknown-field", "description": description}]);
                ("validation_error", "Validation Error")
            }
        };
        json!({"message": message, "code": code, "externalReference": null, "details": details})
    }
}

impl Model {
    /// Applies a batch and returns the updated variants in the order of the request.
    ///
    /// Each entry sets the `last_updated` of its variant to a new instant of a clock that only updates advance.
    ///
    /// # Errors
    ///
    /// A refusal of the whole batch. The model is then unchanged, unless it is not [atomic](Model::atomic).
    pub fn apply(&mut self, update: &Update) -> Result<Vec<Updated>, Refusal> {
        let (keys, refused) = self.targets(update);
        let Some((reason, reply)) = refused else {
            return Ok(self.write(update, keys));
        };
        let applied = if self.atomic {
            0
        } else {
            self.write(update, keys).len()
        };
        Err(Refusal {
            reason,
            applied,
            reply: reply.map(Box::new),
        })
    }

    /// The variants that the entries address, up to the first entry that cannot be applied, and the reason for that.
    fn targets(&self, update: &Update) -> (Vec<VariantKey>, Option<(Reason, Option<Reply>)>) {
        let refused = |reason| Some((reason, None));
        if update.entries.is_empty() {
            return (Vec::new(), refused(Reason::Empty));
        }
        if update.entries.len() > MAX_ENTRIES {
            return (Vec::new(), refused(Reason::TooManyEntries));
        }
        let mut seen = BTreeSet::new();
        let mut keys = Vec::with_capacity(update.entries.len());
        for entry in &update.entries {
            let key = match self.target(&update.collection, entry) {
                Err(reason) => return (keys, refused(reason)),
                Ok(key) if !seen.insert(key.clone()) => return (keys, refused(Reason::Duplicate)),
                Ok(key) => key,
            };
            if let Some(reply) = self.rejected.get(&key) {
                return (keys, Some((Reason::Rejected, reply.clone())));
            }
            let sets = |(slug, value, _): &&(String, Value, Reply)| {
                entry.field_data.get(slug) == Some(value)
            };
            if let Some((.., reply)) = self.refused.iter().find(sets) {
                return (keys, Some((Reason::Rejected, Some(reply.clone()))));
            }
            keys.push(key);
        }
        (keys, None)
    }

    fn target(&self, id: &str, entry: &Entry) -> Result<VariantKey, Reason> {
        let collection = self.collections.get(id).ok_or(Reason::UnknownCollection)?;
        let locale = entry.locale.as_ref().unwrap_or(&collection.primary);
        if *locale != collection.primary && !collection.secondary.contains(locale) {
            return Err(Reason::UnknownLocale);
        }
        let variants = collection.items.get(&entry.id).ok_or(Reason::UnknownItem)?;
        if !variants.contains_key(locale) {
            return Err(Reason::MissingVariant);
        }
        Ok(VariantKey {
            collection: id.to_owned(),
            item: entry.id.clone(),
            locale: locale.clone(),
        })
    }

    fn write(&mut self, update: &Update, keys: Vec<VariantKey>) -> Vec<Updated> {
        let mut updated = Vec::with_capacity(keys.len());
        for (entry, key) in update.entries.iter().zip(keys) {
            let Some(collection) = self.collections.get_mut(&key.collection) else {
                continue;
            };
            let primary = collection.primary == key.locale;
            let Collection {
                items, unpublished, ..
            } = collection;
            let Some(variant) = items
                .get_mut(&key.item)
                .and_then(|item| item.get_mut(&key.locale))
            else {
                continue;
            };
            self.ticks += 1;
            entry.apply_to(variant, unpublished, timestamp(self.ticks));
            updated.push(Updated {
                key,
                primary,
                named: entry.locale.is_some(),
                variant: variant.clone(),
            });
        }
        updated
    }
}
