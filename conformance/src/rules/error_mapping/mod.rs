//! Rules about the errors that a client reports.

mod bodies;
mod connection;
mod members;
mod observed_bodies;
mod redirects;
mod statuses;
mod token;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        statuses::rules(),
        members::rules(),
        redirects::rules(),
        token::rules(),
        bodies::rules(),
        observed_bodies::rules(),
        connection::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
