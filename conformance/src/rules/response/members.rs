//! Members of a returned item.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use webflow_cms_reference::{Reply, ResponseShape, Step};

use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::{exact, site};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        documented_members(),
        unknown_members(),
        sparse_items(),
        field_data_is_exact(),
    ]
}

fn documented_members() -> Rule {
    const EDGES: [&str; 4] = ["in a list", "single item", "never published", "published"];
    Rule::new(
        "response/documented-members",
        "locale, dates and flags of a returned item are reported as they were sent, and so is the rate limit of the \
         response",
        REFERENCE,
        &EDGES,
        property(
            |case| {
                // Three distinct dates.
                let dates = subsequence((100..1_000_u16).collect::<Vec<_>>(), 3).prop_shuffle();
                let place = 0..=site::SECONDARY.len();
                (
                    Just((case % 2 == 1, case / 2 % 2 == 1)),
                    dates,
                    any::<[bool; 2]>(),
                    place,
                    any::<[u16; 2]>(),
                )
                    .boxed()
            },
            |((single, published), ..)| {
                vec![
                    EDGES[usize::from(*single)],
                    EDGES[2 + usize::from(*published)],
                ]
            },
            |harness, ((single, published), dates, [archived, draft], place, [limit, remaining])| {
                harness.reset(site::model_of(&[]));
                let date = |which: usize| format!("2024-09-27T17:38:29.{}Z", dates[which]);
                let locale = site::locale(*place).unwrap_or(site::PRIMARY);
                let item = json!({
                    "id": site::item(1),
                    "cmsLocaleId": locale,
                    "lastPublished": published.then(|| date(0)),
                    "lastUpdated": date(1),
                    "createdOn": date(2),
                    "isArchived": archived,
                    "isDraft": draft,
                    "fieldData": {"mark": "1"},
                });
                let body = if *single {
                    item
                } else {
                    json!({"items": [item]})
                };
                harness.core().script([Reply::new(200)
                    .header("x-ratelimit-limit", &limit.to_string())
                    .header("x-ratelimit-remaining", &remaining.to_string())
                    .json(&body)]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, *place))]));
                harness.only_exchange()?;
                let updated = outcome.updated()?;
                let reported = updated.items.first().ok_or("no item was returned")?;
                let texts = [
                    ("cmsLocaleId", &reported.cms_locale_id, Some(locale.to_owned())),
                    (
                        "lastPublished",
                        &reported.last_published,
                        published.then(|| date(0)),
                    ),
                    ("lastUpdated", &reported.last_updated, Some(date(1))),
                    ("createdOn", &reported.created_on, Some(date(2))),
                ];
                for (name, reported, sent) in texts {
                    if *reported != sent {
                        return Err(format!("`{name}` is reported as {reported:?} and was {sent:?}"));
                    }
                }
                if (reported.is_archived, reported.is_draft) != (Some(*archived), Some(*draft)) {
                    return Err(format!("the flags are reported as {reported:?}"));
                }
                let reported = (updated.limit, updated.remaining);
                if reported == (Some(u64::from(*limit)), Some(u64::from(*remaining))) {
                    Ok(())
                } else {
                    Err(format!("the rate limit is reported as {reported:?}"))
                }
            },
        ),
    )
}

fn unknown_members() -> Rule {
    const EDGES: [&str; 4] = [
        "in an item",
        "in the list",
        "in a single item",
        "an item's own in the list",
    ];
    Rule::new(
        "response/unknown-members",
        "undocumented members of a response are kept and do not disturb the others",
        "Webflow's published OpenAPI document changes often",
        &EDGES,
        property(
            |case| {
                let name = if case % 4 == 3 {
                    prop_oneof![Just("id"), select(OPTIONAL[..7].to_vec())]
                        .prop_map(str::to_owned)
                        .boxed()
                } else {
                    "x-[a-z]{1,8}".boxed()
                };
                (Just(case % 4), name, site::awkward_text(), any::<i32>()).boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, name, text, number)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                let value = json!({"text": text, "list": [number, null]});
                let (key, member, form) = (name.clone(), value.clone(), *form);
                if form == 2 {
                    harness
                        .core()
                        .configure(|settings| settings.shape = ResponseShape::ItemWhenSingle);
                }
                harness.core().script([Step::model_then(move |response| {
                    response.edit(|body| match form {
                        0 => body["items"][0][&key] = member,
                        _ => body[&key] = member,
                    })
                })]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                let updated = outcome.updated()?;
                let item = updated.items.first().ok_or("no item was returned")?;
                let extra = if form % 2 == 1 {
                    &updated.extra
                } else {
                    &item.extra
                };
                if extra.get(name) != Some(&value) {
                    return Err(format!("the unknown members are reported as {extra:?}"));
                }
                let known = item.is_draft.is_some()
                    && item.last_updated.is_some()
                    && item.field_data.is_some();
                if known {
                    Ok(())
                } else {
                    Err(format!("the known members are reported as {item:?}"))
                }
            },
        ),
    )
}

/// Members that a response may lack.
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

fn sparse_items() -> Rule {
    const EDGES: [&str; 4] = [
        "nothing but the id",
        "no name and slug",
        "unexpected members",
        "no dates",
    ];
    Rule::new(
        "response/sparse-items",
        "a returned item without name, slug, fields, dates or flags, or with unexpected values in their place, counts \
         as updated",
        "an official client turns such a response into an error although the write succeeded",
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
            |harness, (omitted, null, nulls)| {
                let entries = vec![site::marked((1, 0)), site::marked((2, 0))];
                harness.reset(site::model_of(&entries));
                harness.core().configure(|settings| {
                    settings.omitted = omitted.iter().map(|name| (*name).to_owned()).collect();
                });
                if *null {
                    let (nulls, odd) = (nulls.clone(), nulls.len() % 2 == 0);
                    harness.core().script([Step::model_then(move |response| {
                        response.edit_items(|items| {
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
                let outcome = harness.update(&harness.call(entries));
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

fn field_data_is_exact() -> Rule {
    const EDGES: [&str; 3] = ["edge number", "null", "text beyond ascii"];
    Rule::new(
        "response/field-data-is-exact",
        "the fields of a returned item are reported with the characters and digits that the service sent",
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
            |harness, fields| {
                harness.reset(site::model_of(&[]));
                let body = format!(
                    "{{\"items\":[{{\"id\":\"{}\",\"fieldData\":{fields}}}]}}",
                    site::item(1)
                );
                harness.core().script([Reply::new(200)
                    .header("content-type", "application/json")
                    .body(body)]);
                let outcome = harness.update(&harness.call(vec![site::marked((1, 0))]));
                let updated = outcome.updated()?;
                let reported = updated
                    .items
                    .first()
                    .and_then(|item| item.field_data.as_ref())
                    .map_or("", |data| data.get());
                if exact::same(reported, fields) {
                    Ok(())
                } else {
                    Err(format!("the fields are reported as {reported}"))
                }
            },
        ),
    )
}
