//! A line of JSON in the words of the API, for the model of Webflow.

use serde::Deserialize;
use serde_json::{Map, Value};
use webflow_cms::{CmsLocaleId, ItemId};

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
