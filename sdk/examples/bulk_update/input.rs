//! A file of JSON lines as the source of a run: read line by line as the run goes on, so that it may have any length.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use futures_util::{Stream, stream};
use webflow_cms::ItemUpdate;

use super::{Failure, entry};

/// The file, as far as a first look at it goes.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    name: String,
    /// How many lines are not empty. Each of them is an update, or should be one.
    pub(crate) items: u64,
    /// How many lines that are not empty stand before each that is.
    before_empty_lines: Vec<u64>,
}

impl Input {
    /// Counts the lines, without a look at what they say.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let mut input = Self {
            name: path.display().to_string(),
            items: 0,
            before_empty_lines: Vec::new(),
        };
        for line in lines(&input.name).map_err(Failure::WrongUse)? {
            match line.map_err(Failure::WrongUse)?.1 {
                Ok(text) if text.trim().is_empty() => input.before_empty_lines.push(input.items),
                _ => input.items += 1,
            }
        }
        match input.items {
            0 => Err(Failure::WrongUse(format!(
                "{}: there is no update in it",
                input.name
            ))),
            _ => Ok(input),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the line in which an item stands.
    pub(crate) fn line_of(&self, index: u64) -> u64 {
        let empty = self
            .before_empty_lines
            .partition_point(|before| *before <= index);
        index + 1 + empty as u64
    }

    /// The updates, with an error in place of each line that is none. Nothing comes after a line that the disk does not
    /// give.
    pub(crate) fn updates(
        &self,
    ) -> Result<impl Stream<Item = Result<ItemUpdate, String>> + Send + 'static, Failure> {
        Ok(stream::iter(self.read()?))
    }

    pub(crate) fn read(
        &self,
    ) -> Result<impl Iterator<Item = Result<ItemUpdate, String>> + Send + 'static, Failure> {
        let name = self.name.clone();
        let lines = lines(&name).map_err(Failure::WrongUse)?;
        Ok(lines.filter_map(move |line| match line {
            Err(error) => Some(Err(error)),
            Ok((number, Err(error))) => Some(Err(format!("{name}:{number}: {error}"))),
            Ok((_, Ok(text))) if text.trim().is_empty() => None,
            Ok((number, Ok(text))) => Some(entry::update(&name, number, &text)),
        }))
    }
}

/// A line with its number, or what keeps it from being text.
type Line = (usize, Result<String, &'static str>);

/// The lines of a file, until it ends or cannot be read on.
fn lines(name: &str) -> Result<impl Iterator<Item = Result<Line, String>> + Send + use<>, String> {
    let name = name.to_owned();
    let file = File::open(&name).map_err(|error| format!("{name}: {error}"))?;
    let mut file = Some(BufReader::new(file));
    let mut number = 0;
    Ok(std::iter::from_fn(move || {
        let mut bytes = Vec::new();
        match file.as_mut()?.read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(_) => {
                number += 1;
                let text = String::from_utf8(bytes).map_err(|_| "not UTF-8");
                Some(Ok((number, text)))
            }
            Err(error) => {
                file = None;
                Some(Err(format!("{name}:{}: {error}", number + 1)))
            }
        }
    }))
}
