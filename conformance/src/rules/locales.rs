//! *Locale handling*: which locale an entry is for, on the way out and on the way back.

use proptest::prelude::*;
use serde_json::Value;

use super::{REFERENCE, site, wire};
use crate::client::{Entry, Returned};
use crate::harness::Harness;
use crate::rule::{Rule, edges_first, property};
use webflow_cms_reference::{PrimaryEcho, ResponseOrder, Step};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        absent_means_no_key(),
        each_entry_keeps_its_own(),
        one_id_in_many_locales(),
        the_primary_change_leaves_the_others_alone(),
        responses_are_matched_in_any_order(),
        what_did_not_come_back_is_reported(),
        what_cannot_be_reported_apart_is_ambiguous(),
    ]
}

/// An item number and a locale number, 0 for none.
type Key = (usize, usize);

fn absent_means_no_key() -> Rule {
    const EDGES: [&str; 3] = ["1 entry", "99 entries", "100 entries"];
    Rule::new(
        "locales/absent-means-no-key",
        "an entry without a locale is sent without the key `cmsLocaleId`, not with null and not with an empty string",
        "reference page; a null is refused with 400 (reported in 2025)",
        &EDGES,
        property(
            |case| {
                edges_first(case, &[1, 99, 100], 1..=100_usize)
                    .prop_flat_map(site::distinct)
                    .prop_map(|entries| {
                        entries
                            .into_iter()
                            .map(|entry| entry.locale(None))
                            .collect()
                    })
                    .boxed()
            },
            |entries: &Vec<Entry>| {
                [1, 99, 100]
                    .iter()
                    .zip(EDGES)
                    .filter(|(size, _)| **size == entries.len())
                    .map(|(_, name)| name)
                    .collect()
            },
            |harness, entries| {
                harness.reset(site::model_of(entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                let exchange = harness.only_exchange()?;
                let named = wire::entries(&exchange)?
                    .iter()
                    .position(|entry| entry.contains_key("cmsLocaleId"));
                named.map_or(Ok(()), |position| {
                    Err(format!("entry {position} names a locale"))
                })
            },
        ),
    )
}

fn edges_of_keys(keys: &[Key]) -> Vec<&'static str> {
    let mut places: Vec<_> = keys.iter().map(|(_, place)| *place).collect();
    places.sort_unstable();
    places.dedup();
    let mut items: Vec<_> = keys.iter().map(|(item, _)| *item).collect();
    items.sort_unstable();
    items.dedup();
    let mut hits = Vec::new();
    if places.len() == site::SECONDARY.len() + 1 {
        hits.push("every locale");
    }
    if items.len() < keys.len() {
        hits.push("an id twice");
    }
    if keys.len() == 1 {
        hits.push("1 entry");
    }
    hits
}

fn each_entry_keeps_its_own() -> Rule {
    Rule::new(
        "locales/each-entry-keeps-its-locale",
        "each entry is sent with its own locale and its own fields, and changes that variant alone",
        REFERENCE,
        &["every locale", "an id twice", "1 entry"],
        property(
            |case| site::keys([24, 24, 1][usize::try_from(case % 3).unwrap_or(0)]).boxed(),
            |keys| edges_of_keys(keys),
            |harness, keys| updated_alone(harness, keys),
        ),
    )
}

fn one_id_in_many_locales() -> Rule {
    const EDGES: [&str; 3] = ["primary and secondary", "secondary only", "every locale"];
    Rule::new(
        "locales/one-id-in-many-locales",
        "one item in several locales is sent in one batch, and each variant gets its own fields",
        "request example of the reference page",
        &EDGES,
        property(
            |case| {
                let all: Vec<_> = (0..=site::SECONDARY.len()).collect();
                let places = match case % 3 {
                    0 => Just(all).boxed(),
                    1 => prop::sample::subsequence(vec![1, 2, 3], 2..=3).boxed(),
                    _ => prop::sample::subsequence(all, 2..=4).boxed(),
                };
                places
                    .prop_shuffle()
                    .prop_map(|places| places.into_iter().map(|place| (7, place)).collect())
                    .boxed()
            },
            |keys: &Vec<Key>| {
                let primary = keys.iter().any(|(_, place)| *place == 0);
                let touched = [primary && keys.len() > 1, !primary, keys.len() == 4];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |harness, keys| updated_alone(harness, keys),
        ),
    )
}

/// Sends a marked entry for each key and fails unless just these variants have just their own marks.
fn updated_alone(harness: &Harness<'_>, keys: &[Key]) -> Result<(), String> {
    let entries: Vec<_> = keys.iter().copied().map(site::marked).collect();
    let before = site::model_of(&entries);
    harness.reset(before.clone());
    harness.update(&harness.call(entries.clone())).updated()?;
    wire::carries(&harness.only_exchange()?, &entries)?;
    let after = harness.core().model();
    for (key, variant) in after.variants() {
        let place = site::SECONDARY
            .iter()
            .position(|locale| *locale == key.locale)
            .map_or(0, |place| place + 1);
        let sent = keys
            .iter()
            .find(|sent| site::item(sent.0) == key.item && sent.1 == place);
        let expected = sent.map(|(item, place)| Value::from(format!("{item}-{place}")));
        if variant.field_data.get("mark") != expected.as_ref() {
            return Err(format!(
                "{key:?} has the mark {:?} and not {expected:?}",
                variant.field_data.get("mark")
            ));
        }
    }
    let changed = after.differences(&before).len();
    if changed == keys.len() {
        Ok(())
    } else {
        Err(format!("{changed} variants changed and not {}", keys.len()))
    }
}

fn the_primary_change_leaves_the_others_alone() -> Rule {
    const EDGES: [&str; 2] = ["1 entry", "many entries"];
    Rule::new(
        "locales/absent-changes-primary-only",
        "an entry without a locale changes the primary variant and no other variant",
        REFERENCE,
        &EDGES,
        property(
            |case| edges_first(case, &[1, 8], 1..=20_usize),
            |count| {
                vec![if *count == 1 {
                    "1 entry"
                } else {
                    "many entries"
                }]
            },
            |harness, count| {
                let entries: Vec<_> = (0..*count).map(|item| site::marked((item, 0))).collect();
                let before = site::model_of(&entries);
                harness.reset(before.clone());
                harness.update(&harness.call(entries)).updated()?;
                harness.only_exchange()?;
                let changed = harness.core().model().differences(&before);
                match changed.iter().find(|key| key.locale != site::PRIMARY) {
                    Some(key) => Err(format!(
                        "{key:?} changed, and it is not the primary variant"
                    )),
                    None if changed.len() == *count => Ok(()),
                    None => Err(format!(
                        "{} primary variants changed and not {count}",
                        changed.len()
                    )),
                }
            },
        ),
    )
}

/// Keys, the order of the response, and whether it names the primary locale.
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

fn responses_are_matched_in_any_order() -> Rule {
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
                        "the client tells of {} entries and not {}",
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

/// Fails unless what came back for a key is the item with the key's mark.
pub(super) fn is_of(
    updated: &crate::client::Updated,
    (item, place): Key,
    returned: &Returned,
) -> Result<(), String> {
    let Returned::Item(position) = returned else {
        return Err(format!(
            "the item for ({item}, {place}) came back and was not found: {returned:?}"
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
        Err(format!("({item}, {place}) was given the item with {data}"))
    }
}

fn what_did_not_come_back_is_reported() -> Rule {
    const EDGES: [&str; 6] = [
        "as sent",
        "reversed",
        "shuffled",
        "none came back",
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
                    (lost == keys.len(), "none came back"),
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
                            "the item for {key:?} did not come back, and the client says {returned:?}"
                        ));
                    }
                }
                Ok(())
            },
        ),
    )
}

fn what_cannot_be_reported_apart_is_ambiguous() -> Rule {
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
                // An item in one locale, or in two of which the response tells neither.
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
                        "the client says {other:?} of an item that nobody can tell"
                    )),
                }
            },
        ),
    )
}
