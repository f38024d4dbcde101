//! Members of an entry as they are sent.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use crate::client::Entry;
use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::{site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        unset_is_absent(),
        fields_arrive_exactly(),
        null_clears_field(),
    ]
}

fn unset_is_absent() -> Rule {
    const EDGES: [&str; 5] = [
        "id only",
        "archived only",
        "draft only",
        "locale only",
        "everything",
    ];
    Rule::new(
        "payload/unset-is-absent",
        "a flag, locale or fields that were not set are absent from the request, and all that was set is sent as it \
         was set",
        "reference page; `isDraft: false` sent unasked would queue an item for publication",
        &EDGES,
        property(
            |case| {
                let entry = (
                    any::<[bool; 4]>(),
                    any::<[bool; 2]>(),
                    1..=3_usize,
                    site::field_data(),
                )
                    .prop_map(move |(set, flags, place, fields)| {
                        let set = match case % 6 {
                            0 => [false; 4],
                            1 => [true, false, false, false],
                            2 => [false, true, false, false],
                            3 => [false, false, true, false],
                            4 => [true; 4],
                            _ => set,
                        };
                        let mut entry = Entry::new(site::item(3));
                        entry.is_archived = set[0].then_some(flags[0]);
                        entry.is_draft = set[1].then_some(flags[1]);
                        entry = entry.locale(site::locale(if set[2] { place } else { 0 }));
                        if set[3] { entry.fields(&fields) } else { entry }
                    });
                entry.boxed()
            },
            |entry| {
                let set = [
                    entry.is_archived.is_some(),
                    entry.is_draft.is_some(),
                    entry.cms_locale_id.is_some(),
                    entry.field_data.is_some(),
                ];
                let edge = match set {
                    [false, false, false, false] => "id only",
                    [true, false, false, false] => "archived only",
                    [false, true, false, false] => "draft only",
                    [false, false, true, false] => "locale only",
                    [true, true, true, true] => "everything",
                    _ => return Vec::new(),
                };
                vec![edge]
            },
            |harness, entry| {
                let entries = vec![entry.clone()];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)
            },
        ),
    )
}

fn fields_arrive_exactly() -> Rule {
    const EDGES: [&str; 5] = [
        "edge number",
        "text beyond ascii",
        "null",
        "no field",
        "nested",
    ];
    Rule::new(
        "payload/fields-arrive-exactly",
        "every field arrives with the characters and digits that it was given, whatever its name and kind",
        REFERENCE,
        &EDGES,
        property(
            |case| match case % 5 {
                0 => edges_first(
                    case / 5,
                    &site::EDGE_NUMBERS,
                    select(site::EDGE_NUMBERS.to_vec()),
                )
                .prop_map(|number| format!("{{\"price\":{number},\"list\":[{number}]}}"))
                .boxed(),
                1 => site::awkward_text()
                    .prop_map(|text| site::object([("größe-日本".to_owned(), site::quoted(&text))]))
                    .boxed(),
                2 => Just(r#"{"a":null,"b":[null],"c":{"d":null}}"#.to_owned()).boxed(),
                3 if case % 2 == 0 => Just("{}".to_owned()).boxed(),
                _ => site::field_data().boxed(),
            },
            |fields| {
                let touched = [
                    site::EDGE_NUMBERS
                        .iter()
                        .any(|number| fields.contains(&format!("[{number}]"))),
                    !fields.is_ascii(),
                    fields.contains("null"),
                    fields == "{}",
                    fields.contains(":{") || fields.contains(":["),
                ];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |harness, fields| {
                let entries = vec![Entry::new(site::item(1)).fields(fields)];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)
            },
        ),
    )
}

fn null_clears_field() -> Rule {
    const EDGES: [&str; 3] = ["one cleared", "cleared and set", "empty list"];
    Rule::new(
        "payload/null-clears-field",
        "an explicit null is sent as null and clears that field alone; fields that are not named keep their values",
        "partial updates are documented; that null clears is assumed",
        &EDGES,
        property(
            |case| (Just(case % 3), site::value()).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, value)| {
                let fields = match form {
                    0 => "{\"kept\":null}".to_owned(),
                    1 => format!("{{\"kept\":null,\"other\":{value}}}"),
                    _ => "{\"kept\":[]}".to_owned(),
                };
                let entries = vec![Entry::new(site::item(1)).fields(&fields)];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)?;
                let model = harness.core().model();
                let variant = model
                    .variant(site::COLLECTION, &site::item(1), None)
                    .ok_or("the item is missing")?;
                let kept = variant.field_data.get("kept");
                let cleared = if *form == 2 {
                    kept == Some(&Value::Array(Vec::new()))
                } else {
                    kept.is_none()
                };
                let untouched = variant.field_data.get("name") == Some(&"Before".into());
                if cleared && untouched {
                    Ok(())
                } else {
                    Err(format!("the item holds {:?}", variant.field_data))
                }
            },
        ),
    )
}
