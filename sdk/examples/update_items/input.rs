//! Item updates from JSON lines, with the place of whatever cannot be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};
use webflow_cms::{CmsLocaleId, InvalidInput, ItemId, ItemUpdate};

/// A line of the file and the update that it asks for.
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) entry: Entry,
    pub(crate) update: ItemUpdate,
}

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
    let update = ItemUpdate::from_json(text).map_err(|error| match error.invalid_input() {
        Some(InvalidInput::UnreadableUpdate { column, reason }) => format!(":{column}: {reason}"),
        _ => format!(": {error}"),
    })?;
    let entry = serde_json::from_str(text).map_err(|error| format!(": {error}"))?;
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
