//! Rules about how requests are spread over time.

mod headers;
mod pauses;
mod window_use;
mod windows;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        windows::rules(),
        window_use::rules(),
        pauses::rules(),
        headers::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
