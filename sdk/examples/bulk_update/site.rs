//! The reference server's site: each item of the input in each of its locales.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use webflow_cms::{CollectionId, Error};
use webflow_cms_reference::{Model, Variant};

use super::content;
use super::entry::Entry;

pub(crate) const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";

pub(crate) fn collection() -> Result<CollectionId, Error> {
    Ok(CollectionId::new(COLLECTION)?)
}

/// The site before the updates. An item has unrelated content in a locale for which the input has no update.
pub(crate) fn before<'a>(entries: impl Iterator<Item = &'a Entry> + Clone) -> Model {
    let locales: BTreeSet<_> = entries.clone().map(locale).collect();
    let mut model = Model::new();
    for entry in entries.clone() {
        for locale in &locales {
            let bystander = content::bystander();
            model = model.insert(COLLECTION, entry.id.as_str(), *locale, bystander);
        }
    }
    entries.fold(model, |model, entry| {
        insert(model, entry, content::before(entry))
    })
}

pub(crate) fn locale(entry: &Entry) -> Option<&str> {
    entry.cms_locale_id.as_ref().map(|locale| locale.as_str())
}

pub(crate) fn insert(model: Model, entry: &Entry, variant: Variant) -> Model {
    model.insert(COLLECTION, entry.id.as_str(), locale(entry), variant)
}

pub(crate) fn variant<'m>(model: &'m Model, entry: &Entry) -> Option<&'m Variant> {
    model.variant(COLLECTION, entry.id.as_str(), locale(entry))
}

/// The names whose values differ.
pub(crate) fn changed<'a>(
    one: &'a Map<String, Value>,
    other: &'a Map<String, Value>,
) -> BTreeSet<&'a String> {
    let names = one.keys().chain(other.keys());
    names
        .filter(|name| one.get(*name) != other.get(*name))
        .collect()
}

/// A value, truncated to fit a line.
pub(crate) fn shown(value: Option<&Value>) -> String {
    const MOST: usize = 48;
    let text = value.map_or("nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
