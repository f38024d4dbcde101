//! The site that the rules work on, and the inputs that they make.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::client::Entry;
use webflow_cms_reference::{Model, Variant};

pub(crate) const TOKEN: &str = "d0c5a3b1e7f94286b0c1d2e3f4a5968770fedcba98765432";
pub(crate) const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
pub(crate) const PRIMARY: &str = "66f6e966c9e1dc700a857c01";
/// The locales beside the primary one.
pub(crate) const SECONDARY: [&str; 3] = [
    "66f6e966c9e1dc700a857c02",
    "66f6e966c9e1dc700a857c03",
    "66f6e966c9e1dc700a857c04",
];

/// The id of the item with this number.
pub(crate) fn item(number: usize) -> String {
    format!("66f6ed95{number:016x}")
}

/// The locale with this number: none for 0, else a secondary one.
pub(crate) fn locale(number: usize) -> Option<&'static str> {
    SECONDARY.get(number.checked_sub(1)?).copied()
}

/// A model that holds every item of the entries in every locale.
pub(crate) fn model_of(entries: &[Entry]) -> Model {
    let mut model = Model::new().collection(COLLECTION, PRIMARY, &SECONDARY);
    let mut ids: Vec<_> = entries
        .iter()
        .map(|entry| entry.id.to_ascii_lowercase())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        for locale in std::iter::once(None).chain(SECONDARY.map(Some)) {
            let variant =
                Variant::named("Before", "before").field("kept", locale.unwrap_or(PRIMARY));
            model = model.insert(COLLECTION, &id, locale, variant);
        }
    }
    model
}

/// Entries for `count` different items, each in some locale and with some small change.
pub(crate) fn distinct(count: usize) -> impl Strategy<Value = Vec<Entry>> {
    vec((0..=SECONDARY.len(), 0..3_usize, any::<u32>()), count).prop_map(|choices| {
        choices
            .into_iter()
            .enumerate()
            .map(|(number, (place, change, value))| {
                let entry = Entry::new(item(number)).locale(locale(place));
                match change {
                    0 => entry.fields(&format!("{{\"count\":{value}}}")),
                    1 => entry.fields(&format!(
                        "{{\"name\":\"Item {value}\",\"slug\":\"item-{value}\"}}"
                    )),
                    _ => Entry {
                        is_archived: Some(value % 2 == 0),
                        ..entry
                    },
                }
            })
            .collect()
    })
}

/// Different (item, locale) keys, drawn from a few items so that one id comes in several locales.
pub(crate) fn keys(most: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    let items = most.div_ceil(3).max(2);
    let all: Vec<_> = (0..items)
        .flat_map(|item| (0..=SECONDARY.len()).map(move |place| (item, place)))
        .collect();
    proptest::sample::subsequence(all, 1..=most.max(1)).prop_shuffle()
}

/// An entry for a key, with a change that tells it apart from all others.
pub(crate) fn marked(key: (usize, usize)) -> Entry {
    let mark = format!("{}-{}", key.0, key.1);
    Entry::new(item(key.0))
        .locale(locale(key.1))
        .fields(&format!("{{\"mark\":\"{mark}\"}}"))
}

/// Text that programs get wrong: other scripts, joined and reversed characters, quotes, controls, mark-up.
pub(crate) fn awkward_text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(
            [
                "",
                " ",
                "null",
                "Crème brûlée",
                "naïve façade",
                "日本語",
                "עברית",
                "👩‍👩‍👧‍👦",
                "e\u{301}",
                "\u{202e}abc",
                "\u{2028}\u{2029}",
                "\"quoted\" \\ back",
                "\0\u{1}\u{1f}",
                "\r\n\t",
                "<p>rich <strong>text</strong> &amp; more</p>",
                "\u{feff}bom",
                "\u{10ffff}",
                "</script>",
                "%2F..%2F",
                "🏳️‍🌈",
            ]
            .map(str::to_owned)
            .to_vec()
        ),
        "\\PC{0,24}",
        vec(any::<char>(), 0..16).prop_map(|characters| characters.into_iter().collect::<String>()),
    ]
}

/// JSON numbers as text, at the edges of what programs hold.
pub(crate) const EDGE_NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1",
    "5e-324",
    "1.7976931348623157e308",
    "-0.0",
    "1e-7",
    "0.1000000000000000055511151231257827",
];

/// A JSON number as text.
pub(crate) fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        select(EDGE_NUMBERS.map(str::to_owned).to_vec()),
        any::<i64>().prop_map(|number| number.to_string()),
        proptest::num::f64::NORMAL.prop_map(|number| format!("{number:?}")),
        (any::<i32>(), 0..1_000_000_000_u64)
            .prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
    ]
}

/// A JSON value as text: the kinds of values that fields have.
pub(crate) fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => number(),
        3 => awkward_text().prop_map(|text| quoted(&text)),
        1 => select(vec!["null".to_owned(), "true".to_owned(), "false".to_owned()]),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            vec((0..6_usize, inner), 0..4).prop_map(|members| object(
                members
                    .into_iter()
                    .map(|(number, value)| (format!("k{number}"), value))
            )),
        ]
    })
}

/// The text of a JSON object; of members with the same name the first stays.
pub(crate) fn object(members: impl IntoIterator<Item = (String, String)>) -> String {
    let mut seen = Vec::new();
    let mut text = String::from("{");
    for (name, value) in members {
        if seen.contains(&name) {
            continue;
        }
        if !seen.is_empty() {
            text.push(',');
        }
        text.push_str(&quoted(&name));
        text.push(':');
        text.push_str(&value);
        seen.push(name);
    }
    text.push('}');
    text
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Field data of a few fields, as JSON text.
pub(crate) fn field_data() -> impl Strategy<Value = String> {
    vec(
        (
            select(vec![
                "name",
                "slug",
                "price",
                "main-image",
                "body",
                "größe",
                "x",
            ]),
            value(),
        ),
        0..5,
    )
    .prop_map(|members| {
        // A name or a slug is a string, by the document.
        let fit = |(name, value): (&str, String)| match name {
            "name" | "slug" if !value.starts_with('"') => (name.to_owned(), quoted("text")),
            _ => (name.to_owned(), value),
        };
        object(members.into_iter().map(fit))
    })
}
