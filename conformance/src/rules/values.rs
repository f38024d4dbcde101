//! *Payload*, continued: values that the document does not allow.

use proptest::prelude::*;

use super::{site, wire};
use crate::client::{Entrance, Entry};
use crate::rule::{Rule, property};

pub(super) fn rules() -> Vec<Rule> {
    vec![name_and_slug_are_strings()]
}

/// What a value is instead of a string.
pub(super) const KINDS: [&str; 5] = ["a number", "null", "a list", "an object", "true or false"];

/// A value that is no string, by the kind.
pub(super) fn no_string(kind: usize) -> BoxedStrategy<String> {
    match kind {
        0 => site::number().boxed(),
        1 => Just("null".to_owned()).boxed(),
        2 => site::value().prop_map(|value| format!("[{value}]")).boxed(),
        3 => site::value()
            .prop_map(|value| format!("{{\"name\":{value}}}"))
            .boxed(),
        _ => any::<bool>().prop_map(|flag| flag.to_string()).boxed(),
    }
}

fn name_and_slug_are_strings() -> Rule {
    const EDGES: [&str; 8] = [
        "name",
        "slug",
        "an escaped name",
        "another field",
        "inside another field",
        "as a whole",
        "field by field",
        "as a line",
    ];
    const ALL: [&str; EDGES.len() + KINDS.len()] = super::repeated::joined(EDGES, KINDS);
    Rule::new(
        "payload/name-and-slug-are-strings",
        "a `name` or `slug` that is no string is refused and nothing is sent, whichever way the fields are given; in another \
         field the same value goes out",
        "reference page of Update Items: both are strings",
        &ALL,
        property(
            |case| {
                let pick = |of: u64, by: u64| usize::try_from(case / by % of).unwrap_or(0);
                let entrance = [Entrance::Fields, Entrance::FieldByField, Entrance::Line];
                let entrance = entrance[pick(3, 1)];
                let (kind, field) = (pick(5, 3), pick(5, 1));
                (
                    Just(entrance),
                    Just(kind),
                    Just(field),
                    no_string(kind),
                    0..5_usize,
                    site::value(),
                )
                    .boxed()
            },
            |(entrance, kind, field, ..)| {
                let entrance = match entrance {
                    Entrance::Fields => EDGES[5],
                    Entrance::FieldByField => EDGES[6],
                    Entrance::Line => EDGES[7],
                };
                vec![EDGES[*field], KINDS[*kind], entrance]
            },
            |bench, (entrance, _, field, value, place, other)| {
                let member = match field {
                    0 => format!("\"name\":{value}"),
                    1 => format!("\"slug\":{value}"),
                    2 => format!("\"n\\u0061me\":{value}"),
                    3 => format!("\"Name\":{value},\"slugs\":{value}"),
                    _ => format!("\"seo\":{{\"name\":{value},\"slug\":[{value}]}}"),
                };
                let mut entries: Vec<Entry> = (0..5).map(|item| site::marked((item, 0))).collect();
                entries[*place] = Entry::new(site::item(*place))
                    .fields(&format!("{{\"other\":{other},{member}}}"));
                entries[*place].entrance = *entrance;
                bench.reset(site::model_of(&entries));
                let outcome = bench.update(&bench.call(entries.clone()));
                if *field >= 3 {
                    outcome.updated()?;
                    return wire::carries(&bench.only_exchange()?, &entries);
                }
                bench.nothing_sent()?;
                outcome.refused().map(|_| ())
            },
        ),
    )
}
