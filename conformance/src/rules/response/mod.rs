//! Rules about the contents of a response.

mod members;
mod shape;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [members::rules(), shape::rules()]
        .into_iter()
        .flatten()
        .collect()
}
