//! The fields `name` and `slug`, which must be strings.

use proptest::prelude::*;

use crate::client::{Entry, EntryForm};
use crate::rule::{Rule, property};
use crate::rules::fixture::values::{KINDS, no_string};
use crate::rules::fixture::{site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![name_and_slug_are_strings()]
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
    const ALL: [&str; EDGES.len() + KINDS.len()] =
        crate::rules::fixture::edges::joined(EDGES, KINDS);
    Rule::new(
        "payload/name-and-slug-are-strings",
        "a `name` or `slug` that is not a string is refused and nothing is sent, however the fields are given; in \
         another field the same value is sent",
        "reference page of Update Items: both are strings",
        &ALL,
        property(
            |case| {
                let pick = |of: u64, by: u64| usize::try_from(case / by % of).unwrap_or(0);
                let form = [EntryForm::Fields, EntryForm::FieldByField, EntryForm::Line];
                let form = form[pick(3, 1)];
                let (kind, field) = (pick(5, 3), pick(5, 1));
                (
                    Just(form),
                    Just(kind),
                    Just(field),
                    no_string(kind),
                    0..5_usize,
                    site::value(),
                )
                    .boxed()
            },
            |(form, kind, field, ..)| {
                let form = match form {
                    EntryForm::Fields => EDGES[5],
                    EntryForm::FieldByField => EDGES[6],
                    EntryForm::Line => EDGES[7],
                };
                vec![EDGES[*field], KINDS[*kind], form]
            },
            |harness, (form, _, field, value, place, other)| {
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
                entries[*place].form = *form;
                harness.reset(site::model_of(&entries));
                let outcome = harness.update(&harness.call(entries.clone()));
                if *field >= 3 {
                    outcome.updated()?;
                    return wire::carries(&harness.only_exchange()?, &entries);
                }
                harness.nothing_sent()?;
                outcome.refused().map(|_| ())
            },
        ),
    )
}
