//! *Payload*, continued: what comes back, and all of it.

use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

use super::{exact, site};
use crate::reference::{AnswerShape, Reply, Step};
use crate::rule::{Rule, edges_first, property};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        unknown_fields_survive(),
        both_shapes_are_read(),
        sparse_items_are_read(),
        field_data_come_back_exactly(),
    ]
}

fn unknown_fields_survive() -> Rule {
    const EDGES: [&str; 3] = ["in an item", "in the list", "in a single item"];
    Rule::new(
        "payload/unknown-fields-survive",
        "members of an answer that nobody documents are kept and do not disturb the others",
        "the published document has changed often",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 3),
                    "x-[a-z]{1,8}",
                    site::awkward_text(),
                    any::<i32>(),
                )
                    .boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |bench, (form, name, text, number)| {
                bench.reset(site::model_of(&[site::marked((1, 0))]));
                let value = json!({"text": text, "list": [number, null]});
                let (key, member, form) = (name.clone(), value.clone(), *form);
                if form == 2 {
                    bench
                        .core()
                        .configure(|settings| settings.shape = AnswerShape::ItemWhenSingle);
                }
                bench.core().script([Step::model_then(move |answer| {
                    answer.edit(|body| match form {
                        0 => body["items"][0][&key] = member,
                        _ => body[&key] = member,
                    })
                })]);
                let outcome = bench.update(&bench.call(vec![site::marked((1, 0))]));
                let updated = outcome.updated()?;
                let item = updated.items.first().ok_or("no item came back")?;
                let extra = if form == 1 {
                    &updated.extra
                } else {
                    &item.extra
                };
                if extra.get(name) != Some(&value) {
                    return Err(format!("the unknown members are told as {extra:?}"));
                }
                let known = item.is_draft.is_some()
                    && item.last_updated.is_some()
                    && item.field_data.is_some();
                if known {
                    Ok(())
                } else {
                    Err(format!("the known members are told as {item:?}"))
                }
            },
        ),
    )
}

fn both_shapes_are_read() -> Rule {
    const EDGES: [&str; 4] = ["list of 1", "single item", "list of 100", "empty list"];
    Rule::new(
        "payload/both-shapes-are-read",
        "an answer is read whether it is a list or a single item; the key `items` decides",
        "the reference page documents both shapes and gives no discriminator",
        &EDGES,
        property(
            |case| (Just(case % 4), any::<bool>()).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |bench, (form, pagination)| {
                let count = if *form == 2 { 100 } else { 1 };
                let entries: Vec<_> = (0..count).map(|item| site::marked((item, 0))).collect();
                bench.reset(site::model_of(&entries));
                bench.core().configure(|settings| {
                    settings.pagination = *pagination;
                    if *form == 1 {
                        settings.shape = AnswerShape::ItemWhenSingle;
                    }
                });
                if *form == 3 {
                    bench
                        .core()
                        .script([Reply::new(200).json(&json!({"items": [], "id": "66f6"}))]);
                }
                let outcome = bench.update(&bench.call(entries));
                let updated = outcome.updated()?;
                let expected = if *form == 3 { 0 } else { count };
                if updated.items.len() != expected {
                    return Err(format!(
                        "{} items were read and not {expected}",
                        updated.items.len()
                    ));
                }
                for (number, item) in updated.items.iter().enumerate() {
                    let data = item.field_data.as_ref().map_or("", |data| data.get());
                    if item.id != site::item(number)
                        || !data.contains(&format!("\"mark\":\"{number}-0\""))
                    {
                        return Err(format!("item {number} was read as {item:?}"));
                    }
                }
                Ok(())
            },
        ),
    )
}

/// What an answer may lack without ceasing to be one.
const OPTIONAL: [&str; 9] = [
    "cmsLocaleId",
    "lastPublished",
    "lastUpdated",
    "createdOn",
    "isArchived",
    "isDraft",
    "fieldData",
    "fieldData.name",
    "fieldData.slug",
];

fn sparse_items_are_read() -> Rule {
    const EDGES: [&str; 4] = [
        "nothing but the id",
        "no name and slug",
        "odd members",
        "no dates",
    ];
    Rule::new(
        "payload/sparse-items-are-read",
        "an item that comes back without name, slug, fields, dates or flags, or with something odd in their place, was updated all the same",
        "an official client turns such an answer into an error after the write has succeeded",
        &EDGES,
        property(
            |case| {
                let omitted = match case % 5 {
                    0 => Just(OPTIONAL.to_vec()).boxed(),
                    1 => Just(vec!["fieldData.name", "fieldData.slug"]).boxed(),
                    2 => Just(Vec::new()).boxed(),
                    3 => Just(vec!["lastPublished", "lastUpdated", "createdOn"]).boxed(),
                    _ => subsequence(OPTIONAL.to_vec(), 0..=OPTIONAL.len()).boxed(),
                };
                (
                    omitted,
                    Just(case % 5 == 2),
                    subsequence(OPTIONAL[..7].to_vec(), 1..=7),
                )
                    .boxed()
            },
            |(omitted, null, _)| {
                let touched = [
                    omitted.len() == OPTIONAL.len(),
                    omitted.contains(&"fieldData.name") && omitted.contains(&"fieldData.slug"),
                    *null,
                    omitted.contains(&"lastUpdated") && omitted.contains(&"createdOn"),
                ];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |bench, (omitted, null, nulls)| {
                let entries = vec![site::marked((1, 0)), site::marked((2, 0))];
                bench.reset(site::model_of(&entries));
                bench.core().configure(|settings| {
                    settings.omitted = omitted.iter().map(|name| (*name).to_owned()).collect();
                });
                if *null {
                    let (nulls, odd) = (nulls.clone(), nulls.len() % 2 == 0);
                    bench.core().script([Step::model_then(move |answer| {
                        answer.edit_items(|items| {
                            for item in items {
                                for name in &nulls {
                                    let needed = ["cmsLocaleId", "fieldData"].contains(name);
                                    item[*name] = if odd && !needed {
                                        json!(["odd"])
                                    } else {
                                        Value::Null
                                    };
                                }
                            }
                        })
                    })]);
                }
                let outcome = bench.update(&bench.call(entries));
                let updated = outcome.updated()?;
                let ids: Vec<_> = updated.items.iter().map(|item| item.id.clone()).collect();
                if ids == [site::item(1), site::item(2)] {
                    Ok(())
                } else {
                    Err(format!("the items were read as {ids:?}"))
                }
            },
        ),
    )
}

fn field_data_come_back_exactly() -> Rule {
    const EDGES: [&str; 3] = ["edge number", "null", "text beyond ascii"];
    Rule::new(
        "payload/field-data-come-back-exactly",
        "the fields of a returned item are told with the characters and the digits that the service sent",
        "numbers and texts are the customer's content",
        &EDGES,
        property(
            |case| match case % 3 {
                0 => edges_first(case / 3, &site::EDGE_NUMBERS, Just("1"))
                    .prop_map(|number| format!("{{\"price\":[{number}]}}"))
                    .boxed(),
                1 => site::value()
                    .prop_map(|value| {
                        site::object([("a".to_owned(), "null".to_owned()), ("b".to_owned(), value)])
                    })
                    .boxed(),
                _ => site::awkward_text()
                    .prop_map(|text| site::object([("größe".to_owned(), site::quoted(&text))]))
                    .boxed(),
            },
            |fields| {
                let touched = [
                    site::EDGE_NUMBERS
                        .iter()
                        .any(|number| fields.contains(&format!("[{number}]"))),
                    fields.contains("null"),
                    !fields.is_ascii(),
                ];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |bench, fields| {
                bench.reset(site::model_of(&[]));
                let body = format!(
                    "{{\"items\":[{{\"id\":\"{}\",\"fieldData\":{fields}}}]}}",
                    site::item(1)
                );
                bench.core().script([Reply::new(200)
                    .header("content-type", "application/json")
                    .body(body)]);
                let outcome = bench.update(&bench.call(vec![site::marked((1, 0))]));
                let updated = outcome.updated()?;
                let told = updated
                    .items
                    .first()
                    .and_then(|item| item.field_data.as_ref())
                    .map_or("", |data| data.get());
                if exact::same(told, fields) {
                    Ok(())
                } else {
                    Err(format!("the fields are told as {told}"))
                }
            },
        ),
    )
}
