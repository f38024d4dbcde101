//! Invalid input, which is refused before anything is sent.

use proptest::prelude::*;
use proptest::sample::select;

use crate::client::Entry;
use crate::rule::{Rule, property};
use crate::rules::HOUSE;
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![
        malformed_ids_are_refused(),
        fields_are_an_object(),
        invalid_tokens_are_refused(),
    ]
}

fn malformed_ids_are_refused() -> Rule {
    const EDGES: [&str; 7] = [
        "..",
        "a/b",
        "empty",
        "23 digits",
        "25 digits",
        "not hexadecimal",
        "encoded",
    ];
    Rule::new(
        "payload/malformed-ids-are-refused",
        "an id of a collection, an item or a locale that is not 24 hexadecimal digits is refused and nothing is sent",
        HOUSE,
        &EDGES,
        property(
            |case| {
                let id = match case % 7 {
                    0 => select(vec!["..", ".", "../..", "..%2f"])
                        .prop_map(str::to_owned)
                        .boxed(),
                    1 => "[0-9a-f]{11}/[0-9a-f]{12}".boxed(),
                    2 => select(vec!["", " ", "\0"]).prop_map(str::to_owned).boxed(),
                    3 => "[0-9a-f]{23}".boxed(),
                    4 => "[0-9a-f]{25}".boxed(),
                    5 => ("[0-9a-f]{12}", "[g-zG-Z é?#&]", "[0-9a-f]{11}")
                        .prop_map(|(a, b, c)| format!("{a}{b}{c}"))
                        .boxed(),
                    _ => "%2[0-9a-f]{22}".boxed(),
                };
                (Just(case % 7), id, Just(case / 7 % 3)).boxed()
            },
            |(form, ..)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, id, place)| {
                let entries = vec![site::marked((1, 0)), site::marked((2, 1))];
                harness.reset(site::model_of(&entries));
                let mut call = harness.call(entries);
                match place {
                    0 => call.collection_id.clone_from(id),
                    1 => call.items[1].id.clone_from(id),
                    _ => call.items[1].cms_locale_id = Some(id.clone()),
                }
                let outcome = harness.update(&call);
                harness.nothing_sent()?;
                outcome.refused().map(|_| ())
            },
        ),
    )
}

fn fields_are_an_object() -> Rule {
    const EDGES: [&str; 6] = [
        "list",
        "text",
        "null",
        "a field twice",
        "a nested member twice",
        "an infinite number",
    ];
    Rule::new(
        "payload/fields-are-an-object",
        "fields that are not an object, repeat a member, or hold a number beyond the range of a float, are refused \
         and nothing is sent",
        HOUSE,
        &EDGES,
        property(
            |case| {
                let fields = match case % 6 {
                    0 => site::value().prop_map(|value| format!("[{value}]")).boxed(),
                    1 => site::awkward_text()
                        .prop_map(|text| site::quoted(&text))
                        .boxed(),
                    2 => select(vec!["null", "true", "7"])
                        .prop_map(str::to_owned)
                        .boxed(),
                    3 => (site::value(), site::value())
                        .prop_map(|(a, b)| format!("{{\"a\":{a},\"\\u0061\":{b}}}"))
                        .boxed(),
                    4 => (site::value(), site::value(), site::value())
                        .prop_map(|(a, b, c)| format!("{{\"x\":[{a},{{\"b\":{b},\"b\":{c}}}]}}"))
                        .boxed(),
                    _ => (
                        select(vec!["1e309", "-1E+999", "17976931348623157e300"]),
                        site::value(),
                    )
                        .prop_map(|(number, a)| format!("{{\"a\":{a},\"x\":[{number}]}}"))
                        .boxed(),
                };
                (Just(case % 6), fields).boxed()
            },
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, fields)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                let outcome =
                    harness.update(&harness.call(vec![Entry::new(site::item(1)).fields(fields)]));
                harness.nothing_sent()?;
                outcome.refused().map(|_| ())
            },
        ),
    )
}

fn invalid_tokens_are_refused() -> Rule {
    const EDGES: [&str; 6] = [
        "empty",
        "line break",
        "white space",
        "not ascii",
        "line break before",
        "line break behind",
    ];
    Rule::new(
        "payload/invalid-tokens-are-refused",
        "a token that is empty, or that a header cannot carry, is refused without being printed, and nothing is sent",
        HOUSE,
        &EDGES,
        property(
            |case| {
                let line_break = || select(vec!["\n", "\r\n", "\r"]);
                let broken = match case % 6 {
                    0 => Just(String::new()).boxed(),
                    1 => ("[a-f0-9]{12}", line_break(), "[a-f0-9]{12}")
                        .prop_map(|(a, b, c)| format!("{a}{b}{c}"))
                        .boxed(),
                    2 => ("[a-f0-9]{12}", select(vec![" ", "\t"]), "[a-f0-9]{12}")
                        .prop_map(|(a, b, c)| format!("{a}{b}{c}"))
                        .boxed(),
                    3 => ("[a-f0-9]{12}", "[é€\u{0}\u{7f}]", "[a-f0-9]{12}")
                        .prop_map(|(a, b, c)| format!("{a}{b}{c}"))
                        .boxed(),
                    4 => (line_break(), "[a-f0-9]{24}")
                        .prop_map(|(a, b)| format!("{a}{b}"))
                        .boxed(),
                    _ => ("[a-f0-9]{24}", line_break())
                        .prop_map(|(a, b)| format!("{a}{b}"))
                        .boxed(),
                };
                (Just(case % 6), broken).boxed()
            },
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (_, token)| {
                harness.reset(site::model_of(&[site::marked((1, 0))]));
                let mut call = harness.call(vec![site::marked((1, 0))]);
                call.token.clone_from(token);
                let outcome = harness.update(&call);
                harness.nothing_sent()?;
                let refusal = outcome.refused()?;
                let part = token.trim_start().get(..12).unwrap_or_default();
                match refusal
                    .renderings
                    .iter()
                    .find(|text| !part.is_empty() && text.contains(part))
                {
                    Some(_) => Err("the refusal contains the token".to_owned()),
                    None => Ok(()),
                }
            },
        ),
    )
}
