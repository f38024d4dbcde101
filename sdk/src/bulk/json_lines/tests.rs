//! Properties of the reader of JSON Lines.

use std::error::Error as _;

use super::*;
use crate::bulk::{ItemStatus, NotAttempted, Outcome};

const ID: &str = "66f6ed9576ddacf3149d5ea6";

fn update(number: u64) -> String {
    format!(r#"{{"id":"66f6ed95{number:016x}","isDraft":true}}"#)
}

/// Each row: the JSON of its update, or the line, the text and the reason.
fn rows(input: &[u8]) -> Vec<Result<String, (u64, String, String)>> {
    JsonLines::new(input)
        .map(|row| match row {
            Ok(update) => Ok(update.to_json().expect("a line")),
            Err(row) => Err((row.line(), row.raw().to_owned(), row.reason().to_string())),
        })
        .collect()
}

/// The only row of an input, which is invalid.
fn invalid(input: &[u8]) -> InvalidRow {
    let mut rows = JsonLines::new(input);
    let row = rows.next().expect("a row").expect_err("it is no update");
    let second = rows.next();
    assert!(second.is_none(), "{row}: there is a second row");
    row
}

fn letter(row: InvalidRow) -> String {
    let why = NotAttempted::Source(std::sync::Arc::new(row));
    let outcome = Outcome::new(7, None, ItemStatus::NotAttempted(why));
    outcome.dead_letter().expect("JSON").expect("a letter")
}

#[test]
fn each_line_that_is_not_blank_is_a_row_whatever_its_line_break() {
    let (one, two) = (update(1), update(2));
    for input in [
        format!("{one}\n{two}\n"),
        format!("{one}\n{two}"),
        format!("\u{feff}{one}\r\n{two}\r\n"),
        format!("\n \r\n\u{a0}\n{one}\n\t\n\n{two}\n\n"),
        format!("\u{feff}\n{one}\n{two}"),
    ] {
        let expected = vec![Ok(one.clone()), Ok(two.clone())];
        assert_eq!(rows(input.as_bytes()), expected, "{input:?}");
        let counted = JsonLines::new(input.as_bytes()).count_rows();
        assert_eq!(counted.expect("a count"), 2, "{input:?}");
    }
    assert_eq!(rows(b"").len() + rows(b"\n\r\n  ").len(), 0);
}

#[test]
fn a_bad_row_has_its_line_its_text_and_the_reason_and_the_next_row_is_read() {
    let (one, two) = (update(1), update(2));
    let input = format!("{one}\n\n{{\"id\":5}}\r\nword\n{two}\n");
    let found = rows(input.as_bytes());
    assert_eq!((&found[0], &found[3]), (&Ok(one), &Ok(two)));
    let bad = |row: usize| found[row].clone().expect_err("it is no update");
    assert_eq!((bad(1).0, &*bad(1).1), (3, "{\"id\":5}"));
    assert_eq!((bad(2).0, &*bad(2).1), (4, "word"));

    let row = invalid(b"\n{\"id\":5}");
    assert_eq!(row.to_string(), format!("line 2: {}", row.reason()));
    assert!(!row.ends_input());
    let cause = row.source().and_then(|cause| cause.downcast_ref());
    let error: &crate::error::Error = cause.expect("an error of this crate");
    assert!(error.invalid_input().is_some(), "{error}");
}

#[test]
fn bytes_that_are_not_utf_8_are_one_bad_row_and_its_text_is_marked() {
    let mut input = format!("{}\n{{\"id\":\"", update(1)).into_bytes();
    input.extend(b"\xff\xe9\"}\n");
    input.extend(update(2).as_bytes());
    let found: Vec<_> = JsonLines::new(&*input).collect();
    assert_eq!(found.len(), 3);
    let row = found[1].as_ref().expect_err("it is no text");
    assert_eq!(
        row.to_string(),
        "line 2: not UTF-8 at byte 8",
        "the text contains the position"
    );
    assert_eq!(row.raw(), "{\"id\":\"\u{fffd}\u{fffd}\"}");
    assert!(!row.is_raw_exact());
    assert!(found[0].is_ok() && found[2].is_ok());
}

#[test]
fn a_line_that_is_too_long_is_one_bad_row_of_which_the_beginning_is_kept() {
    let long = format!("{{\"id\":\"{}\"}}", "é".repeat(200_000));
    let input = format!("{}\n{long}\n{}", update(1), update(2));
    assert!(!long.is_char_boundary(1_002), "it is cut in a character");
    let bounded = JsonLines::new(input.as_bytes()).max_line_bytes(1_000);
    let found: Vec<_> = bounded.collect();
    assert_eq!(found.len(), 3);
    let row = found[1].as_ref().expect_err("it is too long");
    assert_eq!(
        row.to_string(),
        "line 2: the line is longer than 1000 bytes"
    );
    assert!(long.starts_with(row.raw()) && !row.is_raw_exact());
    let counted = JsonLines::new(input.as_bytes()).max_line_bytes(1_000);
    assert_eq!(counted.count_rows().expect("a count"), 3);

    let whole: Vec<_> = JsonLines::new(input.as_bytes()).collect();
    let row = whole[1].as_ref().expect_err("an id is not that long");
    assert!(row.raw().len() > 250_000 && long.starts_with(row.raw()));
    assert!(!row.is_raw_exact(), "it is a beginning");
}

#[test]
fn a_line_may_be_exactly_as_long_as_the_bound() {
    let (one, two) = (update(1), update(2));
    for line_break in ["\n", "\r\n"] {
        let input = format!("{one}{line_break}{two}{line_break}");
        let bounded = |most| JsonLines::new(input.as_bytes()).max_line_bytes(most);
        assert!(bounded(one.len()).all(|row| row.is_ok()));
        let shorter: Vec<_> = bounded(one.len() - 1).collect();
        assert!(shorter.len() == 2 && shorter.iter().all(Result::is_err));
    }
}

/// Gives some bytes, then an error, then more bytes.
struct Broken<'a> {
    first: &'a [u8],
    failed: bool,
}

impl io::Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.first.read(buffer)? {
            0 if self.failed => b"{}\n".as_slice().read(buffer),
            0 => {
                self.failed = true;
                Err(io::Error::other("the disk is gone"))
            }
            length => Ok(length),
        }
    }
}

#[test]
fn an_io_error_is_a_row_with_its_reason_and_the_last_one() {
    let input = format!("{}\n\n{{\"id\":", update(1));
    let broken = || {
        BufReader::new(Broken {
            first: input.as_bytes(),
            failed: false,
        })
    };
    let mut rows = JsonLines::new(broken());
    assert!(rows.next().is_some_and(|row| row.is_ok()));
    let row = rows.next().expect("a row").expect_err("an I/O error");
    assert_eq!(row.to_string(), "line 3: the disk is gone");
    assert_eq!((row.raw(), row.is_raw_exact()), ("{\"id\":", false));
    assert!(row.source().is_some_and(|cause| cause.is::<io::Error>()));
    assert!(row.ends_input());
    assert!(rows.next().is_none() && rows.next().is_none());
    let counted = JsonLines::new(broken()).count_rows();
    assert_eq!(counted.expect_err("an I/O error").line(), 3);
}

#[test]
fn an_input_of_another_format_is_named_once_with_the_command_that_converts_it() {
    let (one, two) = (update(1), update(2));
    let utf_16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect()
    };
    for (input, command) in [
        (
            format!("[\n  {one},\n  {two}\n]\n").into_bytes(),
            "jq -c '.[]'",
        ),
        (
            format!("[\n{{\n\"id\":\"{ID}\"\n}}\n]").into_bytes(),
            "jq -c '.[]'",
        ),
        (
            format!("\u{feff} [{one},{two}]").into_bytes(),
            "jq -c '.[]'",
        ),
        (format!("[{one},\n{two}]").into_bytes(), "jq -c '.[]'"),
        (
            format!("{{\n  \"id\": \"{ID}\"\n}}\n{{\n").into_bytes(),
            "jq -c .",
        ),
        (
            format!("{{ \"id\": \"{ID}\",\n \"isDraft\": true }}\n").into_bytes(),
            "jq -c .",
        ),
        (
            format!("{{\"items\":[{one},{two}]}}").into_bytes(),
            "jq -c '.items[]'",
        ),
        (b"id,name,price\n1,2,3\n".to_vec(), "mlr --icsv"),
        (b"\"id\";\"name\"\r\n\"1\";\"2\"\r\n".to_vec(), "mlr --icsv"),
        (utf_16(&format!("{one}\n{two}\n")), "iconv -f UTF-16"),
        (utf_16(&format!("{one}\n"))[2..].to_vec(), "iconv -f UTF-16"),
        (b"\x1f\x8b\x08\x00\x00\n\x00".to_vec(), "gunzip"),
    ] {
        let row = invalid(&input);
        assert!(row.ends_input());
        let said = row.to_string();
        assert!(
            said.starts_with("line 1: ") && said.contains(command),
            "{command}: {said}"
        );
    }
    let long = format!("[{}]", vec![&*one; 1_000].join(","));
    let bounded = JsonLines::new(long.as_bytes()).max_line_bytes(100).next();
    let said = bounded.expect("a row").expect_err("an array").to_string();
    assert!(said.contains("jq -c '.[]'"), "{said}");
}

#[test]
fn what_could_be_a_bad_first_row_does_not_keep_the_others_from_being_read() {
    let one = update(1);
    for first in [
        "[1]",
        "{\"items\":[]}",
        "a, b",
        "{\"id\":\"66f6",
        "{}",
        "word",
    ] {
        let found = rows(format!("{first}\n{one}\n").as_bytes());
        assert_eq!(found.len(), 2, "{first}: {found:?}");
        assert!(found[0].is_err() && found[1].is_ok(), "{first}: {found:?}");
    }
    for later in ["[", "{", "a,b", "\u{0}"] {
        let found = rows(format!("{one}\n{later}\n{one}").as_bytes());
        assert_eq!(found.len(), 3, "{later}: {found:?}");
        assert!(found[1].is_err() && found[2].is_ok(), "{later}: {found:?}");
    }
}

#[test]
fn an_invalid_row_is_a_dead_letter_as_it_stood() {
    let row = invalid(b"\n\n{\"id\":\"\x1b\\ud800\",}");
    let reason = row.reason().to_string();
    let letter = letter(row);
    let read: serde_json::Value = serde_json::from_str(&letter).expect("JSON");
    assert_eq!(read["invalid"], "{\"id\":\"\u{1b}\\ud800\",}");
    assert_eq!(read["line"], 3);
    assert_eq!(read["error"]["outcome"], "not_attempted");
    assert_eq!(read["error"]["kind"], "invalid_row");
    assert_eq!(read["error"]["message"], *reason);
    assert_eq!(read.get("exact"), None);
    assert_eq!(letter.lines().count(), 1);
}

#[test]
fn a_row_inside_an_error_of_ones_own_is_found() {
    let own = io::Error::other(InvalidRow::new(12, "1;2", "three cells are missing"));
    let why = NotAttempted::Source(std::sync::Arc::new(own));
    let outcome = Outcome::new(7, None, ItemStatus::NotAttempted(why));
    let letter = outcome.dead_letter().expect("JSON").expect("a letter");
    assert_eq!(
        letter,
        r#"{"invalid":"1;2","line":12,"error":{"outcome":"not_attempted","kind":"invalid_row","message":"three cells are missing"}}"#
    );
    let why = NotAttempted::Source(std::sync::Arc::new(io::Error::other("no row")));
    let outcome = Outcome::new(7, None, ItemStatus::NotAttempted(why));
    let letter = outcome.dead_letter().expect("JSON").expect("a letter");
    assert!(
        letter.starts_with(r#"{"invalid":null,"row":8,"error":{"#),
        "{letter}"
    );
}

#[test]
fn a_dead_letter_is_read_as_the_same_row_until_somebody_corrects_it() {
    let first = letter(invalid(b"{\"id\":5}"));
    let row = invalid(first.as_bytes());
    assert_eq!(row.raw(), "{\"id\":5}");
    let said = row.to_string();
    assert!(
        said.starts_with("line 1: an earlier run found this row invalid: "),
        "{said}"
    );
    let second = letter(row);
    assert!(second.contains(r#""invalid":"{\"id\":5}""#), "{second}");
    assert!(letter(invalid(second.as_bytes())).len() < 2_000);

    let corrected = first.replace("{\\\"id\\\":5}", &update(3).replace('"', "\\\""));
    assert_eq!(rows(corrected.as_bytes()), [Ok(update(3))]);
    assert_eq!(rows(update(3).as_bytes()), [Ok(update(3))]);
}

#[test]
fn a_dead_letter_of_the_earlier_form_is_read_too() {
    let text = update(3).replace('"', "\\\"");
    let error = r#""error":{"outcome":"not_attempted","kind":"unreadable_row","message":"no id"}"#;
    let corrected = format!(r#"{{"unreadable":"{text}","line":1,{error}}}"#);
    assert_eq!(rows(corrected.as_bytes()), [Ok(update(3))]);
    let row = invalid(format!(r#"{{"unreadable":"word","line":1,{error}}}"#).as_bytes());
    assert_eq!(row.raw(), "word");
    let item = update(3).replace(
        "true}",
        r#"true,"error":{"outcome":"unknown","kind":"in_doubt"}}"#,
    );
    assert_eq!(rows(item.as_bytes()), [Ok(update(3))]);
}

#[test]
fn a_text_that_is_not_exact_is_never_taken_for_an_update() {
    let mut input = format!("{{\"id\":\"{ID}\",\"fieldData\":{{\"name\":\"").into_bytes();
    input.extend(b"caf\xe9\"}}");
    let first = letter(invalid(&input));
    assert!(first.contains(r#""exact":false"#), "{first}");
    let row = invalid(first.as_bytes());
    assert!(!row.is_raw_exact(), "{row}");
    assert!(letter(row).contains(r#""exact":false"#));
}

#[test]
fn rows_are_found_by_the_lines_on_which_they_stand() {
    let mut lines = JsonLines::new("\n{}\n\n  \n{}\n{}\n\n".as_bytes());
    let numbers = lines.line_numbers();
    let lines_of_rows: Vec<_> = lines
        .by_ref()
        .map(|row| row.expect_err("no id").line())
        .collect();
    assert_eq!(lines_of_rows, [2, 5, 6]);
    assert_eq!([0, 1, 2].map(|index| numbers.of(index)), [2, 5, 6]);
    assert_eq!(lines.line(), 7);
    assert_eq!(LineNumbers::default().of(u64::MAX), u64::MAX);
}
