//! Rules about which requests are retried, when, and how often.

mod backoff;
mod budget;
mod cancellation;
mod identical;
mod may_have_acted;
mod policy;
mod retry_after;
mod timeouts;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        retry_after::rules(),
        policy::rules(),
        backoff::rules(),
        may_have_acted::rules(),
        budget::rules(),
        timeouts::rules(),
        cancellation::rules(),
        identical::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
