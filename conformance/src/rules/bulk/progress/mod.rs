//! Scenarios of several runs with faults, whose input is corrected until every row is updated.

mod generate;
mod ledger;
mod play;
mod scenario;

use scenario::{Edit, Scenario};
use webflow_cms_reference::PrimaryEcho;

use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::{Interrupt, Trouble};
use crate::rules::fixture::edges::among;

pub(super) fn rules() -> Vec<Rule> {
    vec![resume_makes_progress()]
}

/// Number of runs without faults after which all rows must be updated, if rejected rows are corrected between them.
const ENOUGH: usize = 4;

fn resume_makes_progress() -> Rule {
    const EDGES: [&str; 14] = [
        "an item that is not there",
        "a value that is refused",
        "everything is refused once",
        "faults",
        "a response that lacks items",
        "the primary locale is not named",
        "the primary locale is named by the entry only",
        "not localized",
        "not atomic",
        "killed",
        "cancelled",
        "corrected",
        "changed, dropped or added",
        "errors of the source",
    ];
    Rule::new(
        "bulk/resume-makes-progress",
        "whatever fails in runs and however their input is corrected between them: reported statuses are true, a \
         finished item is resent only behind an unfinished one of its key, and 4 runs without faults update every \
         row, if rejected rows are corrected between them",
        ACCOUNT,
        &EDGES,
        property(
            generate::scenario,
            |scenario| {
                let touched = touched(scenario);
                among(&EDGES, &touched)
            },
            play::play,
        ),
    )
    .formerly("bulk/gets-on")
}

fn touched(scenario: &Scenario) -> [bool; 14] {
    let rows = || scenario.rows.iter().flatten();
    let edits = || scenario.runs.iter().flat_map(|planned| &planned.edits);
    let trouble = |is: fn(&Trouble) -> bool| {
        scenario
            .runs
            .iter()
            .flat_map(|planned| &planned.troubles)
            .any(is)
    };
    let interrupt = |wanted: Interrupt| {
        let is = |planned: &scenario::PlannedRun| {
            let interrupt = planned.interrupt.map(|(interrupt, _)| interrupt);
            interrupt == Some(wanted)
        };
        scenario.runs.iter().any(is)
    };
    let unnamed = scenario.site.echo != PrimaryEcho::Echoed;
    [
        rows().any(|(key, _)| !scenario::Row::is_there(*key)),
        rows().any(|(_, flaw)| flaw.is_some()),
        trouble(|trouble| matches!(trouble, Trouble::Refused(403, _))),
        trouble(|trouble| matches!(trouble, Trouble::Fault(_) | Trouble::Status(..))),
        trouble(|trouble| matches!(trouble, Trouble::Lacks(_))),
        unnamed,
        unnamed && scenario.site.is_named,
        !scenario.site.is_localized,
        !scenario.site.is_atomic,
        interrupt(Interrupt::Drop),
        interrupt(Interrupt::Cancel),
        edits().any(|edit| matches!(edit, Edit::Correct(_))),
        edits().any(|edit| matches!(edit, Edit::Change(..) | Edit::Drop(_) | Edit::Add(..))),
        scenario.rows.iter().any(Option::is_none),
    ]
}
