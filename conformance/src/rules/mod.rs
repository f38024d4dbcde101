//! The laws of the endpoint, one file a group.
//!
//! Rules hold their own literals (the limit of 100, the statuses, the names of keys), taken from Webflow's reference
//! page and not from the OpenAPI document, so that a wrong document is caught and not repeated.

mod batch_limits;
mod bodies;
mod bulk;
mod disclosure;
mod echoes;
mod endings;
mod error_mapping;
mod exact;
mod letter_case;
mod locales;
mod members;
mod pace;
mod patience;
mod payload;
mod repeated;
mod responses;
mod retries;
pub(crate) mod site;
mod stage;
mod transport;
mod unnamed;
mod values;
mod wild_bodies;
mod windows;
mod wire;

use crate::rule::Rule;

/// Every rule, in the order of the report.
#[must_use]
pub fn all() -> Vec<Rule> {
    [
        batch_limits::rules(),
        locales::rules(),
        letter_case::rules(),
        unnamed::rules(),
        error_mapping::rules(),
        disclosure::rules(),
        echoes::rules(),
        bodies::rules(),
        wild_bodies::rules(),
        transport::rules(),
        payload::rules(),
        values::rules(),
        responses::rules(),
        retries::rules(),
        pace::rules(),
        windows::rules(),
        endings::rules(),
        repeated::rules(),
        patience::rules(),
        bulk::rules().into_iter().map(Rule::of_stories).collect(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const REFERENCE: &str = "reference page of Update Items";
const HOUSE: &str = "this suite: bad input is refused before the network";
