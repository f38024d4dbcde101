//! Matching of returned items with the entries of the request.

use proptest::prelude::*;
use webflow_cms_reference::{PrimaryEcho, ResponseOrder, Step};

use crate::client::{Entry, Returned};
use crate::harness::Harness;
use crate::rule::{Rule, property};
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        response_in_any_order(),
        missing_item_is_reported(),
        ambiguous_item_is_reported(),
    ]
}

/// The numbers of an item and a locale. 0 is no locale.
type Key = (usize, usize);

/// Keys, the order of the response, and how it names the primary locale.
type Matching = (Vec<Key>, ResponseOrder, PrimaryEcho);

fn matching(case: u64) -> BoxedStrategy<Matching> {
    let order = match case % 3 {
        0 => Just(ResponseOrder::AsSent).boxed(),
        1 => Just(ResponseOrder::Reversed).boxed(),
        _ => any::<u64>().prop_map(ResponseOrder::Shuffled).boxed(),
    };
    let echo = if case.is_multiple_of(2) {
        PrimaryEcho::Echoed
    } else {
        PrimaryEcho::Absent
    };
    (site::keys(20), order, Just(echo)).boxed()
}

fn edges_of_matching((_, order, echo): &Matching) -> Vec<&'static str> {
    let order = match order {
        ResponseOrder::AsSent => "as sent",
        ResponseOrder::Reversed => "reversed",
        ResponseOrder::Shuffled(_) => "shuffled",
    };
    let echo = match echo {
        PrimaryEcho::Echoed => "primary named",
        PrimaryEcho::Absent | PrimaryEcho::Null => "primary not named",
    };
    vec![order, echo]
}

const MATCHING: [&str; 5] = [
    "as sent",
    "reversed",
    "shuffled",
    "primary named",
    "primary not named",
];

fn response_in_any_order() -> Rule {
    Rule::new(
        "locales/response-in-any-order",
        "whatever the order of the response, and whether or not it names the primary locale, each entry is matched \
         with its own item",
        "the order is not documented; both were observed",
        &MATCHING,
        property(
            matching,
            edges_of_matching,
            |harness, (keys, order, echo)| {
                let entries = matching_site(harness, keys, *order, *echo);
                let outcome = harness.update(&harness.call(entries));
                let updated = outcome.updated()?;
                if updated.entries.len() != keys.len() {
                    return Err(format!(
                        "the client reports {} entries and not {}",
                        updated.entries.len(),
                        keys.len()
                    ));
                }
                for (key, returned) in keys.iter().zip(&updated.entries) {
                    is_of(updated, *key, returned)?;
                }
                Ok(())
            },
        ),
    )
}

fn matching_site(
    harness: &Harness<'_>,
    keys: &[Key],
    order: ResponseOrder,
    echo: PrimaryEcho,
) -> Vec<Entry> {
    let entries: Vec<_> = keys.iter().copied().map(site::marked).collect();
    harness.reset(site::model_of(&entries));
    harness.core().configure(|settings| {
        settings.order = order;
        settings.primary_echo = echo;
    });
    entries
}

/// Checks that the item matched with a key has the key's mark.
pub(crate) fn is_of(
    updated: &crate::client::Updated,
    (item, place): Key,
    returned: &Returned,
) -> Result<(), String> {
    let Returned::Item(position) = returned else {
        return Err(format!(
            "the item for ({item}, {place}) was returned and not matched: {returned:?}"
        ));
    };
    let found = updated
        .items
        .get(*position)
        .ok_or("an entry's item is beyond the response")?;
    let mark = format!("\"mark\":\"{item}-{place}\"");
    let data = found.field_data.as_ref().map_or("", |data| data.get());
    if data.contains(&mark) {
        Ok(())
    } else {
        Err(format!(
            "({item}, {place}) was matched with the item with {data}"
        ))
    }
}

fn missing_item_is_reported() -> Rule {
    const EDGES: [&str; 6] = [
        "as sent",
        "reversed",
        "shuffled",
        "none returned",
        "one is missing",
        "1 entry",
    ];
    Rule::new(
        "locales/missing-item-is-reported",
        "an entry whose item is not in the response is reported as missing, and no other entry is",
        "this suite: a 200 that lacks an item does not confirm its update",
        &EDGES,
        property(
            |case| {
                let most = if case % 5 == 4 { 1 } else { 20 };
                (matching(case), site::keys(most), any::<u64>())
                    .prop_map(move |((keys, order, _), few, pick)| {
                        let keys = if most == 1 { few } else { keys };
                        let dropped: Vec<bool> = match case % 4 {
                            0 => keys.iter().map(|_| true).collect(),
                            1 => (0..keys.len())
                                .map(|position| position as u64 == pick % keys.len() as u64)
                                .collect(),
                            _ => (0..keys.len())
                                .map(|position| pick >> (position % 64) & 1 == 1)
                                .collect(),
                        };
                        (keys, order, dropped)
                    })
                    .boxed()
            },
            |(keys, order, dropped)| {
                let mut hits = edges_of_matching(&(Vec::new(), *order, PrimaryEcho::Echoed));
                hits.truncate(1);
                let lost = dropped.iter().filter(|dropped| **dropped).count();
                let touched = [
                    (lost == keys.len(), "none returned"),
                    (lost == 1, "one is missing"),
                    (keys.len() == 1, "1 entry"),
                ];
                hits.extend(
                    touched
                        .into_iter()
                        .filter(|(touched, _)| *touched)
                        .map(|(_, name)| name),
                );
                hits
            },
            |harness, (keys, order, dropped)| {
                let entries = matching_site(harness, keys, *order, PrimaryEcho::Echoed);
                let gone: Vec<_> = keys
                    .iter()
                    .zip(dropped)
                    .filter(|(_, dropped)| **dropped)
                    .map(|(key, _)| *key)
                    .collect();
                harness.core().script([Step::model_then(move |response| {
                    response.edit_items(|items| {
                        items.retain(|item| {
                            let mark = item["fieldData"]["mark"].as_str().unwrap_or_default();
                            !gone
                                .iter()
                                .any(|(item, place)| mark == format!("{item}-{place}"))
                        });
                    })
                })]);
                let outcome = harness.update(&harness.call(entries));
                let updated = outcome.updated()?;
                for ((key, dropped), returned) in keys.iter().zip(dropped).zip(&updated.entries) {
                    if !dropped {
                        is_of(updated, *key, returned)?;
                    } else if *returned != Returned::Missing {
                        return Err(format!(
                            "the item for {key:?} was not returned, and the client reports {returned:?}"
                        ));
                    }
                }
                Ok(())
            },
        ),
    )
}

fn ambiguous_item_is_reported() -> Rule {
    const EDGES: [&str; 2] = ["two left for one", "two unnamed for two named"];
    Rule::new(
        "locales/ambiguous-item-is-reported",
        "a returned item that matches several entries, or none, is assigned to no entry and reported as ambiguous",
        "this suite: a guess would misreport what was updated",
        &EDGES,
        property(
            |case| {
                (
                    Just(case % 2 == 0),
                    site::keys(6).prop_map(|keys| keys.len()),
                    1..=3_usize,
                )
                    .boxed()
            },
            |(two, ..)| {
                vec![if *two {
                    "two left for one"
                } else {
                    "two unnamed for two named"
                }]
            },
            |harness, (two, others, place)| {
                let mut entries: Vec<_> =
                    (1..=*others).map(|item| site::marked((item, 0))).collect();
                // An item in one locale, or in two that the response does not name.
                let places = if *two {
                    vec![0]
                } else {
                    vec![*place, *place % 3 + 1]
                };
                entries.extend(places.iter().map(|place| site::marked((0, *place))));
                harness.reset(site::model_of(&entries));
                let two = *two;
                harness.core().script([Step::model_then(move |response| {
                    response.edit_items(|items| {
                        if two {
                            let Some(mut last) = items.pop() else { return };
                            last["cmsLocaleId"] = site::SECONDARY[0].into();
                            items.push(last.clone());
                            last["cmsLocaleId"] = site::SECONDARY[1].into();
                            items.push(last);
                        } else {
                            let unnamed = items.iter_mut().rev().take(2);
                            for item in unnamed.filter_map(|item| item.as_object_mut()) {
                                item.remove("cmsLocaleId");
                            }
                        }
                    })
                })]);
                let outcome = harness.update(&harness.call(entries));
                let updated = outcome.updated()?;
                let reported = updated.entries.iter().rev().take(places.len());
                let mut others = reported.filter(|reported| **reported != Returned::Ambiguous);
                match others.next() {
                    None => Ok(()),
                    other => Err(format!(
                        "the client reports {other:?} for an ambiguous item"
                    )),
                }
            },
        ),
    )
}
