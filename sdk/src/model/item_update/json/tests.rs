//! Properties of item updates as JSON lines.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LINE: &str = r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4","isArchived":false,"isDraft":true,"fieldData":{"b":12345678901234567890.10,"a":null,"c":{"é":[1e2]}}}"#;

fn rejected(text: &str) -> String {
    ItemUpdate::from_json(text)
        .expect_err("an error")
        .to_string()
}

#[test]
fn a_line_survives_a_round_trip_to_the_digit() {
    let update = ItemUpdate::from_json(LINE).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
    let bare = r#"{"id":"66f6ed9576ddacf3149d5ea6"}"#;
    let update = ItemUpdate::from_json(bare).expect("an update");
    assert_eq!(update.to_json().expect("a line"), bare);
}

#[test]
fn a_line_has_the_members_that_are_sent_and_no_others() {
    let members = |text: &str| {
        let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).expect("JSON");
        let text = |(name, value): (_, Box<RawValue>)| (name, value.get().to_owned());
        members.into_iter().map(text).collect::<Vec<_>>()
    };
    let update = ItemUpdate::from_json(LINE).expect("an update");
    let sent = serde_json::to_string(&update.entry()).expect("JSON");
    assert_eq!(members(LINE), members(&sent));
}

#[test]
fn an_update_is_one_line_although_its_fields_have_line_breaks() {
    let fields: Box<RawValue> =
        serde_json::from_str("{\"a\":\r\n[1,\n2],\"b\":\"\\n\"}").expect("JSON");
    let id = ItemId::new("66f6ed9576ddacf3149d5ea6").expect("an id");
    let update = ItemUpdate::new(id).fields(&fields).expect("fields");
    let line = update.to_json().expect("a line");
    assert_eq!(line.lines().count(), 1, "{line:?}");
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(
        same(&line),
        same(&serde_json::to_string(&update.entry()).expect("JSON"))
    );
}

#[test]
fn the_member_error_is_ignored() {
    let with_reason = LINE.replace("{\"id\"", r#"{"error":{"kind":"not_found"},"id""#);
    let update = ItemUpdate::from_json(&with_reason).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
}

#[test]
fn a_byte_order_mark_before_a_line_is_ignored() {
    let marked = format!("\u{feff}{LINE}");
    let update = ItemUpdate::from_json(&marked).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
    let error = rejected("\u{feff}{\"id\":7}");
    assert!(
        error.contains("column 7: "),
        "the mark is no column: {error}"
    );
}

#[test]
fn pretty_printed_json_is_accepted() {
    let value: serde_json::Value = serde_json::from_str(LINE).expect("JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON");
    assert!(ItemUpdate::from_json(&pretty).is_ok());
    let error = rejected("{\n  \"id\": \"66f6ed9576ddacf3149d5ea6\",\n  oops\n}");
    assert!(error.contains("column 41: a member name"), "{error}");
}

#[test]
fn the_error_of_a_text_that_is_not_an_object_describes_the_text() {
    let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
    for (text, expected) in [
        (
            "",
            "column 1: the text is empty; an item update is one JSON object",
        ),
        (" \n", "the text is empty"),
        ("[]", "column 1: this is a JSON array"),
        (" [", "column 2: this is a JSON array"),
        ("\"a\"", "this is JSON, but a string; an item update is one"),
        ("-7", "this is JSON, but a number;"),
        ("null", "this is JSON, but null;"),
        ("false", "this is JSON, but a boolean;"),
        (
            "id,name,slug",
            "\"id,name,slug\" is not JSON; it looks like a row of CSV;",
        ),
        ("66f6ed9576ddacf3149d5ea6;Lamp", "looks like a row of CSV"),
        (
            "\"66f6ed9576ddacf3149d5ea6\",\"Lamp\"",
            "looks like a row of CSV",
        ),
        (
            "  \"isDraft\": true,",
            "column 3: \"\\\"isDraft\\\": true,\" looks like a part of pretty-printed JSON",
        ),
        ("},", "looks like a part of pretty-printed JSON"),
        ("hello", "\"hello\" is not JSON;"),
        ("\u{1b}[2J", "\"\\u{1b}[2J\" is not JSON"),
        ("{", "column 1: the object is incomplete; if the JSON is"),
        (&format!("{{{id}"), "column 32: the object is incomplete"),
        (
            &format!("{{{id}}} {{{id}}}"),
            "column 35: unexpected text after the object",
        ),
        (
            &format!("{{{id}}},"),
            "column 34: unexpected text after the object",
        ),
        (
            "{'id':1}",
            "column 2: a member name must be in double quotes",
        ),
        ("{\"id\":}", "column 7: this is not a JSON value"),
        ("{\"id\":nil}", "is not a JSON value"),
        (
            "{\"id\":\"\n\"}",
            "a string contains a raw control character",
        ),
        (
            "{\"id\":[1,]}",
            "column 10: unexpected comma before a closing bracket",
        ),
        (
            "{\"id\":1,}",
            "column 9: unexpected comma before a closing bracket",
        ),
        ("{\"id\" 1}", "invalid JSON: expected `:`"),
    ] {
        let error = rejected(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_invalid_member_is_rejected_with_its_name_and_column() {
    let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
    for (text, expected) in [
        ("{}", "column 2: the member \"id\" is missing"),
        ("{\"id\":\"66f6\"}", "column 7: item id \"66f6\" is not"),
        (
            "{\"id\":7}",
            "column 7: \"id\" must be a string, but it is a number",
        ),
        ("{\"id\":null}", "\"id\" must be a string, but it is null"),
        ("{\"id\":\"\\ud83d\"}", "is not 24 hexadecimal digits"),
        (
            &format!("{{{id},{id}}}"),
            "column 34: the member \"id\" appears twice",
        ),
        (
            &format!("{{{id},\"locale\":1}}"),
            "column 34: unknown member \"locale\"; a line may have id, ",
        ),
        (
            &format!("{{{id},\"cmsLocaleId\":null}}"),
            "column 48: \"cmsLocaleId\" must be a string, but it is null; leave the key out instead",
        ),
        (
            &format!("{{{id},\"cmsLocaleId\":\"\"}}"),
            "CMS locale id \"\" is not 24",
        ),
        (
            &format!("{{{id},\"isDraft\":1}}"),
            "\"isDraft\" must be a boolean, but it is a number",
        ),
        (
            &format!("{{{id},\"isArchived\":\"true\"}}"),
            "must be a boolean, but it is a string",
        ),
        (
            &format!("{{{id},\"fieldData\":[]}}"),
            "\"fieldData\" must be an object, but it is an array",
        ),
        (
            &format!("{{{id},\"fieldData\":null}}"),
            "it is null; leave the key out instead",
        ),
        (
            &format!("{{{id},\"error\":1,\"error\":2}}"),
            "\"error\" appears twice",
        ),
    ] {
        let error = rejected(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let long = rejected(&format!("{{{id},\"{}\":1}}", "x".repeat(100_000)));
    assert!(long.len() < 1000, "{} bytes", long.len());
}

#[test]
fn an_invalid_field_is_rejected_with_its_path() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (fields, expected) in [
        (r#"{"a":1,"a":2}"#, "the field \"a\" is set more than once"),
        (
            r#"{"name":5}"#,
            "the field \"name\" must be a string, but it is a number",
        ),
        (
            r#"{"slug":null}"#,
            "the field \"slug\" must be a string, but it is null",
        ),
        (
            r#"{"a":{"b":[1e999]}}"#,
            "the number at \"a.b[0]\" is not finite",
        ),
        (
            r#"{"a":["half \ud83d"]}"#,
            "the string at \"a[0]\" has half of a surrogate pair",
        ),
        (
            &format!(r#"{{"a":{deep}}}"#),
            "the field \"a\" is nested more than 123 levels deep",
        ),
    ] {
        let error = rejected(&format!(
            r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{fields}}}"#
        ));
        assert!(error.contains(expected), "{fields}: {error}");
    }
}

/// Words of parsers and of Rust, which mean nothing to the author of a file.
const FOREIGN: [&str; 9] = [
    "struct",
    "EOF",
    "expected value",
    "expected ident",
    "recursion",
    "invalid type",
    "Rust",
    "ItemUpdate",
    "u8",
];

proptest! {
    #[test]
    fn the_error_of_an_invalid_line_uses_no_words_of_the_parser(
        at in 0..LINE.len(),
        put in "[{}\\[\\]\",:\\\\a1\n-]{0,3}",
        removed in 0..4_usize,
    ) {
        let (before, after) = (LINE.get(..at), LINE.get(at + removed..));
        let text = format!("{}{put}{}", before.unwrap_or(LINE), after.unwrap_or_default());
        let Err(error) = ItemUpdate::from_json(&text) else { return Ok(()) };
        let Some(InvalidInput::InvalidItemUpdate { column, reason }) = error.invalid_input() else {
            return Ok(());
        };
        prop_assert!((1..=text.len() + 1).contains(column), "{column}");
        // The quoted parts are the author's own.
        let unquoted: String = reason.split('"').step_by(2).collect();
        for foreign in FOREIGN {
            prop_assert!(!unquoted.contains(foreign), "{unquoted}");
        }
    }

    #[test]
    fn an_accepted_line_is_json_to_other_parsers(
        text in "\\{(\"[a-c]\":(\"(\\\\u[dD][89c][03][0-9]|é){0,3}\"|\\[{0,3}1\\]{0,3}),?){1,2}\\}",
    ) {
        let line = format!(r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{text}}}"#);
        if ItemUpdate::from_json(&line).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
    }
}
