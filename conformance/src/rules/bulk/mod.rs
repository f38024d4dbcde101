//! Rules about runs that update any number of items.
//!
//! A case is a scenario: an input in which keys repeat, a service with faults, and one run or several that are
//! interrupted and resumed. Afterwards the reports, the journal, the requests and the model of the server must agree.

mod cancellation;
mod dead_letters;
mod fixture;
mod isolation;
mod name_and_slug;
mod options;
mod partial_batch;
mod progress;
mod rate_limit;
mod read_ahead;
mod refusals;
mod requests;
mod resume;
mod statuses;
mod stop;
mod token;
mod without_locale;

use crate::rule::Rule;

const ACCOUNT: &str = "this suite: the report of what was done must be right";

pub(super) fn rules() -> Vec<Rule> {
    [
        statuses::rules(),
        requests::rules(),
        isolation::rules(),
        stop::rules(),
        cancellation::rules(),
        refusals::rules(),
        partial_batch::rules(),
        resume::rules(),
        progress::rules(),
        read_ahead::rules(),
        rate_limit::rules(),
        options::rules(),
        dead_letters::rules(),
        token::rules(),
        without_locale::rules(),
        name_and_slug::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
