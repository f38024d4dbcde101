//! Helpers for text that is parsed or shown.

use std::any::Any;

/// Removes a byte order mark, which some editors write and which is not part of JSON.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Truncates a text to `max_chars` characters, with `…` at the end of a truncated text.
pub(crate) fn beginning(text: &str, max_chars: usize) -> Box<str> {
    match text.char_indices().nth(max_chars) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

/// Returns the message of a panic, if it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_order_mark_is_removed() {
        assert_eq!(without_mark("\u{feff}a\u{feff}"), "a\u{feff}");
        assert_eq!(without_mark("\u{feff}\u{feff}a"), "\u{feff}a");
        assert_eq!(without_mark("a"), "a");
    }

    #[test]
    fn a_text_is_truncated_between_characters_and_only_if_it_is_too_long() {
        assert_eq!(&*beginning("été", 3), "été");
        assert_eq!(&*beginning("étés", 3), "été…");
        assert_eq!(&*beginning("", 0), "");
    }
}
