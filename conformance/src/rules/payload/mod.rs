//! Rules about the contents of a request.

mod entries;
mod invalid_input;
mod name_and_slug;
mod request;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        entries::rules(),
        request::rules(),
        invalid_input::rules(),
        name_and_slug::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
