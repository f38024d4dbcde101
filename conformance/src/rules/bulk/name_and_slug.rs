//! Entries of a run whose `name` or `slug` is not a string.

use proptest::prelude::*;
use proptest::sample::select;

use crate::client::bulk::ItemStatus;
use crate::client::{Entry, Options};
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::follow::{Follow, Leg};
use crate::rules::fixture::{site, values};

pub(super) fn rules() -> Vec<Rule> {
    vec![name_and_slug_are_strings()]
}

fn name_and_slug_are_strings() -> Rule {
    const EDGES: [&str; 2] = ["name", "slug"];
    const ALL: [&str; EDGES.len() + values::KINDS.len()] =
        crate::rules::fixture::edges::joined(EDGES, values::KINDS);
    Rule::new(
        "bulk/name-and-slug-are-strings",
        "an entry of a run whose `name` or `slug` is not a string is never sent, is reported as rejected or not \
         attempted, and keeps no other entry from being updated",
        "reference page of Update Items: both are strings",
        &ALL,
        property(
            |case| {
                let kind = usize::try_from(case % 5).unwrap_or(0);
                let field = select(EDGES.to_vec());
                (
                    Just(kind),
                    field,
                    values::no_string(kind),
                    1..40_usize,
                    any::<u16>(),
                )
                    .boxed()
            },
            |(kind, field, ..)| vec![values::KINDS[*kind], field],
            |harness, (_, field, value, size, place)| {
                let mut entries: Vec<_> = (0..*size).map(|item| site::marked((item, 0))).collect();
                let place = usize::from(*place) % size;
                entries[place] =
                    Entry::new(site::item(place)).fields(&format!("{{\"{field}\":{value}}}"));
                let model = site::model_of(&entries);
                let mut follow =
                    Follow::begin(harness, model, &entries, Options::default(), |_| {})?;
                let (reports, _) = follow.run(&Leg::default())?;
                for exchange in &follow.log() {
                    let id = serde_json::json!(site::item(place));
                    let items = exchange
                        .json
                        .as_ref()
                        .and_then(|json| json["items"].as_array());
                    if items.into_iter().flatten().any(|item| item["id"] == id) {
                        return Err(format!("entry {place} is sent"));
                    }
                }
                for report in &reports {
                    let is_right = match report.status {
                        ItemStatus::Updated => report.index != place as u64,
                        ItemStatus::Rejected | ItemStatus::NotAttempted(_) => {
                            report.index == place as u64
                        }
                        _ => false,
                    };
                    if !is_right {
                        return Err(format!(
                            "entry {} is reported as {:?}",
                            report.index, report.status
                        ));
                    }
                }
                if reports.len() == *size {
                    Ok(())
                } else {
                    Err(format!("{} of {size} entries are reported", reports.len()))
                }
            },
        ),
    )
}
