//! Reads item updates from JSON Lines: one JSON object per line.

mod format;
mod line_numbers;
mod row;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

pub use line_numbers::LineNumbers;
pub use row::InvalidRow;

use crate::model::ItemUpdate;
use format::Format;
use row::{Raw, RowFault};

/// The byte order mark that some programs write at the start of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// An iterator over the item updates of a JSON Lines input, with an [`InvalidRow`] in place of each row that is not
/// an update.
///
/// A row is a line that is not blank. Lines are numbered from 1 and end in `\n` or `\r\n`. A byte order mark at the
/// start is skipped. Memory use does not grow with the length of the input.
///
/// The rows of a [dead letter](super::Outcome::dead_letter) file are read like any other. A member `error` is ignored,
/// and the text of an invalid row is read in place of the row.
///
/// # When it ends
///
/// The iterator ends at the end of the input, after an I/O error, and after a first row that shows that the input is
/// not JSON Lines: a JSON array, JSON spread over several lines, CSV, UTF-16 or gzip. The error of that row names the
/// format and the command that converts it.
///
/// ```
/// use webflow_cms::bulk::JsonLines;
///
/// let input = "{\"id\":\"66f6ed9576ddacf3149d5ea6\",\"isDraft\":true}\n\n{\"id\":5}\n";
/// let mut lines = JsonLines::new(input.as_bytes());
/// assert!(lines.next().is_some_and(|row| row.is_ok()));
/// let row = lines.next().expect("a second row").expect_err("a number is no id");
/// assert_eq!((row.line(), row.raw()), (3, "{\"id\":5}"));
/// assert!(row.to_string().starts_with("line 3: "));
/// ```
///
/// As the source of a bulk update:
///
/// ```no_run
/// # async fn example(client: webflow_cms::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use webflow_cms::CollectionId;
/// use webflow_cms::bulk::JsonLines;
///
/// let updates = JsonLines::open("items.jsonl")?;
/// let lines = updates.line_numbers();
/// let mut run = client
///     .bulk(CollectionId::new("580e63fc8c9a982ac9b8b745")?)
///     .continue_after_source_error(true)
///     .try_run(updates)?;
/// while let Some(outcome) = run.next().await {
///     if let Some(letter) = outcome.dead_letter()? {
///         eprintln!("line {} was not updated: {letter}", lines.of(outcome.index));
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an iterator does nothing unless it is consumed"]
pub struct JsonLines<R> {
    input: R,
    max_line_bytes: usize,
    /// The number of the line that was read last.
    line: u64,
    rows: u64,
    numbers: LineNumbers,
    bytes: Vec<u8>,
    ended: bool,
}

type RowError = Box<dyn std::error::Error + Send + Sync>;

/// The result of reading a line into the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    End,
}

impl JsonLines<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// As [`File::open`].
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::new(BufReader::new(File::open(path)?)))
    }
}

impl<R: BufRead> JsonLines<R> {
    /// Creates a reader of an input that is at the start of its first line.
    pub fn new(input: R) -> Self {
        Self {
            input,
            max_line_bytes: 16 * 1024 * 1024,
            line: 0,
            rows: 0,
            numbers: LineNumbers::default(),
            bytes: Vec::new(),
            ended: false,
        }
    }

    /// Sets the maximum length of a line, in bytes. Default: 16 MiB. A longer line is an [`InvalidRow`].
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Returns the number of the line that was read last, counted from 1; 0 before the first line.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Returns a handle with the line number of each row, for messages about an [`Outcome`](super::Outcome), which has
    /// only the position of its row.
    #[must_use]
    pub fn line_numbers(&self) -> LineNumbers {
        self.numbers.clone()
    }

    /// Counts the rows to the end of the input without parsing them, for
    /// [`Bulk::expected_items`](super::Bulk::expected_items). The input has to be opened again to read the updates.
    ///
    /// # Errors
    ///
    /// The I/O error that ended the input, with the number of its line.
    pub fn count_rows(mut self) -> Result<u64, InvalidRow> {
        let before = self.rows;
        while self.next_row()?.is_some() {}
        Ok(self.rows - before)
    }

    /// Reads up to the end of the next line that is not blank.
    fn next_row(&mut self) -> Result<Option<Line>, InvalidRow> {
        while !self.ended {
            match self.read_line() {
                Ok(Line::End) => self.ended = true,
                Ok(Line::Whole) if is_blank(&self.bytes) => self.numbers.blank_line(self.rows),
                Ok(line) => {
                    self.rows += 1;
                    return Ok(Some(line));
                }
                Err(error) => {
                    self.ended = true;
                    self.rows += 1;
                    self.line += 1;
                    return Err(self.invalid_beginning(error));
                }
            }
        }
        Ok(None)
    }

    /// Reads a line without its line break. The rest of one that is too long is skipped.
    fn read_line(&mut self) -> io::Result<Line> {
        const LINE_BREAK: usize = b"\r\n".len();
        self.bytes.clear();
        let bound = self.max_line_bytes.saturating_add(LINE_BREAK);
        let bound = u64::try_from(bound).unwrap_or(u64::MAX);
        let mut bounded = self.input.by_ref().take(bound);
        if bounded.read_until(b'\n', &mut self.bytes)? == 0 {
            return Ok(Line::End);
        }
        let is_at_bound = bounded.limit() == 0;
        if self.bytes.pop_if(|last| *last == b'\n').is_some() {
            self.bytes.pop_if(|last| *last == b'\r');
        } else if is_at_bound {
            self.input.skip_until(b'\n')?;
        }
        self.line += 1;
        if self.line == 1 && self.bytes.starts_with(BYTE_ORDER_MARK) {
            self.bytes.drain(..BYTE_ORDER_MARK.len());
        }
        match self.bytes.len() > self.max_line_bytes {
            true => Ok(Line::TooLong),
            false => Ok(Line::Whole),
        }
    }

    fn update(&mut self, line: Line) -> Result<ItemUpdate, InvalidRow> {
        if self.rows == 1
            && let Some(format) = Format::of_bytes(&self.bytes)
            && !(format.could_be_a_row(&self.bytes) && self.is_followed_by_an_object())
        {
            return Err(self.not_json_lines(format));
        }
        if line == Line::TooLong {
            let most = self.max_line_bytes;
            return Err(self.invalid_beginning(RowFault::TooLong { most }));
        }
        let text = match str::from_utf8(&self.bytes) {
            Ok(text) => text,
            Err(error) => {
                let column = error.valid_up_to() + 1;
                return Err(self.invalid(RowFault::NotUtf8 { column }));
            }
        };
        let error = match ItemUpdate::from_json(text) {
            Ok(update) => return Ok(update),
            Err(error) => error,
        };
        if let Some(read_again) = row::read_again(self.line, text) {
            return read_again;
        }
        if self.rows == 1
            && let Some(format) = Format::of_text(text)
            && !(format.could_be_a_row(&self.bytes) && self.is_followed_by_an_object())
        {
            return Err(self.not_json_lines(format));
        }
        Err(self.invalid(error))
    }

    fn not_json_lines(&mut self, format: Format) -> InvalidRow {
        self.ended = true;
        self.invalid(RowFault::Format(format))
    }

    fn invalid(&self, reason: impl Into<RowError>) -> InvalidRow {
        InvalidRow::from_raw(self.line, Raw::of(&self.bytes), reason.into())
    }

    /// Returns the error of a row that was not read to its end.
    fn invalid_beginning(&self, reason: impl Into<RowError>) -> InvalidRow {
        InvalidRow::from_raw(self.line, Raw::beginning_of(&self.bytes), reason.into())
    }

    /// Whether the rest of the input looks like JSON Lines, so that only the first row is at fault.
    fn is_followed_by_an_object(&mut self) -> bool {
        // An I/O error repeats at the next row.
        let rest = self.input.fill_buf().unwrap_or_default();
        rest.trim_ascii_start().starts_with(b"{")
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<ItemUpdate, InvalidRow>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_row().transpose()?;
        Some(line.and_then(|line| self.update(line)))
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || str::from_utf8(line).is_ok_and(|text| text.trim().is_empty())
}
