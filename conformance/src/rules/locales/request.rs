//! The locale of each entry in the request.

use proptest::prelude::*;
use serde_json::Value;

use crate::client::Entry;
use crate::harness::Harness;
use crate::rule::{Rule, edges_first, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::{site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        absent_means_no_key(),
        each_entry_keeps_its_locale(),
        one_id_in_many_locales(),
        absent_changes_primary_only(),
    ]
}

/// The numbers of an item and a locale. 0 is no locale.
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

fn each_entry_keeps_its_locale() -> Rule {
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

/// Sends a marked entry for each key and checks that exactly these variants got their marks.
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

fn absent_changes_primary_only() -> Rule {
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
