//! A row of an input that is not an item update.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::format::Format;
use crate::bulk::Reason;
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;
use crate::text::beginning;

/// The maximum size of the text of a row that is kept, in bytes.
const MAX_RAW_BYTES: usize = 256 * 1024;

/// The maximum length of the message of an earlier dead letter that is repeated, in characters.
const MAX_MESSAGE: usize = 500;

/// A row of an input that is not an item update: its line number, its text, and the reason.
///
/// `Display` writes the line number and the reason. [`source`](std::error::Error::source) is the reason alone: a
/// [`webflow_cms::Error`](crate::Error) if the row is not an update, or an [`io::Error`](std::io::Error) if it could
/// not be read.
///
/// If the source of a bulk update gives it as an error, [`Outcome::dead_letter`](crate::bulk::Outcome::dead_letter)
/// contains its text. A reader of another format, such as CSV, creates its own with [`new`](Self::new).
pub struct InvalidRow(Box<Inner>);

struct Inner {
    line: u64,
    raw: Raw,
    reason: Box<dyn std::error::Error + Send + Sync>,
}

/// The text of a row, or its beginning.
pub(super) struct Raw {
    text: Box<str>,
    /// Whether it is the whole row, byte for byte.
    is_exact: bool,
}

/// A reason why a row is invalid that no other layer gives.
#[derive(Debug)]
pub(super) enum RowFault {
    NotUtf8 { column: usize },
    TooLong { most: usize },
    Format(Format),
    InvalidBefore { message: Box<str> },
}

/// The dead letter of an invalid row.
#[derive(Serialize, Deserialize)]
struct Letter<'a> {
    /// The text of the row.
    #[serde(alias = "unreadable")]
    invalid: Cow<'a, str>,
    line: u64,
    #[serde(default = "exact", skip_serializing_if = "is_exact")]
    exact: bool,
    error: Why<'a>,
}

#[derive(Serialize, Deserialize)]
struct Why<'a> {
    outcome: Cow<'a, str>,
    kind: Cow<'a, str>,
    message: Cow<'a, str>,
}

fn exact() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_exact(exact: &bool) -> bool {
    *exact
}

impl InvalidRow {
    /// Creates the error of a row at a line, counted from 1, with its text and the reason. At most 256 KiB of the text
    /// are kept.
    pub fn new(
        line: u64,
        raw: &str,
        reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::from_raw(line, Raw::of(raw.as_bytes()), reason.into())
    }

    pub(super) fn from_raw(
        line: u64,
        raw: Raw,
        reason: Box<dyn std::error::Error + Send + Sync>,
    ) -> Self {
        Self(Box::new(Inner { line, raw, reason }))
    }

    /// Returns the number of the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.0.line
    }

    /// Returns the text of the row without its line break: at most the first 256 KiB, with U+FFFD in place of invalid
    /// UTF-8.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0.raw.text
    }

    /// Returns `true` if [`raw`](Self::raw) is the whole row, byte for byte.
    #[must_use]
    pub fn is_raw_exact(&self) -> bool {
        self.0.raw.is_exact
    }

    /// Returns the reason why the row is not an update.
    #[must_use]
    pub fn reason(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0.reason
    }

    /// Returns `true` if the rows behind it are not read, because of an I/O error or because the input is not JSON
    /// Lines.
    #[must_use]
    pub fn ends_input(&self) -> bool {
        let fault = self.0.reason.downcast_ref();
        self.0.reason.is::<std::io::Error>() || matches!(fault, Some(RowFault::Format(_)))
    }

    /// Returns the line for a dead-letter file without its line break: the text of the row, its line number, and the
    /// reason.
    ///
    /// ```text
    /// {"invalid":"{\"id\":5}","line":3,"error":{"outcome":"not_attempted","kind":"invalid_row","message":"…"}}
    /// ```
    ///
    /// A member `"exact":false` marks a text that is not the whole row, byte for byte.
    ///
    /// # Errors
    ///
    /// There is no known case: text serializes.
    pub fn dead_letter(&self) -> Result<String, Error> {
        let reason = Reason::new("invalid_row", &self.0.reason.to_string());
        let letter = Letter {
            invalid: self.raw().into(),
            line: self.line(),
            exact: self.is_raw_exact(),
            error: Why {
                outcome: "not_attempted".into(),
                kind: reason.kind().into(),
                message: reason.message().into(),
            },
        };
        serde_json::to_string(&letter).map_err(|error| {
            InvalidInput::Unserializable {
                path: "invalid".into(),
                reason: error.to_string().into(),
            }
            .into()
        })
    }

    /// Returns the row that an error is, contains, or was caused by.
    pub(crate) fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut errors = std::iter::successors(Some(error), |error| {
            // The source of an I/O error is that of the error in it.
            let held = error.downcast_ref().and_then(std::io::Error::get_ref);
            match held {
                Some(held) => Some(held),
                None => error.source(),
            }
        });
        errors.find_map(|error| error.downcast_ref())
    }
}

/// Reads the row in a dead letter, if the text is one. A corrected row is an update.
pub(super) fn read_again(line: u64, text: &str) -> Option<Result<ItemUpdate, InvalidRow>> {
    let letter: Letter<'_> = serde_json::from_str(text).ok()?;
    if letter.exact
        && let Ok(update) = ItemUpdate::from_json(&letter.invalid)
    {
        return Some(Ok(update));
    }
    let raw = Raw {
        is_exact: letter.exact,
        ..Raw::of(letter.invalid.as_bytes())
    };
    let message = beginning(&letter.error.message, MAX_MESSAGE);
    let reason = RowFault::InvalidBefore { message };
    Some(Err(InvalidRow::from_raw(line, raw, reason.into())))
}

impl Raw {
    /// Creates the text of a row that was not read to its end.
    pub(super) fn beginning_of(row: &[u8]) -> Self {
        Self {
            is_exact: false,
            ..Self::of(row)
        }
    }

    pub(super) fn of(row: &[u8]) -> Self {
        let kept = row.get(..MAX_RAW_BYTES).unwrap_or(row);
        let kept = match str::from_utf8(kept) {
            // It was truncated within a character.
            Err(error) if error.error_len().is_none() => {
                kept.get(..error.valid_up_to()).unwrap_or_default()
            }
            _ => kept,
        };
        let text = String::from_utf8_lossy(kept);
        Self {
            is_exact: text.as_bytes() == row,
            text: text.into(),
        }
    }
}

impl fmt::Display for InvalidRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line(), self.0.reason)
    }
}

impl fmt::Debug for InvalidRow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InvalidRow")
            .field("line", &self.0.line)
            .field("raw", &beginning(&self.0.raw.text, MAX_MESSAGE))
            .field("is_raw_exact", &self.0.raw.is_exact)
            .field("reason", &self.0.reason)
            .finish()
    }
}

impl std::error::Error for InvalidRow {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0.reason)
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { column } => write!(formatter, "not UTF-8 at byte {column}"),
            Self::TooLong { most } => {
                write!(formatter, "the line is longer than {most} bytes")
            }
            Self::Format(format) => format.fmt(formatter),
            Self::InvalidBefore { message } => write!(
                formatter,
                "an earlier run found this row invalid: {message}; replace the line with the corrected update"
            ),
        }
    }
}

impl std::error::Error for RowFault {}
