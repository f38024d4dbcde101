//! Rules about how many entries a request carries.

mod duplicate_key;
mod size;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [size::rules(), duplicate_key::rules()]
        .into_iter()
        .flatten()
        .collect()
}
