//! The text of a web page that was received instead of a response.

/// The maximum length of the text in characters.
const MAX_CHARS: usize = 200;

/// Whether a text is HTML or XML.
pub(super) fn is_page(text: &str) -> bool {
    let after = text.strip_prefix('<').and_then(|rest| rest.chars().next());
    after.is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '!' | '?'))
        && text.contains('>')
}

/// Returns the title of a page, or the beginning of its text without a title.
pub(super) fn summary(page: &str) -> String {
    let title = between(page, "<title", "</title")
        .map(|title| title.split_once('>').map_or("", |(_, text)| text));
    let title = words(title.unwrap_or_default());
    if !title.is_empty() {
        return title;
    }
    let mut page = page.to_owned();
    for (start, end) in [
        ("<script", "</script>"),
        ("<style", "</style>"),
        ("<!--", "-->"),
    ] {
        page = without(&page, start, end);
    }
    words(&page)
}

/// Returns the text between two marks, ignoring case.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let small = text.to_ascii_lowercase();
    let from = small.find(start)? + start.len();
    let length = small.get(from..)?.find(end)?;
    text.get(from..from + length)
}

/// Removes each text between two marks, and the marks.
fn without(text: &str, start: &str, end: &str) -> String {
    let small = text.to_ascii_lowercase();
    let mut rest = String::with_capacity(text.len());
    let mut place = 0;
    while let Some(from) = small.get(place..).and_then(|small| small.find(start)) {
        rest.push_str(text.get(place..place + from).unwrap_or_default());
        let start = place + from;
        let length = small.get(start..).and_then(|small| small.find(end));
        place = length.map_or(text.len(), |length| start + length + end.len());
    }
    rest.push_str(text.get(place..).unwrap_or_default());
    rest
}

/// Returns the words outside of tags, separated by one space.
fn words(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            _ if inside => {}
            control if control.is_control() => text.push(' '),
            other => text.push(other),
        }
    }
    let words = unescaped(&text);
    let words: Vec<_> = words.split_whitespace().collect();
    words.join(" ").chars().take(MAX_CHARS).collect()
}

/// Decodes the entities that error pages commonly have.
fn unescaped(text: &str) -> String {
    const NAMES: [(&str, &str); 7] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&middot;", "·"),
        ("&amp;", "&"),
    ];
    NAMES
        .iter()
        .fold(text.to_owned(), |text, (name, character)| {
            text.replace(name, character)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_page_is_its_title_or_the_beginning_of_its_text() {
        let long = "<p>word ".repeat(1_000);
        for (page, expected) in [
            (
                "<html><head>\n<TITLE class=a>\n Attention\tRequired! &#39;1&#39; | Cloudflare</Title>",
                "Attention Required! '1' | Cloudflare",
            ),
            (
                "<title></title><style>p { a: b }</style><h1>Access  denied</h1><SCRIPT>run()</script><p>by &lt;us&gt;",
                "Access denied by <us>",
            ),
            ("<!-- a --><p>no<script>", "no"),
            (
                "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Not you</Message></Error>",
                "AccessDenied Not you",
            ),
            ("<title>half \u{1b}[2J", "half [2J"),
            ("<p", ""),
        ] {
            assert_eq!(summary(page), expected, "{page}");
        }
        assert_eq!(summary(&long).chars().count(), MAX_CHARS);
    }

    #[test]
    fn a_text_with_a_bracket_is_not_a_page() {
        for text in ["", "<", "< 3 items", "<3>", "a <b>c</b>"] {
            assert!(!is_page(text), "{text}");
        }
    }
}
