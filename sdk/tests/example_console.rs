//! Properties of the text that the example `bulk_update` prints.

#[path = "../examples/bulk_update/console.rs"]
#[expect(dead_code, reason = "nothing is written here")]
mod console;

use console::{laid_out, one_line};

#[test]
fn a_line_is_broken_between_words_and_its_rest_is_indented() {
    let text = "  - one two three four\nshort\n\n    a command stays as long as it is";
    assert_eq!(
        laid_out(text, Some(12)),
        "  - one two\n    three\n    four\nshort\n\n    a command stays as long as it is"
    );
    assert_eq!(laid_out(text, None), text);
    for width in 1..40 {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(words(&laid_out(text, Some(width))), words(text));
    }
}

#[test]
fn a_line_that_fits_is_left_alone_to_the_last_column() {
    let text = "é ".repeat(39) + "éé";
    assert_eq!(text.chars().count(), 80);
    assert_eq!(laid_out(&text, Some(80)), text);
    let narrower = laid_out(&text, Some(79));
    assert_eq!(narrower.lines().count(), 2);
    assert!(narrower.lines().all(|line| line.chars().count() <= 79));
}

#[test]
fn no_text_steers_a_terminal() {
    let text = "\u{1b}[2J\r\u{8}\u{9b}\u{7f}\t\u{202e}\u{2028}é日\"\\";
    let shown = "\\u{1b}[2J\\r\\u{8}\\u{9b}\\u{7f}\\t\\u{202e}\\u{2028}é日\"\\";
    assert_eq!(one_line(text), shown);
    assert_eq!(laid_out(text, Some(200)), shown);
    assert_eq!(one_line("a\nb"), "a\\nb");
    assert_eq!(laid_out("a\nb", None), "a\nb");
}
