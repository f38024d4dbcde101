//! The line numbers of the rows of an input.

use std::sync::{Arc, Mutex};

use crate::bulk::control::lock;

/// The line number of each row that a [`JsonLines`](super::JsonLines) has read. Clones share one table.
#[derive(Clone, Debug, Default)]
pub struct LineNumbers(Arc<Mutex<Vec<BlankLines>>>);

/// A run of consecutive blank lines.
#[derive(Clone, Copy, Debug)]
struct BlankLines {
    rows_before: u64,
    /// Including those before them.
    blank_lines: u64,
}

impl LineNumbers {
    /// Returns the number of the line, counted from 1, with the row at an index, counted from 0, as in
    /// [`Outcome::index`](crate::bulk::Outcome::index).
    #[must_use]
    pub fn of(&self, index: u64) -> u64 {
        let table = lock(&self.0);
        let before = table.partition_point(|blank| blank.rows_before <= index);
        let blank_lines = before
            .checked_sub(1)
            .and_then(|last| table.get(last))
            .map_or(0, |blank| blank.blank_lines);
        index.saturating_add(1).saturating_add(blank_lines)
    }

    pub(super) fn blank_line(&self, rows_before: u64) {
        let mut table = lock(&self.0);
        match table.last_mut() {
            Some(last) if last.rows_before == rows_before => last.blank_lines += 1,
            last => {
                let blank_lines = last.map_or(0, |last| last.blank_lines) + 1;
                table.push(BlankLines {
                    rows_before,
                    blank_lines,
                });
            }
        }
    }
}
