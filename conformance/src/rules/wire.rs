//! What a request holds, read without losing a digit.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::exact;
use crate::client::Entry;
use webflow_cms_reference::Exchange;

/// The entries of a request as they stand on the wire: each as its members' texts.
pub(crate) fn entries(exchange: &Exchange) -> Result<Vec<BTreeMap<String, &RawValue>>, String> {
    let body = std::str::from_utf8(&exchange.body).map_err(|_| "the body is not UTF-8")?;
    let members = exact::members(body).ok_or("the body is no JSON object")?;
    if members.len() != 1 {
        return Err(format!(
            "the body has {} members instead of one",
            members.len()
        ));
    }
    let items = members.get("items").ok_or("the body has no `items`")?;
    exact::elements(items.get())
        .ok_or("`items` is no array")?
        .into_iter()
        .map(|entry| {
            exact::members(entry.get())
                .ok_or_else(|| "an entry is no object, or names a member twice".into())
        })
        .collect()
}

/// Fails unless the request carries these entries, all of them, in this order, and nothing else.
pub(crate) fn carries(exchange: &Exchange, entries: &[Entry]) -> Result<(), String> {
    let sent = self::entries(exchange)?;
    if sent.len() != entries.len() {
        return Err(format!(
            "{} entries went out instead of {}",
            sent.len(),
            entries.len()
        ));
    }
    for (position, (sent, entry)) in sent.iter().zip(entries).enumerate() {
        is_entry(sent, entry).map_err(|reason| format!("entry {position}: {reason}"))?;
    }
    Ok(())
}

/// Fails unless these members are those of the entry, each as it was given, and no other.
pub(crate) fn is_entry(sent: &BTreeMap<String, &RawValue>, entry: &Entry) -> Result<(), String> {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let mut expected = BTreeMap::from([("id", text(&entry.id.to_ascii_lowercase()))]);
    if let Some(locale) = &entry.cms_locale_id {
        expected.insert("cmsLocaleId", text(&locale.to_ascii_lowercase()));
    }
    if let Some(archived) = entry.is_archived {
        expected.insert("isArchived", archived.to_string());
    }
    if let Some(draft) = entry.is_draft {
        expected.insert("isDraft", draft.to_string());
    }
    if let Some(fields) = &entry.field_data {
        expected.insert("fieldData", fields.get().to_owned());
    }
    for (name, value) in &expected {
        match sent.get(*name) {
            None => return Err(format!("`{name}` is missing")),
            // Whether an id's digits are in upper case makes no difference.
            Some(sent) if name.to_ascii_lowercase().ends_with("id") => {
                if sent.get().to_ascii_lowercase() != *value {
                    return Err(format!("`{name}` is {} instead of {value}", sent.get()));
                }
            }
            Some(sent) if !exact::same(sent.get(), value) => {
                return Err(format!("`{name}` is {} instead of {value}", sent.get()));
            }
            Some(_) => {}
        }
    }
    match sent
        .keys()
        .find(|name| !expected.contains_key(name.as_str()))
    {
        Some(unsaid) => Err(format!("`{unsaid}` was not set and went out")),
        None => Ok(()),
    }
}
