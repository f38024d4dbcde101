//! Finds the fields that were sent and did not come back.

use std::borrow::Cow;

use super::field_data::FieldData;
use super::fields::Fields;
use super::members::{Members, type_of};

/// How many sent fields are looked for in one pass over the received ones. A collection has at most 60, and each item a
/// name and a slug.
const AT_ONCE: usize = 64;

/// The fields that were sent with a value and that the received field data lack, in the order in which they were sent.
///
/// A field without a value may be left out of a response, so one that was sent empty is never missing. It takes no
/// memory if none is missing.
pub(super) fn missing_fields(sent: &Fields, received: &FieldData) -> Vec<Box<str>> {
    let received = received.as_str();
    let mut missing = Vec::new();
    if type_of(received) != "an object" {
        return missing;
    }
    let mut sent = sent.members().filter(|(_, value)| !is_empty(value));
    loop {
        let mut wanted = [const { None::<Cow<'_, str>> }; AT_ONCE];
        let mut left = 0;
        for (place, (field, _)) in wanted.iter_mut().zip(sent.by_ref()) {
            *place = Some(field);
            left += 1;
        }
        if left == 0 {
            return missing;
        }
        for member in Members::of(received) {
            let name = member.name();
            let found = wanted
                .iter_mut()
                .find(|field| field.as_deref() == Some(&*name));
            if let Some(field) = found {
                *field = None;
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
        missing.extend(wanted.into_iter().flatten().map(Box::from));
    }
}

/// Whether a value empties its field: `null`, an empty array, or an empty text, which the service was seen to take for
/// `null`.
fn is_empty(value: &str) -> bool {
    let inside = |open: char, close: char| value.strip_prefix(open)?.strip_suffix(close);
    value == "null"
        || value == "\"\""
        || inside('[', ']').is_some_and(|inside| inside.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(sent: &Fields, received: &str) -> Vec<String> {
        let received: FieldData = serde_json::from_str(received).expect("JSON");
        missing_fields(sent, &received)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn a_field_that_was_sent_with_a_value_and_is_not_in_the_response_is_told() {
        let whole = Fields::new(&json!({"a": 1, "b": {}, "größe": false})).expect("fields");
        let mut single = Fields::default();
        for (field, value) in [("a", json!(1)), ("b", json!({})), ("größe", json!(false))] {
            single.set(field, &value).expect("a field");
        }
        for sent in [whole, single] {
            assert_eq!(told(&sent, r#"{"b":null,"c":1}"#), ["a", "größe"]);
            assert_eq!(told(&sent, "{}"), ["a", "b", "größe"]);
            let escaped = r#"{"gr\u00f6\u00dfe":0,"b":0,"\u0061":0}"#;
            assert!(told(&sent, escaped).is_empty());
            let within = r#"{"größe":{"a":1},"b":["a"]}"#;
            assert_eq!(told(&sent, within), ["a"], "a member of a field is none");
        }
    }

    #[test]
    fn a_field_that_was_emptied_is_never_missing() {
        let empty = json!({"a": null, "b": "", "c": []});
        let sent = Fields::new(&empty).expect("fields");
        assert!(told(&sent, "{}").is_empty());
        let spaced = serde_json::from_str::<Box<serde_json::value::RawValue>>(r#"{"a":[ ]}"#);
        let sent = Fields::new(&spaced.expect("JSON")).expect("fields");
        assert!(told(&sent, "{}").is_empty());
    }

    #[test]
    fn nothing_can_be_told_by_what_is_no_object() {
        let sent = Fields::new(&json!({"a": 1})).expect("fields");
        for received in ["null", "7", "[]", "\"a\""] {
            assert!(told(&sent, received).is_empty(), "{received}");
        }
    }

    #[test]
    fn any_number_of_fields_is_looked_for() {
        let sent: BTreeMap<_, _> = (0..1000).map(|field| (format!("{field:03}"), 1)).collect();
        let sent = Fields::new(&sent).expect("fields");
        let all = told(&sent, "{}");
        assert_eq!(all.len(), 1000);
        assert!(all.is_sorted());
        let lacking = told(
            &sent,
            &serde_json::to_string(&sent)
                .expect("JSON")
                .replace("\"500\"", "\"x\""),
        );
        assert_eq!(lacking, ["500"]);
    }

    fn values() -> impl Strategy<Value = BTreeMap<String, Option<bool>>> {
        let value = proptest::option::weighted(0.9, any::<bool>());
        proptest::collection::btree_map("[a-d\"é]{0,3}", value, 0..200)
    }

    proptest! {
        #[test]
        fn what_is_missing_is_what_was_sent_less_what_came_back(
            sent in values(),
            received in proptest::collection::btree_set("[a-d\"é]{0,3}", 0..200),
        ) {
            let fields = Fields::new(&sent).expect("fields");
            let object = serde_json::Map::from_iter(received.iter().map(|name| (name.clone(), json!(null))));
            let told = told(&fields, &serde_json::to_string(&object).expect("JSON"));
            let expected: Vec<_> = sent
                .into_iter()
                .filter(|(name, value)| value.is_some() && !received.contains(name))
                .map(|(name, _)| name)
                .collect();
            prop_assert_eq!(told, expected);
        }
    }
}
