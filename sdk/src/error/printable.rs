//! A server's words, made fit for a line of a log.

use std::fmt::{self, Write as _};

/// A server's words on one line: what a terminal would act on is escaped, and a long text is cut.
pub(crate) struct Printable<'a> {
    text: &'a str,
    most: usize,
}

impl<'a> Printable<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::truncated(text, 500)
    }

    /// At most so many characters of it.
    pub(crate) fn truncated(text: &'a str, most: usize) -> Self {
        Self { text, most }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, character) in self.text.chars().enumerate() {
            if position == self.most {
                return formatter.write_char('…');
            }
            if character.is_control() || is_unseen(character) {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Whether a character shows in nothing but what it does to others, such as the one that turns the rest of a line
/// around, or ends a line without being a control.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}
