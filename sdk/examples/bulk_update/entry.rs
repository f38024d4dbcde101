//! An input row as the API's JSON, for the reference server.

use serde::Deserialize;
use serde_json::{Map, Value};
use webflow_cms::{CmsLocaleId, ItemId};

/// An input row. The reference server needs its item before the row can be sent.
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
