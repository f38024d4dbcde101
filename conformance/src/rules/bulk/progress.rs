//! Whole stories: runs with everything in the mix, an input that is corrected between them, and an end that is good.

mod ledger;
mod make;
mod story;
mod tell;

use super::ACCOUNT;
use super::case::{Cut, Trouble};
use crate::rule::{Rule, property};
use story::{Edit, Story};
use webflow_cms_reference::PrimaryEcho;

/// After how many runs without faults all must be updated, if what is rejected is corrected between them.
const ENOUGH: usize = 4;

pub(super) fn gets_on() -> Rule {
    const EDGES: [&str; 14] = [
        "an item that is not there",
        "a value that is refused",
        "everything is refused in passing",
        "faults",
        "a response that lacks items",
        "the primary locale is not reported",
        "the primary locale is named and not reported",
        "not localized",
        "not atomic",
        "killed",
        "cancelled",
        "corrected",
        "changed, dropped or added",
        "errors of the source",
    ];
    Rule::new(
        "bulk/gets-on",
        "whatever goes wrong in runs and however their input is corrected between them: what they say is true, nothing that \
         is settled is sent again but behind a row that is, and 4 runs without faults update every row, if what is \
         rejected is corrected between them",
        ACCOUNT,
        &EDGES,
        property(
            make::story,
            |story| {
                let touched = touched(story);
                super::among(&EDGES, &touched)
            },
            tell::tell,
        ),
    )
}

fn touched(story: &Story) -> [bool; 14] {
    let rows = || story.rows.iter().flatten();
    let edits = || story.acts.iter().flat_map(|act| &act.edits);
    let trouble =
        |is: fn(&Trouble) -> bool| story.acts.iter().flat_map(|act| &act.troubles).any(is);
    let cut = |wanted: Cut| {
        let is = |act: &story::Act| matches!(act.cut, Some((cut, _)) if cut == wanted);
        story.acts.iter().any(is)
    };
    let untold = story.site.echo != PrimaryEcho::Echoed;
    [
        rows().any(|(key, _)| !story::Row::is_there(*key)),
        rows().any(|(_, flaw)| flaw.is_some()),
        trouble(|trouble| matches!(trouble, Trouble::Refused(403, _))),
        trouble(|trouble| matches!(trouble, Trouble::Fault(_) | Trouble::Status(..))),
        trouble(|trouble| matches!(trouble, Trouble::Lacks(_))),
        untold,
        untold && story.site.is_named,
        !story.site.is_localized,
        !story.site.is_atomic,
        cut(Cut::Drop),
        cut(Cut::Cancel),
        edits().any(|edit| matches!(edit, Edit::Correct(_))),
        edits().any(|edit| matches!(edit, Edit::Change(..) | Edit::Drop(_) | Edit::Add(..))),
        story.rows.iter().any(Option::is_none),
    ]
}
