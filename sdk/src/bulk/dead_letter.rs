//! The items that were not updated, as lines that can be corrected and used as input again.

use std::io::{self, Write};

use serde::Serialize;

use super::{InvalidRow, Reason};
use crate::error::{Error, InvalidInput};
use crate::model::ItemUpdate;

/// What kept an item from being updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotUpdated<'a> {
    /// It was rejected; sent again as it is, it will be rejected again.
    Rejected(&'a Reason),
    /// No request with it has left, or none that can have changed anything.
    NotAttempted(&'a Reason),
    /// A request may have changed it; look at it before it is sent again.
    Unknown(&'a Reason),
}

/// The member in which the reason stands, and which [`ItemUpdate::from_json`] passes over.
#[derive(Serialize)]
struct Why<'a> {
    outcome: &'static str,
    #[serde(flatten)]
    reason: &'a Reason,
}

impl NotUpdated<'_> {
    /// The line of an item, without a line break at its end: [`ItemUpdate::to_json`], and the reason behind it in a
    /// member `error`.
    ///
    /// ```text
    /// {"id":"…","fieldData":{…},"error":{"outcome":"rejected","kind":"bad_request","status":400,"message":"…"}}
    /// ```
    ///
    /// The outcome is `rejected`, `not_attempted` or `unknown`.
    ///
    /// # Errors
    ///
    /// As [`ItemUpdate::to_json`].
    pub fn line(&self, update: &ItemUpdate) -> Result<String, Error> {
        let why = self.why()?;
        let mut line = update.to_json()?;
        // An update has its id at least, so that what follows is one more member.
        line.pop();
        line.push_str(",\"error\":");
        line.push_str(&why);
        line.push('}');
        Ok(line)
    }

    /// The line of an error of the source at an index, counted from 0, of which no text is known.
    pub(crate) fn line_without_update(&self, index: u64) -> Result<String, Error> {
        let row = index.saturating_add(1);
        let why = self.why()?;
        Ok(format!(
            "{{\"unreadable\":null,\"row\":{row},\"error\":{why}}}"
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

/// Writes the items that were not updated, each as a line of JSON that can be read as input again.
///
/// Nothing is held back: each line is one write, and complete when its method has returned.
#[derive(Debug)]
pub struct DeadLetters<W>(W);

impl<W: Write> DeadLetters<W> {
    /// Writes to a file, or to anything else.
    pub fn new(out: W) -> Self {
        Self(out)
    }

    /// Writes an item and what kept it from being updated.
    ///
    /// # Errors
    ///
    /// What writing to the file comes to.
    pub fn write(&mut self, update: &ItemUpdate, why: NotUpdated<'_>) -> io::Result<()> {
        let mut line = why.line(update).map_err(io::Error::other)?;
        line.push('\n');
        self.0.write_all(line.as_bytes())
    }

    /// Writes a row of the input that is not an update, as [`InvalidRow::dead_letter`] has it.
    ///
    /// # Errors
    ///
    /// The error of writing to the file.
    pub fn write_unreadable(&mut self, row: &InvalidRow) -> io::Result<()> {
        let mut line = row.dead_letter().map_err(io::Error::other)?;
        line.push('\n');
        self.0.write_all(line.as_bytes())
    }

    /// Gives back what was written to.
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
            letters.write(&update, NotUpdated::Rejected(&reason))?;
            letters.write(&update, NotUpdated::NotAttempted(&reason))?;
            letters.write(&update, NotUpdated::Unknown(&reason))
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
            let reason = Reason::of(&error);
            let text = letters(|letters| letters.write(&update, NotUpdated::Rejected(&reason)));
            let read = ItemUpdate::from_json(text.trim_end()).expect("an update");
            assert_eq!(
                read.to_json().expect("JSON"),
                update.to_json().expect("JSON")
            );
        }
    }
}
