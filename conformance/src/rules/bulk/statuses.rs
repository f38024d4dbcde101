//! The statuses of items over faults, refusals, interruptions and resumed runs.

use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::{Case, Interrupt, Leg, Position, Trouble};
use crate::rules::bulk::fixture::play::{Played, play};
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;

pub(crate) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "bulk/every-item-once",
            "each position that is taken from the source gets one status, and the counts add up, whatever happens",
            invariants::every_item_once,
        ),
        rule(
            "bulk/updated-is-true",
            "an item reported as updated was applied and confirmed by a response; one reported as rejected or not \
             attempted was not applied, and no request that may have acted held it; one reported as unknown has a \
             reason, also over resumed runs",
            invariants::updated_is_true,
        ),
        rule(
            "bulk/last-write-wins",
            "the updates of an item in a locale reach the service in the order of the source, over all runs",
            invariants::last_write_wins,
        ),
        rule(
            "bulk/unknown-blocks-later-updates",
            "while the status of an update is unknown, no later update of the same item and locale is sent, unless \
             the run allows it",
            invariants::no_later_after_unknown,
        ),
        rule(
            "bulk/journal-is-true",
            "the journal records the reported statuses and, as unknown, every other item that may have been changed; \
             finished items are not resent",
            invariants::journal_is_true,
        ),
    ]
}

const EDGES: [&str; 7] = [
    "0 or 1",
    "99 to 101",
    "199 to 201",
    "repeated keys",
    "faults",
    "bad items",
    "interrupted and resumed",
];

/// The edges that a case touches.
fn touched(case: &Case) -> Vec<&'static str> {
    let size = case.input.len();
    let updates = case.input.iter().filter(|slot| **slot != Position::Error);
    let faults = |leg: &Leg| leg.troubles.iter().any(|fault| *fault != Trouble::None);
    let dropped = |leg: &Leg| matches!(leg.interrupt, Some((Interrupt::Drop, _)));
    let touched = [
        size < 2,
        (99..=101).contains(&size),
        (199..=201).contains(&size),
        case.keys().len() < updates.count(),
        case.legs.iter().any(faults),
        !case.bad.is_empty(),
        case.legs.iter().any(dropped),
    ];
    among(&EDGES, &touched)
}

fn rule(
    id: &'static str,
    property_text: &'static str,
    check: fn(&Case, &Played) -> Result<(), String>,
) -> Rule {
    let check = move |harness: &crate::harness::Harness<'_>, case: &Case| {
        let played = play(harness, case)?;
        check(case, &played)?;
        invariants::agree(case, &played)
    };
    Rule::new(
        id,
        property_text,
        ACCOUNT,
        &EDGES,
        property(generate::any_case, touched, check),
    )
}
