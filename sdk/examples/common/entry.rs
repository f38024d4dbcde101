//! A line of JSON in the words of the API, and the item update that it asks for.

use serde::Deserialize;
use serde_json::{Map, Value};
use webflow_cms::{CmsLocaleId, InvalidInput, ItemId, ItemUpdate};

/// The line in the words of the API, for the model of Webflow, which has to hold an item before it can be updated.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) id: ItemId,
    pub(crate) cms_locale_id: Option<CmsLocaleId>,
    pub(crate) is_archived: Option<bool>,
    pub(crate) is_draft: Option<bool>,
    pub(crate) field_data: Option<Map<String, Value>>,
}

impl Entry {
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

/// Reads an update from a line of the file `name`, or says where in it what is wrong.
pub(crate) fn update(name: &str, number: usize, text: &str) -> Result<ItemUpdate, String> {
    ItemUpdate::from_json(text).map_err(|error| match error.invalid_input() {
        Some(InvalidInput::UnreadableUpdate { column, reason }) => {
            format!("{name}:{number}:{column}: {reason}")
        }
        _ => format!("{name}:{number}: {error}"),
    })
}
