//! Properties of `items.jsonl`, the input of the example `bulk_jsonl`, and of reading lines like its own.

use std::collections::BTreeSet;

use webflow_cms::bulk::{InvalidRow, JsonLines};
use webflow_cms::{Batch, ItemUpdate};

const FILE: &str = include_str!("../examples/items.jsonl");

const ITEM: &str = "66f6ed95c9edbeeb6961aa6e";
const FRENCH: &str = "66f6e966c9e1dc700a857ca4";

fn updates() -> Vec<ItemUpdate> {
    let rows = JsonLines::new(FILE.as_bytes());
    rows.collect::<Result<_, _>>()
        .expect("every line is an item update")
}

/// The one row of a text that is not an update.
fn invalid_row(text: &str) -> InvalidRow {
    let mut invalid = JsonLines::new(text.as_bytes()).filter_map(Result::err);
    let row = invalid.next().expect("an invalid row");
    assert!(invalid.next().is_none(), "{text}");
    row
}

#[test]
fn the_file_updates_84_items_in_three_locales_by_250_different_keys() {
    let updates = updates();
    assert_eq!(updates.len(), 250);
    let keys: BTreeSet<_> = updates.iter().map(ItemUpdate::key).collect();
    assert_eq!(keys.len(), 250, "each key is there once");
    let items: BTreeSet<_> = updates.iter().map(ItemUpdate::id).collect();
    assert_eq!(items.len(), 84);
    let locales: BTreeSet<_> = updates.iter().map(ItemUpdate::cms_locale_id).collect();
    assert_eq!(locales.len(), 3);
    assert!(locales.contains(&None), "one of them is the primary one");
}

#[test]
fn the_file_makes_batches_of_100_and_100_and_50() {
    let sizes: Vec<_> = updates()
        .chunks(Batch::MAX_ITEMS)
        .map(|updates| Batch::new(updates.iter().cloned()).expect("a batch").len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn the_file_shows_every_kind_of_change() {
    let updates = updates();
    let flags_only = |update: &&ItemUpdate| update.field_data().is_none();
    assert!(
        updates.iter().filter(flags_only).count() >= 3,
        "flags alone"
    );
    assert!(
        updates
            .iter()
            .filter(flags_only)
            .all(|update| update.is_archived().is_some() || update.is_draft().is_some()),
        "an update without fields changes a flag"
    );
    for (what, text) in [
        ("a cleared field", "\": null"),
        ("an emptied list", "\": []"),
        ("rich text", "<p><strong>"),
        ("an image", "\"main-image\": {\"url\": \"https://"),
        ("a gallery", "\"gallery\": [{\"url\": \"https://"),
        ("a reference", "\"designer\": \"66f6"),
        ("several references", "\"related-products\": [\"66f6"),
        ("cents", "\"price\": 129.9"),
        ("a colour", "\"color\": \"#"),
        ("a date", "T00:00:00.000Z\""),
        ("a switch", "\"in-stock\": false"),
    ] {
        assert!(FILE.contains(text), "{what}");
    }
}

#[test]
fn a_line_that_is_no_update_is_named_with_the_place_and_the_reason() {
    let id = format!("\"id\": \"{ITEM}\"");
    for (line, expected) in [
        (
            format!("{{{id},}}"),
            "unexpected comma before a closing bracket",
        ),
        (
            "{\"id\": \"66f6\"}".to_owned(),
            "item id \"66f6\" is not 24 hexadecimal digits",
        ),
        (
            format!("{{{id}, \"locale\": \"{FRENCH}\"}}"),
            "unknown member \"locale\"",
        ),
        (
            format!("{{{id}, \"fieldData\": {{\"price\": 1, \"price\": 2}}}}"),
            "the field \"price\" is set more than once",
        ),
    ] {
        let row = invalid_row(&format!("{{\"id\": \"{FRENCH}\"}}\n\n{line}\n"));
        assert_eq!(row.line(), 3, "{line}: {row}");
        let reason = row.reason().to_string();
        assert!(reason.contains(expected), "{line}: {reason}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let text = format!("\u{feff}{{\"id\": \"{ITEM}\"}}\r\n");
    let rows: Vec<_> = JsonLines::new(text.as_bytes()).collect();
    assert!(matches!(&rows[..], [Ok(_)]), "{rows:?}");
}

#[test]
fn a_null_locale_is_not_taken_for_the_primary_one() {
    for key in ["cmsLocaleId", "isArchived", "isDraft", "fieldData"] {
        let row = invalid_row(&format!("{{\"id\": \"{ITEM}\", \"{key}\": null}}"));
        let reason = row.reason().to_string();
        assert!(reason.contains("leave the key out"), "{key}: {reason}");
    }
}

#[test]
fn the_lines_keep_their_numbers_when_some_are_empty() {
    let text = format!("\n{{\"id\": \"{ITEM}\"}}\r\n\r\n{{\"id\": \"{FRENCH}\"}}");
    let mut rows = JsonLines::new(text.as_bytes());
    let mut numbers = Vec::new();
    while let Some(row) = rows.next() {
        let _ = row.expect("an update");
        numbers.push(rows.line());
    }
    assert_eq!(numbers, [2, 4]);
}
