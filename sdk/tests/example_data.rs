//! Laws of the example `update_items`: what its file holds, and how it reads files.

// The example reads it with the same code.
#[path = "../examples/common/entry.rs"]
mod entry;
#[path = "../examples/update_items/input.rs"]
mod input;

use std::collections::BTreeSet;

use webflow_cms::{Batch, ItemUpdate};

use input::Line;

const FILE: &str = include_str!("../examples/items.jsonl");

const ITEM: &str = "66f6ed95c9edbeeb6961aa6e";
const FRENCH: &str = "66f6e966c9e1dc700a857ca4";

fn lines() -> Vec<Line> {
    input::read("items.jsonl", FILE.as_bytes()).expect("every line is an item update")
}

fn problem(text: &str) -> String {
    match input::read("a.jsonl", text.as_bytes()) {
        Ok(_) => panic!("no problem was found"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn the_file_updates_84_items_in_three_locales_by_250_different_keys() {
    let lines = lines();
    assert_eq!(lines.len(), 250);
    let keys: BTreeSet<_> = lines.iter().map(|line| line.update.key()).collect();
    assert_eq!(keys.len(), 250, "each key is there once");
    let items: BTreeSet<_> = lines.iter().map(|line| line.entry.id).collect();
    assert_eq!(items.len(), 84);
    let locales: BTreeSet<_> = lines.iter().map(|line| line.entry.cms_locale_id).collect();
    assert_eq!(locales.len(), 3);
    assert!(locales.contains(&None), "one of them is the primary one");
}

#[test]
fn the_file_makes_batches_of_100_and_100_and_50() {
    let updates: Vec<ItemUpdate> = lines().into_iter().map(|line| line.update).collect();
    let sizes: Vec<_> = updates
        .chunks(Batch::MAX_ITEMS)
        .map(|updates| Batch::new(updates.iter().cloned()).expect("a batch").len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[test]
fn the_file_shows_every_kind_of_change() {
    let lines = lines();
    let flags_only = |line: &&Line| line.entry.field_data.is_none();
    assert!(lines.iter().filter(flags_only).count() >= 3, "flags alone");
    assert!(
        lines
            .iter()
            .filter(flags_only)
            .all(|line| line.entry.is_archived.is_some() || line.entry.is_draft.is_some()),
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
    for (line, told) in [
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
        let text = format!("{{\"id\": \"{FRENCH}\"}}\n\n{line}\n");
        let problem = problem(&text);
        assert!(problem.contains("a.jsonl:3: "), "{line}: {problem}");
        assert!(problem.contains(told), "{line}: {problem}");
    }
}

#[test]
fn what_is_no_json_for_the_model_is_named_with_its_place_too() {
    for value in [
        r#""cut \ud83d""#.to_owned(),
        "[".repeat(200) + &"]".repeat(200),
    ] {
        let text = format!("\n{{\"id\": \"{ITEM}\", \"fieldData\": {{\"name\": {value}}}}}\n");
        let problem = problem(&text);
        assert!(problem.contains("a.jsonl:2: "), "{value}: {problem}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let text = format!("\u{feff}{{\"id\": \"{ITEM}\"}}\r\n");
    let lines = input::read("a.jsonl", text.as_bytes()).expect("an update");
    assert_eq!(lines.len(), 1);
}

#[test]
fn a_null_locale_is_not_taken_for_the_primary_one() {
    for key in ["cmsLocaleId", "isArchived", "isDraft", "fieldData"] {
        let problem = problem(&format!("{{\"id\": \"{ITEM}\", \"{key}\": null}}"));
        assert!(problem.contains("leave the key out"), "{key}: {problem}");
    }
}

#[test]
fn two_lines_for_the_same_item_and_locale_are_both_named_however_far_apart() {
    let french =
        format!("{{\"id\": \"{ITEM}\", \"cmsLocaleId\": \"{FRENCH}\", \"isDraft\": true}}\n");
    let others: String = (0..Batch::MAX_ITEMS)
        .map(|number| format!("{{\"id\": \"{number:024x}\", \"isDraft\": true}}\n"))
        .collect();
    let problem = problem(&format!("{french}{others}{french}"));
    assert!(
        problem.contains("a.jsonl:102: updates the same item in the same locale as line 1 "),
        "{problem}"
    );
}

#[test]
fn the_lines_keep_their_numbers_when_some_are_empty() {
    let text = format!("\n{{\"id\": \"{ITEM}\"}}\r\n\r\n{{\"id\": \"{FRENCH}\"}}");
    let lines = input::read("a.jsonl", text.as_bytes()).expect("two updates");
    let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, [2, 4]);
    assert!(problem("\n\n").contains("there is no update in it"));
}
