//! Rules about the number of entries of a request.

mod duplicate_key;
mod size;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [size::rules(), duplicate_key::rules()]
        .into_iter()
        .flatten()
        .collect()
}
