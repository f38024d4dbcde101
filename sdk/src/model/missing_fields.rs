//! The fields that were sent and that the response lacks.

use std::borrow::Cow;

use super::field_data::FieldData;
use super::fields::Fields;
use super::members::{Members, type_of};

/// How many sent fields one pass over the received fields looks for. A collection has at most 60 fields besides the
/// name and slug of each item.
const AT_ONCE: usize = 64;

/// Returns the fields that were sent with a value and that the received field data lacks, in the order of the request.
///
/// A response may omit a field without a value, so a field that was sent empty is never missing. Without a missing
/// field the function does not allocate.
pub(super) fn missing_fields(sent: &Fields, received: &FieldData) -> Vec<Box<str>> {
    let received = received.as_str();
    let mut missing = Vec::new();
    if type_of(received) != "an object" {
        return missing;
    }
    let mut sent = sent.members().filter(|(_, value)| !is_empty(value));
    loop {
        let mut expected = [const { None::<Cow<'_, str>> }; AT_ONCE];
        let mut left = 0;
        for (place, (field, _)) in expected.iter_mut().zip(sent.by_ref()) {
            *place = Some(field);
            left += 1;
        }
        if left == 0 {
            return missing;
        }
        for member in Members::of(received) {
            let name = member.name();
            let found = expected
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
        missing.extend(expected.into_iter().flatten().map(Box::from));
    }
}

/// Whether a value clears its field: `null`, an empty array, or an empty string, which the service was observed to
/// treat as `null`.
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

    fn missing(sent: &Fields, received: &str) -> Vec<String> {
        let received: FieldData = serde_json::from_str(received).expect("JSON");
        missing_fields(sent, &received)
            .into_iter()
            .map(String::from)
            .collect()
    }

    #[test]
    fn a_field_that_was_sent_with_a_value_and_is_not_in_the_response_is_missing() {
        let whole = Fields::new(&json!({"a": 1, "b": {}, "größe": false})).expect("fields");
        let mut single = Fields::default();
        for (field, value) in [("a", json!(1)), ("b", json!({})), ("größe", json!(false))] {
            single.set(field, &value).expect("a field");
        }
        for sent in [whole, single] {
            assert_eq!(missing(&sent, r#"{"b":null,"c":1}"#), ["a", "größe"]);
            assert_eq!(missing(&sent, "{}"), ["a", "b", "größe"]);
            let escaped = r#"{"gr\u00f6\u00dfe":0,"b":0,"\u0061":0}"#;
            assert!(missing(&sent, escaped).is_empty());
            let within = r#"{"größe":{"a":1},"b":["a"]}"#;
            assert_eq!(
                missing(&sent, within),
                ["a"],
                "a member of a field is not a field"
            );
        }
    }

    #[test]
    fn a_field_that_was_sent_empty_is_never_missing() {
        let empty = json!({"a": null, "b": "", "c": []});
        let sent = Fields::new(&empty).expect("fields");
        assert!(missing(&sent, "{}").is_empty());
        let spaced = serde_json::from_str::<Box<serde_json::value::RawValue>>(r#"{"a":[ ]}"#);
        let sent = Fields::new(&spaced.expect("JSON")).expect("fields");
        assert!(missing(&sent, "{}").is_empty());
    }

    #[test]
    fn nothing_is_missing_from_field_data_that_is_not_an_object() {
        let sent = Fields::new(&json!({"a": 1})).expect("fields");
        for received in ["null", "7", "[]", "\"a\""] {
            assert!(missing(&sent, received).is_empty(), "{received}");
        }
    }

    #[test]
    fn any_number_of_fields_is_compared() {
        let sent: BTreeMap<_, _> = (0..1000).map(|field| (format!("{field:03}"), 1)).collect();
        let sent = Fields::new(&sent).expect("fields");
        let all = missing(&sent, "{}");
        assert_eq!(all.len(), 1000);
        assert!(all.is_sorted());
        let lacking = missing(
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
        fn the_missing_fields_are_the_sent_fields_less_the_received_ones(
            sent in values(),
            received in proptest::collection::btree_set("[a-d\"é]{0,3}", 0..200),
        ) {
            let fields = Fields::new(&sent).expect("fields");
            let object = serde_json::Map::from_iter(received.iter().map(|name| (name.clone(), json!(null))));
            let missing = missing(&fields, &serde_json::to_string(&object).expect("JSON"));
            let expected: Vec<_> = sent
                .into_iter()
                .filter(|(name, value)| value.is_some() && !received.contains(name))
                .map(|(name, _)| name)
                .collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
