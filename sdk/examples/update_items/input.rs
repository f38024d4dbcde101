//! Item updates from JSON lines, with the place of whatever cannot be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use webflow_cms::{CmsLocaleId, Error, ItemId, ItemUpdate};

/// A line of the file and the update that it asks for.
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) entry: Entry,
    pub(crate) update: ItemUpdate,
}

/// A line in the words of the API. A key that the API does not know is a typing error, and no line may have one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: ItemId,
    #[serde(default, deserialize_with = "not_null")]
    pub(crate) cms_locale_id: Option<CmsLocaleId>,
    #[serde(default, deserialize_with = "not_null")]
    pub(crate) is_archived: Option<bool>,
    #[serde(default, deserialize_with = "not_null")]
    pub(crate) is_draft: Option<bool>,
    /// As it is written, so that numbers keep their digits and a field that comes twice is noticed.
    #[serde(default, deserialize_with = "not_null")]
    pub(crate) field_data: Option<Box<RawValue>>,
}

/// A key may be left out. But `"cmsLocaleId": null` is more likely a locale that was not found than the primary one.
fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    match Option::deserialize(deserializer)? {
        Some(value) => Ok(Some(value)),
        None => Err(D::Error::custom(
            "null is no value for this key; leave the key out instead",
        )),
    }
}

impl Entry {
    fn update(&self) -> Result<ItemUpdate, Error> {
        let mut update = ItemUpdate::new(self.id);
        if let Some(locale) = self.cms_locale_id {
            update = update.locale(locale);
        }
        if let Some(archived) = self.is_archived {
            update = update.archived(archived);
        }
        if let Some(draft) = self.is_draft {
            update = update.draft(draft);
        }
        match &self.field_data {
            Some(fields) => update.fields(fields),
            None => Ok(update),
        }
    }
}

/// Reads a file of JSON lines, in which empty lines do not count.
///
/// A batch refuses two updates of the same item in the same locale. Here this holds for the whole file, where they
/// may lie in different batches.
pub(crate) fn read(name: &str, text: &str) -> Result<Vec<Line>, Problems> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    let mut first_lines = HashMap::new();
    for (number, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        match read_line(number, text) {
            Err(problem) => problems.push(format!("{name}:{number}{problem}")),
            Ok(line) => match first_lines.entry(line.update.key()) {
                Place::Vacant(place) => {
                    place.insert(number);
                    lines.push(line);
                }
                Place::Occupied(first) => problems.push(format!(
                    "{name}:{number}: updates the same item in the same locale as line {} ({})",
                    first.get(),
                    first.key()
                )),
            },
        }
    }
    if lines.is_empty() && problems.is_empty() {
        problems.push(format!("{name}: there is no update in it"));
    }
    if problems.is_empty() {
        Ok(lines)
    } else {
        Err(Problems(problems))
    }
}

fn read_line(number: usize, text: &str) -> Result<Line, String> {
    let entry: Entry = serde_json::from_str(text).map_err(|error| {
        // For the reader of one line, it is always line 1.
        let reason = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = reason.strip_suffix(&place).unwrap_or(&reason);
        format!(":{}: {reason}", error.column())
    })?;
    let update = entry.update().map_err(|error| format!(": {error}"))?;
    Ok(Line {
        number,
        entry,
        update,
    })
}

/// What keeps a file from being sent, each with its place.
#[derive(Debug)]
pub(crate) struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        formatter.write_str("nothing was sent, since not all of the file can be used")?;
        for problem in self.0.iter().take(SHOWN) {
            write!(formatter, "\n  {problem}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}
