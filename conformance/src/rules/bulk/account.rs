//! The account: what is said of each item, over faults, refusals, cancellation and resumption.

use super::ACCOUNT;
use super::case::{Case, Cut, Slot, Trouble};
use super::play::{Played, play};
use super::{laws, make};
use crate::rule::{Rule, property};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        rule(
            "bulk/every-item-once",
            "each position that is taken from the source comes out once, and the counts add up, whatever happens",
            laws::every_item_once,
        ),
        rule(
            "bulk/updated-is-true",
            "what is called updated was applied and answered; what is called rejected or not attempted was not applied, and \
             no request that may have acted held it; what is called unknown has a reason, also over resumed runs",
            laws::updated_is_true,
        ),
        rule(
            "bulk/last-write-wins",
            "the updates of an item in a locale reach the service in the order of the source, over all runs",
            laws::last_write_wins,
        ),
        rule(
            "bulk/no-later-after-unknown",
            "while it is unknown what came of an update, no later one of the same item and locale is sent, unless it is \
             allowed",
            laws::no_later_after_unknown,
        ),
        rule(
            "bulk/journal-is-true",
            "the journal holds what was said, has in doubt all else that may have been changed, and what it has settled is \
             not sent again",
            laws::journal_is_true,
        ),
    ]
}

const EDGES: [&str; 7] = [
    "0 or 1",
    "99 to 101",
    "199 to 201",
    "keys that come again",
    "faults",
    "bad items",
    "cut off and resumed",
];

/// The edges that a case touches.
fn touched(case: &Case) -> Vec<&'static str> {
    let size = case.input.len();
    let updates = case.input.iter().filter(|slot| **slot != Slot::Error);
    let faults = |leg: &super::case::Leg| leg.troubles.iter().any(|fault| *fault != Trouble::None);
    let dropped = |leg: &super::case::Leg| matches!(leg.cut, Some((Cut::Drop, _)));
    let touched = [
        size < 2,
        (99..=101).contains(&size),
        (199..=201).contains(&size),
        case.keys().len() < updates.count(),
        case.legs.iter().any(faults),
        !case.bad.is_empty(),
        case.legs.iter().any(dropped),
    ];
    super::among(&EDGES, &touched)
}

fn rule(
    id: &'static str,
    law: &'static str,
    check: fn(&Case, &Played) -> Result<(), String>,
) -> Rule {
    let check = move |harness: &crate::harness::Harness<'_>, case: &Case| {
        let played = play(harness, case)?;
        check(case, &played)?;
        laws::agree(case, &played)
    };
    Rule::new(
        id,
        law,
        ACCOUNT,
        &EDGES,
        property(make::any_case, touched, check),
    )
}
