//! *Payload*: what goes out, and just that.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::{HOUSE, REFERENCE, site, wire};
use crate::client::Entry;
use crate::rule::{Rule, edges_first, property};

pub(super) fn rules() -> Vec<Rule> {
    vec![
        what_was_not_set_is_absent(),
        fields_arrive_exactly(),
        null_clears(),
        path_query_and_headers(),
        malformed_ids_are_refused(),
        fields_that_are_no_object_are_refused(),
        unfit_tokens_are_refused(),
    ]
}

fn what_was_not_set_is_absent() -> Rule {
    const EDGES: [&str; 5] = [
        "id only",
        "archived only",
        "draft only",
        "locale only",
        "everything",
    ];
    Rule::new(
        "payload/unset-is-absent",
        "a flag, locale or fields that were not set are absent from the request, and all that was set is sent as it \
         was set",
        "reference page; `isDraft: false` sent unasked would queue an item for publication",
        &EDGES,
        property(
            |case| {
                let entry = (
                    any::<[bool; 4]>(),
                    any::<[bool; 2]>(),
                    1..=3_usize,
                    site::field_data(),
                )
                    .prop_map(move |(set, flags, place, fields)| {
                        let set = match case % 6 {
                            0 => [false; 4],
                            1 => [true, false, false, false],
                            2 => [false, true, false, false],
                            3 => [false, false, true, false],
                            4 => [true; 4],
                            _ => set,
                        };
                        let mut entry = Entry::new(site::item(3));
                        entry.is_archived = set[0].then_some(flags[0]);
                        entry.is_draft = set[1].then_some(flags[1]);
                        entry = entry.locale(site::locale(if set[2] { place } else { 0 }));
                        if set[3] { entry.fields(&fields) } else { entry }
                    });
                entry.boxed()
            },
            |entry| {
                let set = [
                    entry.is_archived.is_some(),
                    entry.is_draft.is_some(),
                    entry.cms_locale_id.is_some(),
                    entry.field_data.is_some(),
                ];
                let edge = match set {
                    [false, false, false, false] => "id only",
                    [true, false, false, false] => "archived only",
                    [false, true, false, false] => "draft only",
                    [false, false, true, false] => "locale only",
                    [true, true, true, true] => "everything",
                    _ => return Vec::new(),
                };
                vec![edge]
            },
            |harness, entry| {
                let entries = vec![entry.clone()];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)
            },
        ),
    )
}

fn fields_arrive_exactly() -> Rule {
    const EDGES: [&str; 5] = [
        "edge number",
        "text beyond ascii",
        "null",
        "no field",
        "nested",
    ];
    Rule::new(
        "payload/fields-arrive-exactly",
        "every field arrives with the characters and digits that it was given, whatever its name and kind",
        REFERENCE,
        &EDGES,
        property(
            |case| match case % 5 {
                0 => edges_first(
                    case / 5,
                    &site::EDGE_NUMBERS,
                    select(site::EDGE_NUMBERS.to_vec()),
                )
                .prop_map(|number| format!("{{\"price\":{number},\"list\":[{number}]}}"))
                .boxed(),
                1 => site::awkward_text()
                    .prop_map(|text| site::object([("größe-日本".to_owned(), site::quoted(&text))]))
                    .boxed(),
                2 => Just(r#"{"a":null,"b":[null],"c":{"d":null}}"#.to_owned()).boxed(),
                3 if case % 2 == 0 => Just("{}".to_owned()).boxed(),
                _ => site::field_data().boxed(),
            },
            |fields| {
                let touched = [
                    site::EDGE_NUMBERS
                        .iter()
                        .any(|number| fields.contains(&format!("[{number}]"))),
                    !fields.is_ascii(),
                    fields.contains("null"),
                    fields == "{}",
                    fields.contains(":{") || fields.contains(":["),
                ];
                EDGES
                    .into_iter()
                    .zip(touched)
                    .filter(|(_, touched)| *touched)
                    .map(|(name, _)| name)
                    .collect()
            },
            |harness, fields| {
                let entries = vec![Entry::new(site::item(1)).fields(fields)];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)
            },
        ),
    )
}

fn null_clears() -> Rule {
    const EDGES: [&str; 3] = ["one cleared", "cleared and set", "empty list"];
    Rule::new(
        "payload/null-clears-field",
        "an explicit null is sent as null and clears that field alone; fields that are not named keep their values",
        "partial updates are documented; that null clears is assumed",
        &EDGES,
        property(
            |case| (Just(case % 3), site::value()).boxed(),
            |(form, _)| vec![EDGES[usize::try_from(*form).unwrap_or(0)]],
            |harness, (form, value)| {
                let fields = match form {
                    0 => "{\"kept\":null}".to_owned(),
                    1 => format!("{{\"kept\":null,\"other\":{value}}}"),
                    _ => "{\"kept\":[]}".to_owned(),
                };
                let entries = vec![Entry::new(site::item(1)).fields(&fields)];
                harness.reset(site::model_of(&entries));
                harness.update(&harness.call(entries.clone())).updated()?;
                wire::carries(&harness.only_exchange()?, &entries)?;
                let model = harness.core().model();
                let variant = model
                    .variant(site::COLLECTION, &site::item(1), None)
                    .ok_or("the item is gone")?;
                let kept = variant.field_data.get("kept");
                let cleared = if *form == 2 {
                    kept == Some(&Value::Array(Vec::new()))
                } else {
                    kept.is_none()
                };
                let untouched = variant.field_data.get("name") == Some(&"Before".into());
                if cleared && untouched {
                    Ok(())
                } else {
                    Err(format!("the item holds {:?}", variant.field_data))
                }
            },
        ),
    )
}

fn path_query_and_headers() -> Rule {
    const EDGES: [&str; 3] = ["not said", "true", "false"];
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
            |(skip, ..)| vec![skip.map_or("not said", |skip| if skip { "true" } else { "false" })],
            |harness, (skip, number, count)| {
                let entries: Vec<_> = (0..*count).map(|item| site::marked((item, 0))).collect();
                harness.reset(site::model_of(&entries));
                let mut call = harness.call(entries);
                call.skip_invalid_files = *skip;
                call.collection_id = format!("580e63fc8c9a982ac9b8{number:04x}");
                // The model does not know the collection; what counts is what was sent.
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

fn fields_that_are_no_object_are_refused() -> Rule {
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

fn unfit_tokens_are_refused() -> Rule {
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
                    Some(_) => Err("the refusal shows the token".to_owned()),
                    None => Ok(()),
                }
            },
        ),
    )
}
