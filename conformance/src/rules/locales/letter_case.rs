//! Ids that are returned in another letter case.

use proptest::prelude::*;
use serde_json::Value;
use webflow_cms_reference::Step;

use crate::rule::{Rule, property};
use crate::rules::HOUSE;
use crate::rules::fixture::site;
use crate::rules::locales::response::is_of;

pub(super) fn rules() -> Vec<Rule> {
    vec![ids_ignore_letter_case()]
}

fn ids_ignore_letter_case() -> Rule {
    const EDGES: [&str; 4] = [
        "items in capitals",
        "locales in capitals",
        "both",
        "sent in capitals",
    ];
    Rule::new(
        "locales/ids-ignore-letter-case",
        "ids match whatever their letter case: an item that is returned under its id in capitals is found, and so is \
         its locale",
        HOUSE,
        &EDGES,
        property(
            |case| (Just(case % 4), site::keys(20)).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, keys)| {
                let mut entries: Vec<_> = keys.iter().copied().map(site::marked).collect();
                harness.reset(site::model_of(&entries));
                if *form == 3 {
                    for entry in &mut entries {
                        entry.id.make_ascii_uppercase();
                    }
                }
                let capitals: &[&str] = match form {
                    0 => &["id"],
                    1 => &["cmsLocaleId"],
                    2 => &["id", "cmsLocaleId"],
                    _ => &[],
                };
                harness.core().script([Step::model_then(move |response| {
                    response.edit_items(|items| {
                        for item in items {
                            for name in capitals {
                                if let Some(Value::String(id)) = item.get_mut(*name) {
                                    id.make_ascii_uppercase();
                                }
                            }
                        }
                    })
                })]);
                let outcome = harness.update(&harness.call(entries));
                let updated = outcome.updated()?;
                if updated.entries.len() != keys.len() {
                    return Err(format!("{} entries are reported", updated.entries.len()));
                }
                keys.iter()
                    .zip(&updated.entries)
                    .try_for_each(|(key, returned)| is_of(updated, *key, returned))
            },
        ),
    )
}
