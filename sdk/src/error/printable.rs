//! Received text for one line of a log or terminal.

use std::fmt::{self, Write as _};

/// Received text on one line: control characters are escaped, and a long text is truncated.
pub(crate) struct Printable<'a> {
    text: &'a str,
    max_chars: usize,
}

impl<'a> Printable<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::truncated(text, 500)
    }

    pub(crate) fn truncated(text: &'a str, max_chars: usize) -> Self {
        Self { text, max_chars }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, character) in self.text.chars().enumerate() {
            if position == self.max_chars {
                return formatter.write_char('…');
            }
            if character.is_control() || is_invisible(character) {
                write!(formatter, "{}", character.escape_default())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Whether a character is invisible and changes the text around it, such as a right-to-left override or a line
/// separator.
fn is_invisible(character: char) -> bool {
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
