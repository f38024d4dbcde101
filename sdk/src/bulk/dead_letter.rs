//! Dead letters: items that were not updated, as lines of JSON with the reason.

use std::io::{self, Write};

use serde::Serialize;

use super::{InvalidRow, Reason};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;

/// The status of an item that was not updated, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterReason<'a> {
    /// Rejected. Sent unchanged, the item will be rejected once more.
    Rejected(&'a Reason),
    /// Not attempted: no request with the item can have changed anything.
    NotAttempted(&'a Reason),
    /// Unknown: a request may have changed the item. Check it before you resend it.
    Unknown(&'a Reason),
}

/// The member `error` of a line, which [`ItemUpdate::from_json`] ignores.
#[derive(Serialize)]
struct Why<'a> {
    outcome: &'static str,
    #[serde(flatten)]
    reason: &'a Reason,
}

impl DeadLetterReason<'_> {
    /// Returns the line of an item without its line break: [`ItemUpdate::to_json`] with the reason in a last member
    /// `error`.
    ///
    /// ```text
    /// {"id":"…","fieldData":{…},"error":{"outcome":"rejected","kind":"bad_request","status":400,"message":"…"}}
    /// ```
    ///
    /// The member `outcome` is `rejected`, `not_attempted` or `unknown`.
    ///
    /// # Errors
    ///
    /// As [`ItemUpdate::to_json`].
    pub fn line(&self, update: &ItemUpdate) -> Result<String, Error> {
        let why = self.why()?;
        let mut line = update.to_json()?;
        // The object has at least the member `id`, so another member can follow.
        line.pop();
        line.push_str(",\"error\":");
        line.push_str(&why);
        line.push('}');
        Ok(line)
    }

    /// Returns the line of an error of the source at an index, counted from 0, if the text of its row is not known.
    pub(crate) fn line_without_update(&self, index: u64) -> Result<String, Error> {
        let row = index.saturating_add(1);
        let why = self.why()?;
        Ok(format!(
            "{{\"invalid\":null,\"row\":{row},\"error\":{why}}}"
        ))
    }

    fn why(&self) -> Result<String, Error> {
        let (outcome, reason) = match self {
            Self::Rejected(reason) => ("rejected", reason),
            Self::NotAttempted(reason) => ("not_attempted", reason),
            Self::Unknown(reason) => ("unknown", reason),
        };
        serde_json::to_string(&Why { outcome, reason }).map_err(|error| {
            InvalidInput::Unserializable {
                path: "error".into(),
                reason: error.to_string().into(),
            }
            .into()
        })
    }
}

/// Writes the items that were not updated to a dead-letter file.
///
/// [`JsonLines`](super::JsonLines) reads the file as input. Each line is written at once and is complete when the
/// method returns.
#[derive(Debug)]
pub struct DeadLetters<W>(W);

impl<W: Write> DeadLetters<W> {
    /// Creates a writer of dead letters to a file or another [`Write`].
    pub fn new(out: W) -> Self {
        Self(out)
    }

    /// Writes an item with the reason why it was not updated.
    ///
    /// # Errors
    ///
    /// The I/O error of the write, or the error of [`ItemUpdate::to_json`].
    pub fn write(&mut self, update: &ItemUpdate, why: DeadLetterReason<'_>) -> io::Result<()> {
        let mut line = why.line(update).map_err(io::Error::other)?;
        line.push('\n');
        self.0.write_all(line.as_bytes())
    }

    /// Writes a row of the input that is not an item update, as [`InvalidRow::dead_letter`].
    ///
    /// # Errors
    ///
    /// The I/O error of the write.
    pub fn write_invalid_row(&mut self, row: &InvalidRow) -> io::Result<()> {
        let mut line = row.dead_letter().map_err(io::Error::other)?;
        line.push('\n');
        self.0.write_all(line.as_bytes())
    }

    /// Returns the inner writer.
    pub fn into_inner(self) -> W {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ItemId;

    const LINE: &str = r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4","isDraft":true,"fieldData":{"price":1.50,"old":null}}"#;

    fn letters(write: impl FnOnce(&mut DeadLetters<Vec<u8>>) -> io::Result<()>) -> String {
        let mut letters = DeadLetters::new(Vec::new());
        write(&mut letters).expect("no failure");
        String::from_utf8(letters.into_inner()).expect("text")
    }

    #[test]
    fn a_dead_letter_is_the_line_of_the_input_with_the_reason_behind_it() {
        let update = ItemUpdate::from_json(LINE).expect("an update");
        let reason = Reason::new("stopped", "the run was \"stopped\"\nby hand");
        let text = letters(|letters| {
            letters.write(&update, DeadLetterReason::Rejected(&reason))?;
            letters.write(&update, DeadLetterReason::NotAttempted(&reason))?;
            letters.write(&update, DeadLetterReason::Unknown(&reason))
        });
        let same = LINE.strip_suffix('}').expect("an object");
        let expected: String = ["rejected", "not_attempted", "unknown"]
            .map(|outcome| {
                format!(
                    "{same},\"error\":{{\"outcome\":\"{outcome}\",\"kind\":\"stopped\",\
                     \"message\":\"the run was \\\"stopped\\\"\\nby hand\"}}}}\n"
                )
            })
            .concat();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_dead_letter_is_read_as_the_update_that_it_was() {
        let bare = ItemUpdate::new(ItemId::new("66f6ed9576ddacf3149d5ea6").expect("an id"));
        let full = ItemUpdate::from_json(LINE).expect("an update");
        let error = Error::from(ItemId::new("a/b").expect_err("a refusal"));
        for update in [bare, full] {
            let reason = Reason::from_error(&error);
            let text =
                letters(|letters| letters.write(&update, DeadLetterReason::Rejected(&reason)));
            let read = ItemUpdate::from_json(text.trim_end()).expect("an update");
            assert_eq!(
                read.to_json().expect("JSON"),
                update.to_json().expect("JSON")
            );
        }
    }
}
