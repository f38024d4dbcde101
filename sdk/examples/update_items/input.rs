//! Item updates from JSON lines, with the place of whatever cannot be read.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::fmt;
use std::io::BufRead;

use webflow_cms::ItemUpdate;
use webflow_cms::bulk::JsonLines;

use super::entry::Entry;

/// A line of the file and the update that it asks for.
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) entry: Entry,
    pub(crate) update: ItemUpdate,
}

/// Reads JSON lines, of which blank ones do not count.
///
/// A batch refuses two updates of the same item in the same locale. Here this holds for the whole file, where they
/// may lie in different batches.
pub(crate) fn read(name: &str, input: impl BufRead) -> Result<Vec<Line>, Problems> {
    let mut lines = Vec::new();
    let mut problems = Vec::new();
    let mut first_lines = HashMap::new();
    let mut rows = JsonLines::new(input);
    while let Some(row) = rows.next() {
        let number = rows.line();
        let line = match row.map(|update| line(number, update)) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => {
                problems.push(format!("{name}:{number}: {error}"));
                continue;
            }
            Err(row) => {
                problems.push(format!("{name}:{}: {}", row.line(), row.reason()));
                continue;
            }
        };
        match first_lines.entry(line.update.key()) {
            Place::Vacant(place) => {
                place.insert(number);
                lines.push(line);
            }
            Place::Occupied(first) => problems.push(format!(
                "{name}:{number}: updates the same item in the same locale as line {} ({})",
                first.get(),
                first.key()
            )),
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

fn line(number: u64, update: ItemUpdate) -> Result<Line, Box<dyn std::error::Error>> {
    let entry = Entry::read(&update.to_json()?)?;
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
