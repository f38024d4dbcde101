//! Redirects, which a client must not follow.

use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::Reply;

use crate::rule::{Rule, edges_first, property};
use crate::rules::fixture::status::{failure_of, is_status};

pub(super) fn rules() -> Vec<Rule> {
    vec![redirects_are_not_followed()]
}

fn redirects_are_not_followed() -> Rule {
    const EDGES: [(u16, &str); 5] = [
        (301, "301"),
        (302, "302"),
        (303, "303"),
        (307, "307"),
        (308, "308"),
    ];
    Rule::new(
        "error-mapping/redirects-are-not-followed",
        "a redirect is reported as such; the token and the items are sent to no other address",
        "this suite: the endpoint documents no redirect",
        &["301", "302", "303", "307", "308"],
        property(
            |case| {
                let targets = select(vec![
                    "/v2/collections/elsewhere/items",
                    "http://127.0.0.1:9/",
                    "//localhost/",
                    "",
                    "items",
                ]);
                (
                    edges_first(case, &EDGES.map(|(status, _)| status), Just(307)),
                    targets,
                )
                    .boxed()
            },
            |(status, _)| {
                EDGES
                    .iter()
                    .filter(|(edge, _)| edge == status)
                    .map(|(_, name)| *name)
                    .collect()
            },
            |harness, (status, target)| {
                let failure = failure_of(harness, Reply::new(*status).header("location", target))?;
                is_status(&failure, *status)
            },
        ),
    )
}
