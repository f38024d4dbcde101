//! *Bulk runs*: any number of updates, each accounted for.
//!
//! A case is a whole scenario: an input with keys that come again, a service with faults, and one run or several that are cut
//! off and resumed. Afterwards what the runs said, what the journal holds, what went over the wire and what the server
//! holds must agree.

mod account;
mod carried;
mod case;
mod documented;
mod ends;
mod follow;
mod invariants;
mod letters;
mod make;
mod play;
mod progress;
mod refusals;
mod requests;
mod resume;
mod slow;
mod speed;
mod wire;

use crate::rule::Rule;

const ACCOUNT: &str = "this suite: the report of what was done must be right";

pub(super) fn rules() -> Vec<Rule> {
    [
        account::rules(),
        requests::rules(),
        ends::rules(),
        refusals::rules(),
        slow::rules(),
        vec![resume::resume(), progress::gets_on()],
        speed::rules(),
        carried::rules(),
        letters::rules(),
        documented::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The edges that are touched.
fn among(edges: &[&'static str], touched: &[bool]) -> Vec<&'static str> {
    let edges = edges.iter().zip(touched);
    edges
        .filter(|(_, touched)| **touched)
        .map(|(edge, _)| *edge)
        .collect()
}
