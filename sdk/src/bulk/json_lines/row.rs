//! A row of an input that is not an item update.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::format::Format;
use crate::bulk::Reason;
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;
use crate::text::beginning;

/// How much of the text of a row is kept, in bytes.
const MAX_RAW_BYTES: usize = 256 * 1024;

/// How much of the message of a dead letter is repeated, in characters.
const MAX_MESSAGE: usize = 500;

/// A row of an input that is not an item update: its line number, its text, and the reason.
///
/// Its `Display` is the line number and the reason. [`source`](std::error::Error::source) gives the reason alone: a
/// [`webflow_cms::Error`](crate::Error) if the row is not an update, an [`io::Error`](std::io::Error) if it could not
/// be read.
///
/// As an error of the source of a bulk update, [`Outcome::dead_letter`](crate::bulk::Outcome::dead_letter) writes it
/// with its text. A reader of another format, such as CSV, makes its own with [`new`](Self::new).
pub struct InvalidRow(Box<Inner>);

struct Inner {
    line: u64,
    raw: Raw,
    reason: Box<dyn std::error::Error + Send + Sync>,
}

/// The text of a row, as far as it is kept.
pub(super) struct Raw {
    text: Box<str>,
    /// Whether it is all of the row, byte for byte.
    is_exact: bool,
}

/// A reason that no other layer gives.
#[derive(Debug)]
pub(super) enum RowFault {
    NotUtf8 { column: usize },
    TooLong { most: usize },
    Format(Format),
    UnreadableBefore { message: Box<str> },
}

/// A dead letter of a row that was not read.
#[derive(Serialize, Deserialize)]
struct Letter<'a> {
    unreadable: Cow<'a, str>,
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
    /// A row at a line, counted from 1, with its text and the reason. At most 256 KiB of the text are kept.
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

    /// The number of the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.0.line
    }

    /// The text of the row without its line break: at most the first 256 KiB, and U+FFFD in place of what is not UTF-8.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0.raw.text
    }

    /// Whether [`raw`](Self::raw) is all of the row, byte for byte.
    #[must_use]
    pub fn is_raw_exact(&self) -> bool {
        self.0.raw.is_exact
    }

    /// Why the row is not an update.
    #[must_use]
    pub fn reason(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0.reason
    }

    /// Whether the rows behind it are not read, because of an I/O error, or because the input is not JSON Lines at all.
    #[must_use]
    pub fn ends_input(&self) -> bool {
        let fault = self.0.reason.downcast_ref();
        self.0.reason.is::<std::io::Error>() || matches!(fault, Some(RowFault::Format(_)))
    }

    /// The line for a file of dead letters, without a line break at its end: the text of the row, its line number, and
    /// the reason.
    ///
    /// ```text
    /// {"unreadable":"{\"id\":5}","line":3,"error":{"outcome":"not_attempted","kind":"unreadable_row","message":"…"}}
    /// ```
    ///
    /// A member `"exact":false` marks a text that is not all of the row, byte for byte.
    ///
    /// # Errors
    ///
    /// None is known: a text can be serialized.
    pub fn dead_letter(&self) -> Result<String, Error> {
        let reason = Reason::new("unreadable_row", &self.0.reason.to_string());
        let letter = Letter {
            unreadable: self.raw().into(),
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
                path: "unreadable".into(),
                reason: error.to_string().into(),
            }
            .into()
        })
    }

    /// The row that an error is, holds, or was caused by.
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

/// Reads the row of a dead letter again, if the text is one. Whoever has corrected the text gets its update.
pub(super) fn read_again(line: u64, text: &str) -> Option<Result<ItemUpdate, InvalidRow>> {
    let letter: Letter<'_> = serde_json::from_str(text).ok()?;
    if letter.exact
        && let Ok(update) = ItemUpdate::from_json(&letter.unreadable)
    {
        return Some(Ok(update));
    }
    let raw = Raw {
        is_exact: letter.exact,
        ..Raw::of(letter.unreadable.as_bytes())
    };
    let message = beginning(&letter.error.message, MAX_MESSAGE);
    let reason = RowFault::UnreadableBefore { message };
    Some(Err(InvalidRow::from_raw(line, raw, reason.into())))
}

impl Raw {
    /// The beginning of a row.
    pub(super) fn beginning_of(row: &[u8]) -> Self {
        Self {
            is_exact: false,
            ..Self::of(row)
        }
    }

    pub(super) fn of(row: &[u8]) -> Self {
        let kept = row.get(..MAX_RAW_BYTES).unwrap_or(row);
        let kept = match str::from_utf8(kept) {
            // It was cut in the middle of a character.
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
            Self::UnreadableBefore { message } => write!(
                formatter,
                "an earlier run could not read this row: {message}; replace the line with the corrected update"
            ),
        }
    }
}

impl std::error::Error for RowFault {}
