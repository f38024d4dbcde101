//! The number of entries of a request.

use proptest::prelude::*;

use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::{site, wire};
use crate::rules::{HOUSE, REFERENCE};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        never_more_than_100(),
        empty_or_oversized_is_refused(),
        whole_and_in_order(),
        counts_entries_not_ids(),
    ]
}

const LIMIT: usize = 100;

fn size(items: usize) -> Vec<&'static str> {
    let name = match items {
        0 => "0 entries",
        1 => "1 entry",
        2 => "2 entries",
        99 => "99 entries",
        100 => "100 entries",
        101 => "101 entries",
        102 => "102 entries",
        199 => "199 entries",
        200 => "200 entries",
        201 => "201 entries",
        _ => return Vec::new(),
    };
    vec![name]
}

fn never_more_than_100() -> Rule {
    Rule::new(
        "batch-limits/never-more-than-100",
        "no request carries more than 100 entries, whatever the call holds",
        REFERENCE,
        &[
            "99 entries",
            "100 entries",
            "101 entries",
            "199 entries",
            "200 entries",
            "201 entries",
        ],
        property(
            |case| {
                edges_first(case, &[99, 100, 101, 199, 200, 201], 0..=201_usize)
                    .prop_flat_map(site::distinct)
                    .boxed()
            },
            |entries| size(entries.len()),
            |harness, entries| {
                harness.reset(site::model_of(entries));
                harness.update(&harness.call(entries.clone()));
                for exchange in harness.log() {
                    let sent = wire::entries(&exchange)?.len();
                    if sent > LIMIT {
                        return Err(format!("a request carried {sent} entries"));
                    }
                }
                Ok(())
            },
        ),
    )
}

fn empty_or_oversized_is_refused() -> Rule {
    Rule::new(
        "batch-limits/empty-or-oversized-is-refused",
        "a batch of no entries, or of more than 100, is refused and nothing is sent",
        HOUSE,
        &[
            "0 entries",
            "101 entries",
            "102 entries",
            "200 entries",
            "201 entries",
        ],
        property(
            |case| {
                edges_first(case, &[0, 101, 102, 200, 201], 101..=260_usize)
                    .prop_flat_map(site::distinct)
                    .boxed()
            },
            |entries| size(entries.len()),
            |harness, entries| {
                harness.reset(site::model_of(&[]));
                let outcome = harness.update(&harness.call(entries.clone()));
                outcome.refused()?;
                harness.nothing_sent()
            },
        ),
    )
}

fn whole_and_in_order() -> Rule {
    Rule::new(
        "batch-limits/whole-and-in-order",
        "1 to 100 entries are sent in one request, all of them, in the order of the call",
        REFERENCE,
        &["1 entry", "2 entries", "99 entries", "100 entries"],
        property(
            |case| {
                edges_first(case, &[1, 2, 99, 100], 1..=LIMIT)
                    .prop_flat_map(site::distinct)
                    .boxed()
            },
            |entries| size(entries.len()),
            |harness, entries| {
                harness.reset(site::model_of(entries));
                let outcome = harness.update(&harness.call(entries.clone()));
                wire::carries(&harness.only_exchange()?, entries)?;
                let returned = outcome.updated()?.items.len();
                if returned == entries.len() {
                    Ok(())
                } else {
                    Err(format!(
                        "{returned} items were returned for {} entries",
                        entries.len()
                    ))
                }
            },
        ),
    )
}

fn counts_entries_not_ids() -> Rule {
    const EDGES: [&str; 4] = [
        "25 ids in 4 locales",
        "26 ids in 4 locales",
        "100 ids",
        "101 ids",
    ];
    Rule::new(
        "batch-limits/counts-entries-not-ids",
        "the limit counts entries: one item in three locales is three of the 100",
        "reference page of Create Items, which counts each locale; assumed for updates",
        &EDGES,
        property(
            |case| {
                edges_first(
                    case,
                    &[(25, 4), (26, 4), (100, 1), (101, 1)],
                    (1..=60_usize, 1..=4_usize),
                )
            },
            |shape| {
                let edges = [(25, 4), (26, 4), (100, 1), (101, 1)];
                edges
                    .iter()
                    .zip(EDGES)
                    .filter(|(edge, _)| *edge == shape)
                    .map(|(_, name)| name)
                    .collect()
            },
            |harness, (ids, places)| {
                let entries: Vec<_> = (0..*ids)
                    .flat_map(|id| (0..*places).map(move |place| site::marked((id, place))))
                    .collect();
                harness.reset(site::model_of(&entries));
                let outcome = harness.update(&harness.call(entries.clone()));
                if entries.len() > LIMIT {
                    outcome.refused()?;
                    return harness.nothing_sent();
                }
                outcome.updated()?;
                wire::carries(&harness.only_exchange()?, &entries)
            },
        ),
    )
}
