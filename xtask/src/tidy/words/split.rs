//! Words: a text taken apart, names in it too, so that `max_answer_bytes` and `MaxAnswerBytes` have three each.

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// In lower case. Empty between two sentences, cells or paragraphs, so that no phrase spans them.
    pub(super) text: String,
    /// From 1.
    pub(super) line: usize,
    /// The number of the name that it is a part of; none if it stands alone, as words of prose do.
    pub(super) name: Option<usize>,
}

/// Names whose `try` is Rust's word for what may fail.
const FALLIBLE: [&str; 8] = [
    "try_",
    "TryFrom",
    "TryInto",
    "TryStream",
    "TryFuture",
    "TryLock",
    "TryRecv",
    "TrySend",
];

/// The words of lines, each with its number.
pub(super) fn words<'a>(lines: impl IntoIterator<Item = (usize, &'a str)>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut names = 0;
    let mut before = None;
    for (line, text) in lines {
        let starts = text.trim_start();
        let is_next = before.is_some_and(|before| before + 1 == line);
        if !is_next || starts.is_empty() || starts.starts_with(['-', '*', '#', '|', '>']) {
            words.push(pause(line));
        }
        before = Some(line);
        for (text, is_end) in chunks(text) {
            let is_name = is_name(text);
            names += usize::from(is_name);
            let name = is_name.then_some(names);
            words.extend(parts(text).map(|text| Word { text, line, name }));
            if is_end {
                words.push(pause(line));
            }
        }
    }
    words
}

/// The words of one name.
pub(super) fn name(line: usize, name: &str) -> Vec<Word> {
    let whole = name.split(|c: char| !is_word(c)).flat_map(parts);
    whole
        .map(|text| Word {
            text,
            line,
            name: Some(0),
        })
        .collect()
}

fn pause(line: usize) -> Word {
    Word {
        text: String::new(),
        line,
        name: None,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What stands between spaces and punctuation, and whether a sentence or a cell ends behind it.
fn chunks(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(is_word)?;
        let from = rest.get(start..)?;
        let end = from.find(|c: char| !is_word(c)).unwrap_or(from.len());
        let (chunk, behind) = from.split_at(end);
        rest = behind;
        let next = behind.find(is_word);
        let gap = next.map_or(behind, |next| behind.split_at(next).0);
        let ends = |c: char| {
            let after = gap.split_once(c).map(|(_, after)| after);
            after.is_some_and(|after| after.contains(' ') || next.is_none())
        };
        Some((
            chunk,
            gap.contains(['|', ';', '?', '!']) || ends('.') || ends(':'),
        ))
    })
}

/// Whether a chunk of prose is a name: it has an underscore, or a capital behind a small letter.
fn is_name(chunk: &str) -> bool {
    let humps = chunk.chars().zip(chunk.chars().skip(1));
    chunk.contains('_')
        || humps
            .into_iter()
            .any(|(a, b)| a.is_lowercase() && b.is_uppercase())
}

/// The words of a chunk, in lower case.
fn parts(chunk: &str) -> impl Iterator<Item = String> + use<> {
    let is_fallible = FALLIBLE.iter().any(|start| chunk.starts_with(start));
    let mut parts: Vec<String> = Vec::new();
    for part in chunk.split('_').filter(|part| !part.is_empty()) {
        let letters: Vec<char> = part.chars().collect();
        let mut word = String::new();
        for (at, letter) in letters.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| letters.get(at));
            let next_is_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
            let begins = letter.is_uppercase()
                && before.is_some_and(|before| !before.is_uppercase() || next_is_small);
            if begins {
                parts.push(std::mem::take(&mut word));
            }
            word.extend(letter.to_lowercase());
        }
        parts.push(word);
    }
    parts.into_iter().skip(usize::from(is_fallible))
}

#[cfg(test)]
mod tests {
    use super::{name, words};

    fn texts(text: &str) -> Vec<String> {
        let words = words(text.lines().zip(1..).map(|(text, line)| (line, text)));
        let texts = words.into_iter().map(|word| word.text);
        texts
            .skip(1)
            .map(|text| {
                if text.is_empty() {
                    "/".to_owned()
                } else {
                    text
                }
            })
            .collect()
    }

    fn parts(text: &str) -> String {
        let words: Vec<_> = name(1, text).into_iter().map(|word| word.text).collect();
        words.join(" ")
    }

    #[test]
    fn a_name_has_the_words_that_it_is_made_of() {
        for (text, expected) in [
            ("max_answer_bytes", "max answer bytes"),
            ("UnreadableAnswer", "unreadable answer"),
            ("HTTPServer", "http server"),
            ("MAX_TRIES", "max tries"),
            ("--stop-after", "stop after"),
            ("retries/not-more-than", "retries not more than"),
            ("entries", "entries"),
            ("shortcut", "shortcut"),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn a_try_that_is_rusts_own_is_no_word_of_the_name() {
        for (text, expected) in [
            ("try_from", "from"),
            ("TryFrom", "from"),
            ("TrySendError", "send error"),
            ("TryEnd", "try end"),
            ("first_try", "first try"),
        ] {
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn a_phrase_goes_on_over_the_end_of_a_line_and_no_sentence_does() {
        assert_eq!(texts("it gave\nup"), ["it", "gave", "up"]);
        assert_eq!(texts("it gave. Up"), ["it", "gave", "/", "up"]);
        assert_eq!(texts("it gave\n\nup"), ["it", "gave", "/", "up"]);
        assert_eq!(texts("it gave\n- up"), ["it", "gave", "/", "up"]);
        assert_eq!(texts("| gave | up"), ["gave", "/", "up"]);
        assert_eq!(texts("`a::gave.up`, and"), ["a", "gave", "up", "and"]);
    }

    #[test]
    fn words_of_a_name_in_prose_know_that_they_are_one() {
        let words = words([(1, "a max_wait of FailedTry")]);
        let names: Vec<_> = words.into_iter().map(|word| word.name).collect();
        assert_eq!(
            names,
            [None, None, Some(1), Some(1), None, Some(2), Some(2)]
        );
    }
}
