//! Responses to a run that name no locale.

use proptest::prelude::*;

use crate::client::Options;
use crate::client::bulk::ItemStatus;
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::follow::{Follow, Leg};
use crate::rules::fixture::edges::among;
use crate::rules::fixture::{locale, site};

pub(super) fn rules() -> Vec<Rule> {
    vec![response_without_locale()]
}

fn response_without_locale() -> Rule {
    const EDGES: [&str; 8] = [
        "the primary locale is named",
        "every entry has one locale",
        "two match",
        locale::FORMS[0],
        locale::FORMS[1],
        "1 entry",
        "99 to 101 entries",
        "more than two batches",
    ];
    Rule::new(
        "bulk/response-without-locale",
        "entries with one locale are updated although no response names a locale, in as few requests as others; where \
         an item matches two entries both are unknown, with another reason than that the response lacks them",
        "reference page: the locale may be missing; a null one was observed on sites without localization",
        &EDGES,
        property(
            |case| {
                let pick = |of: u64, by: u64| usize::try_from(case / by % of).unwrap_or(0);
                let sizes = [1, 99, 100, 101, 201, 350];
                let size = match pick(3, 1) {
                    2 => (1..40_usize).boxed(),
                    _ => prop_oneof![4 => Just(sizes[pick(6, 2)]), 1 => 1..150_usize].boxed(),
                };
                (Just(pick(3, 1)), Just(pick(2, 3)), size).boxed()
            },
            |(sent, form, size)| {
                let touched = [
                    *sent == 0,
                    *sent == 1,
                    *sent == 2,
                    *form == 0,
                    *form == 1,
                    *size == 1,
                    (99..=101).contains(size),
                    *size > 200,
                ];
                among(&EDGES, &touched)
            },
            |harness, (sent, form, size)| {
                let locales: &[&str] = match sent {
                    0 => &[site::PRIMARY],
                    1 => &[site::SECONDARY[2]],
                    _ => &[site::PRIMARY, site::SECONDARY[2]],
                };
                let entries: Vec<_> = (0..*size)
                    .flat_map(|number| {
                        let entry =
                            move |locale: &&str| site::marked((number, 0)).locale(Some(locale));
                        locales.iter().map(entry)
                    })
                    .collect();
                let model = site::model_of(&entries);
                let mut follow =
                    Follow::begin(harness, model, &entries, Options::default(), |_| {})?;
                let edit = |lacks: bool| {
                    let form = *form;
                    move || {
                        webflow_cms_reference::Step::model_then(move |response| {
                            response.edit_items(|items| {
                                items.iter_mut().for_each(|item| locale::unname(item, form));
                                if lacks {
                                    items.clear();
                                }
                            })
                        })
                    }
                };
                follow.script((0..10).map(|_| edit(false)()));
                let (reports, _) = follow.run(&Leg::default())?;
                let end = if *sent == 2 {
                    ItemStatus::Unknown
                } else {
                    ItemStatus::Updated
                };
                if let Some(other) = reports.iter().find(|report| report.status != end) {
                    return Err(format!(
                        "entry {} is reported as {:?} and not {end:?}: {}",
                        other.index, other.status, other.reason
                    ));
                }
                let requests = follow.log().len();
                let least = entries.len().div_ceil(100);
                if reports.len() != entries.len() || requests != least {
                    return Err(format!(
                        "{} of {} entries are reported after {requests} requests",
                        reports.len(),
                        entries.len()
                    ));
                }
                if *sent < 2 {
                    return Ok(());
                }
                follow.script((0..10).map(|_| edit(true)()));
                let (lacking, _) = follow.run(&Leg::default())?;
                match (reports.first(), lacking.first()) {
                    (Some(one), Some(other)) if one.reason != other.reason => Ok(()),
                    _ => {
                        Err("an ambiguous item is reported as if the response lacked it".to_owned())
                    }
                }
            },
        ),
    )
}
