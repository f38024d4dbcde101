//! Rules about the locale of each entry, in the request and in the response.

mod letter_case;
mod request;
mod response;
mod without_locale;

use crate::rule::Rule;

pub(super) fn rules() -> Vec<Rule> {
    [
        request::rules(),
        response::rules(),
        letter_case::rules(),
        without_locale::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
