//! Batches that address one item in one locale twice.

use proptest::prelude::*;

use crate::client::Entry;
use crate::rule::{Rule, edges_first, property};
use crate::rules::HOUSE;
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![duplicate_key_is_refused()]
}

const LIMIT: usize = 100;

fn duplicate_key_is_refused() -> Rule {
    const EDGES: [&str; 3] = ["first and last", "neighbours", "100 entries"];
    Rule::new(
        "batch-limits/duplicate-key-is-refused",
        "a batch that addresses one item in one locale twice is refused, nothing is sent, and the error names both \
         entries",
        HOUSE,
        &EDGES,
        property(
            |case| {
                let sizes = edges_first(case, &[2, 3, LIMIT], 2..=LIMIT);
                (
                    sizes,
                    any::<prop::sample::Index>(),
                    any::<prop::sample::Index>(),
                    any::<bool>(),
                )
                    .prop_flat_map(move |(size, first, second, upper)| {
                        let (first, second) = match case % 3 {
                            0 => (0, size - 1),
                            1 => (first.index(size - 1), first.index(size - 1) + 1),
                            _ => (first.index(size), second.index(size)),
                        };
                        let second = if first == second {
                            (first + 1) % size
                        } else {
                            second
                        };
                        let (first, second) = (first.min(second), first.max(second));
                        site::distinct(size).prop_map(move |mut entries| {
                            let twin = entries[first].clone();
                            let id = if upper {
                                twin.id.to_ascii_uppercase()
                            } else {
                                twin.id
                            };
                            entries[second] = Entry {
                                id,
                                is_draft: Some(true),
                                ..Entry::new("")
                            }
                            .locale(twin.cms_locale_id.as_deref());
                            (first, second, entries)
                        })
                    })
                    .boxed()
            },
            |(first, second, entries)| {
                let touched = [
                    *first == 0 && *second == entries.len() - 1,
                    first + 1 == *second,
                    entries.len() == LIMIT,
                ];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |harness, (first, second, entries)| {
                harness.reset(site::model_of(&[]));
                let outcome = harness.update(&harness.call(entries.clone()));
                harness.nothing_sent()?;
                let refusal = outcome.refused()?;
                if refusal.entries.contains(first) && refusal.entries.contains(second) {
                    return Ok(());
                }
                Err(format!(
                    "the refusal names the entries {:?} and not {first} and {second}",
                    refusal.entries
                ))
            },
        ),
    )
}
