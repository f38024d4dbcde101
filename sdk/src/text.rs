//! Text that is kept for people to read.

/// The beginning of a text: at most so many characters of it, with `…` where it was cut.
pub(crate) fn beginning(text: &str, most: usize) -> Box<str> {
    match text.char_indices().nth(most) {
        None => text.into(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_only_if_it_is_too_long() {
        assert_eq!(&*beginning("été", 3), "été");
        assert_eq!(&*beginning("étés", 3), "été…");
        assert_eq!(&*beginning("", 0), "");
    }
}
