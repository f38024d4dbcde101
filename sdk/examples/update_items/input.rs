//! Item updates from JSON lines, with the place of whatever cannot be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;

use webflow_cms::ItemUpdate;

use super::entry::{self, Entry};

/// A line of the file and the update that it asks for.
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: usize,
    pub(crate) entry: Entry,
    pub(crate) update: ItemUpdate,
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
        match read_line(name, number, text) {
            Err(problem) => problems.push(problem),
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

fn read_line(name: &str, number: usize, text: &str) -> Result<Line, String> {
    let update = entry::update(name, number, text)?;
    let entry = Entry::read(text).map_err(|error| format!("{name}:{number}: {error}"))?;
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
