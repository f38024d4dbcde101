//! Text that is read, and text that is kept for people to read.

use std::any::Any;

/// The text without the byte order mark that some write before it, and that is no part of JSON.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The beginning of a text: at most so many characters of it, with `…` where it was cut.
pub(crate) fn beginning(text: &str, most: usize) -> Box<str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

/// The message of a panic, if it has one.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mark_before_a_text_is_passed_over() {
        assert_eq!(without_mark("\u{feff}a\u{feff}"), "a\u{feff}");
        assert_eq!(without_mark("\u{feff}\u{feff}a"), "\u{feff}a");
        assert_eq!(without_mark("a"), "a");
    }

    #[test]
    fn a_text_is_cut_between_characters_and_only_if_it_is_too_long() {
        assert_eq!(&*beginning("été", 3), "été");
        assert_eq!(&*beginning("étés", 3), "été…");
        assert_eq!(&*beginning("", 0), "");
    }
}
