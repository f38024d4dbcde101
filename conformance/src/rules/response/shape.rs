//! The two documented shapes of a response.

use proptest::prelude::*;
use serde_json::json;
use webflow_cms_reference::{Reply, ResponseShape, Step};

use crate::rule::{Rule, property};
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![list_or_single_item()]
}

fn list_or_single_item() -> Rule {
    const EDGES: [&str; 5] = [
        "list of 1",
        "single item",
        "list of 100",
        "empty list",
        "byte order mark",
    ];
    Rule::new(
        "response/list-or-single-item",
        "a response is read whether it is a list or a single item; the key `items` decides",
        "the reference page documents both shapes and gives no discriminator",
        &EDGES,
        property(
            |case| (Just(case % 5), any::<bool>()).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, pagination)| {
                let count = if *form == 2 { 100 } else { 1 };
                let entries: Vec<_> = (0..count).map(|item| site::marked((item, 0))).collect();
                harness.reset(site::model_of(&entries));
                harness.core().configure(|settings| {
                    settings.pagination = *pagination;
                    if *form == 1 {
                        settings.shape = ResponseShape::ItemWhenSingle;
                    }
                });
                if *form == 3 {
                    harness
                        .core()
                        .script([Reply::new(200).json(&json!({"items": [], "id": "66f6"}))]);
                }
                if *form == 4 {
                    harness.core().script([Step::model_then(|response| {
                        let marked = ["\u{feff}".as_bytes(), &response.reply.body].concat();
                        response.reply.body(marked)
                    })]);
                }
                let outcome = harness.update(&harness.call(entries));
                let updated = outcome.updated()?;
                let expected = if *form == 3 { 0 } else { count };
                if updated.items.len() != expected {
                    return Err(format!(
                        "{} items were read and not {expected}",
                        updated.items.len()
                    ));
                }
                for (number, item) in updated.items.iter().enumerate() {
                    let data = item.field_data.as_ref().map_or("", |data| data.get());
                    if item.id != site::item(number)
                        || !data.contains(&format!("\"mark\":\"{number}-0\""))
                    {
                        return Err(format!("item {number} was read as {item:?}"));
                    }
                }
                Ok(())
            },
        ),
    )
}
