//! Laws of the line.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LINE: &str = r#"{"id":"66f6ed9576ddacf3149d5ea6","cmsLocaleId":"66f6e966c9e1dc700a857ca4","isArchived":false,"isDraft":true,"fieldData":{"b":12345678901234567890.10,"a":null,"c":{"é":[1e2]}}}"#;

fn refused(text: &str) -> String {
    ItemUpdate::from_json(text)
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn a_line_becomes_the_same_line_again_to_the_digit() {
    let update = ItemUpdate::from_json(LINE).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
    let bare = r#"{"id":"66f6ed9576ddacf3149d5ea6"}"#;
    let update = ItemUpdate::from_json(bare).expect("an update");
    assert_eq!(update.to_json().expect("a line"), bare);
}

#[test]
fn a_line_holds_what_is_sent_for_the_update_and_nothing_else() {
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
fn an_update_is_one_line_even_if_its_fields_were_written_on_several() {
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
fn the_reason_of_an_earlier_run_is_passed_over() {
    let with_reason = LINE.replace("{\"id\"", r#"{"error":{"kind":"not_found"},"id""#);
    let update = ItemUpdate::from_json(&with_reason).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
}

#[test]
fn a_byte_order_mark_before_a_line_is_passed_over() {
    let marked = format!("\u{feff}{LINE}");
    let update = ItemUpdate::from_json(&marked).expect("an update");
    assert_eq!(update.to_json().expect("a line"), LINE);
    let said = refused("\u{feff}{\"id\":7}");
    assert!(said.contains("column 7: "), "the mark is no column: {said}");
}

#[test]
fn an_update_may_be_written_over_several_lines() {
    let value: serde_json::Value = serde_json::from_str(LINE).expect("JSON");
    let pretty = serde_json::to_string_pretty(&value).expect("JSON");
    assert!(ItemUpdate::from_json(&pretty).is_ok());
    let said = refused("{\n  \"id\": \"66f6ed9576ddacf3149d5ea6\",\n  oops\n}");
    assert!(said.contains("column 41: a member name"), "{said}");
}

#[test]
fn what_is_no_object_is_refused_in_words_that_say_what_it_is() {
    let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
    for (text, told) in [
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
        ("{\"id\" 1}", "the JSON is broken: expected `:`"),
    ] {
        let said = refused(text);
        assert!(said.contains(told), "{text}: {said}");
    }
}

#[test]
fn a_member_that_is_wrong_is_refused_with_its_name_and_place() {
    let id = r#""id":"66f6ed9576ddacf3149d5ea6""#;
    for (text, told) in [
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
        let said = refused(text);
        assert!(said.contains(told), "{text}: {said}");
    }
    let long = refused(&format!("{{{id},\"{}\":1}}", "x".repeat(100_000)));
    assert!(long.len() < 1000, "{} bytes", long.len());
}

#[test]
fn a_field_that_must_not_go_out_is_refused_with_its_path() {
    let deep = "[".repeat(200) + &"]".repeat(200);
    for (fields, told) in [
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
            r#"{"a":["cut \ud83d"]}"#,
            "the text at \"a[0]\" holds half of a surrogate pair",
        ),
        (
            &format!(r#"{{"a":{deep}}}"#),
            "the field \"a\" is nested more than 123 levels deep",
        ),
    ] {
        let said = refused(&format!(
            r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{fields}}}"#
        ));
        assert!(said.contains(told), "{fields}: {said}");
    }
}

/// Words of parsers and of Rust, which say nothing to who writes a file.
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
    fn a_broken_line_is_refused_in_words_of_its_own(
        at in 0..LINE.len(),
        put in "[{}\\[\\]\",:\\\\a1\n-]{0,3}",
        cut in 0..4_usize,
    ) {
        let (before, after) = (LINE.get(..at), LINE.get(at + cut..));
        let text = format!("{}{put}{}", before.unwrap_or(LINE), after.unwrap_or_default());
        let Err(error) = ItemUpdate::from_json(&text) else { return Ok(()) };
        let Some(InvalidInput::InvalidItemUpdate { column, reason }) = error.invalid_input() else {
            return Ok(());
        };
        prop_assert!((1..=text.len() + 1).contains(column), "{column}");
        // What is quoted are the words of who wrote the line.
        let said: String = reason.split('"').step_by(2).collect();
        for foreign in FOREIGN {
            prop_assert!(!said.contains(foreign), "{said}");
        }
    }

    #[test]
    fn what_is_read_is_read_by_others_too(
        text in "\\{(\"[a-c]\":(\"(\\\\u[dD][89c][03][0-9]|é){0,3}\"|\\[{0,3}1\\]{0,3}),?){1,2}\\}",
    ) {
        let line = format!(r#"{{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{text}}}"#);
        if ItemUpdate::from_json(&line).is_ok() {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok());
        }
    }
}
