//! Path, query and headers of a request.

use proptest::prelude::*;

use crate::rule::{Rule, property};
use crate::rules::REFERENCE;
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![path_query_and_headers()]
}

fn path_query_and_headers() -> Rule {
    const EDGES: [&str; 3] = ["not set", "true", "false"];
    Rule::new(
        "payload/path-query-and-headers",
        "path, query and headers are as documented: no query parameter that was not set, one bearer token, JSON in \
         both directions",
        REFERENCE,
        &EDGES,
        property(
            |case| {
                (
                    Just([None, Some(true), Some(false)][usize::try_from(case % 3).unwrap_or(0)]),
                    0..0xffff_u32,
                    1..5_usize,
                )
                    .boxed()
            },
            |(skip, ..)| vec![skip.map_or("not set", |skip| if skip { "true" } else { "false" })],
            |harness, (skip, number, count)| {
                let entries: Vec<_> = (0..*count).map(|item| site::marked((item, 0))).collect();
                harness.reset(site::model_of(&entries));
                let mut call = harness.call(entries);
                call.skip_invalid_files = *skip;
                call.collection_id = format!("580e63fc8c9a982ac9b8{number:04x}");
                // The model does not have the collection; only the request matters.
                harness.update(&call);
                let exchange = harness.only_exchange()?;
                if exchange.path != format!("/v2/collections/{}/items", call.collection_id) {
                    return Err(format!("the path is {}", exchange.path));
                }
                let query = skip.map(|skip| format!("skipInvalidFiles={skip}"));
                if exchange.query != query {
                    return Err(format!(
                        "the query is {:?} and not {query:?}",
                        exchange.query
                    ));
                }
                let header = |name: &str| {
                    exchange
                        .headers
                        .get(name)
                        .and_then(|value| value.to_str().ok())
                        .unwrap_or_default()
                };
                if !header("accept").contains("application/json") && header("accept") != "*/*" {
                    return Err(format!("`Accept` is {:?}", header("accept")));
                }
                if header("user-agent").is_empty() {
                    return Err("there is no user agent".to_owned());
                }
                Ok(())
            },
        ),
    )
}
