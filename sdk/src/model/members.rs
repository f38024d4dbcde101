//! An iterator over the members of a JSON object in its text.
//!
//! It uses no recursion and no allocation, whatever the depth and length of the text.

use std::borrow::Cow;

/// The members of an object, in the order of the text.
#[derive(Clone)]
pub(crate) struct Members<'a> {
    text: &'a str,
    rest: &'a str,
}

/// One member of an object.
pub(crate) struct Member<'a> {
    /// The name in the text, with quotes and escapes.
    quoted: &'a str,
    /// The JSON text of the value.
    pub(crate) value: &'a str,
    /// The position of the name, in bytes from the beginning of the text.
    pub(crate) name_at: usize,
    /// The position of the value, in bytes from the beginning of the text.
    pub(crate) value_at: usize,
}

impl<'a> Members<'a> {
    /// Iterates over a text that is valid JSON. A value that is not an object has no members.
    pub(crate) fn of(text: &'a str) -> Self {
        let rest = text.trim_start().strip_prefix('{').unwrap_or_default();
        Self { text, rest }
    }

    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.take(self.rest.find('"')?)?;
        let name_at = self.text.len() - self.rest.len();
        let quoted = self.take(string_len(self.rest))?;
        self.take(self.rest.find(':')? + 1)?;
        self.rest = self.rest.trim_start();
        let value_at = self.text.len() - self.rest.len();
        let value = self.take(value_len(self.rest))?.trim_end();
        Some(Member {
            quoted,
            value,
            name_at,
            value_at,
        })
    }
}

impl<'a> Member<'a> {
    /// Returns the unescaped name. A name that is not valid Unicode is returned as written.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        unquoted(self.quoted)
    }
}

/// Unescapes a JSON string. A string that is not valid Unicode is returned as written.
pub(crate) fn unquoted(quoted: &str) -> Cow<'_, str> {
    if quoted.contains('\\') {
        let text = serde_json::from_str(quoted);
        return text.map_or(Cow::Borrowed(quoted), Cow::Owned);
    }
    Cow::Borrowed(quoted.trim_matches('"'))
}

/// Returns the type of a JSON value, with its article.
pub(crate) fn type_of(value: &str) -> &'static str {
    match value.trim_start().as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// Returns the length in bytes of the JSON string at the beginning of a text.
pub(crate) fn string_len(text: &str) -> usize {
    let mut end = 1;
    while let Some(rest) = text.get(end..)
        && let Some(inner) = rest.find('"')
    {
        let backslashes = rest.bytes().take(inner).rev();
        let backslashes = backslashes.take_while(|byte| *byte == b'\\').count();
        end += inner + 1;
        if backslashes.is_multiple_of(2) {
            return end;
        }
    }
    text.len()
}

/// Returns the length in bytes of the value at the beginning of a text, including the white space after it.
fn value_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += string_len(text.get(at..).unwrap_or_default()).saturating_sub(1),
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;
    use serde_json::{Map, Value};

    use super::*;

    fn members(text: &str) -> Vec<(String, &str)> {
        Members::of(text)
            .map(|member| (member.name().into_owned(), member.value))
            .collect()
    }

    #[test]
    fn members_are_found_between_spaces_escapes_and_brackets() {
        let text = "\n{ \"a\" : [1, {\"b\":\"}\"}] , \"\\u0063\\\"\":\"\\\\\",\"\" : -1.50\t} ";
        let expected = [
            ("a", "[1, {\"b\":\"}\"}]"),
            ("c\"", "\"\\\\\""),
            ("", "-1.50"),
        ];
        assert_eq!(
            members(text),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        for member in Members::of(text) {
            assert!(text[member.name_at..].starts_with(member.quoted));
            assert!(text[member.value_at..].starts_with(member.value));
        }
        for none in ["{}", " { } ", "[{\"a\":1}]", "\"{\"", "7", "null"] {
            assert!(members(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_name_that_is_not_unicode_is_returned_as_written() {
        let text = r#"{"\ud83d":1}"#;
        assert_eq!(members(text), [(r#""\ud83d""#.to_owned(), "1")]);
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let text = format!("{{\"a\":{deep},\"b\":2}}");
        assert_eq!(
            members(&text),
            [("a".to_owned(), &*deep), ("b".to_owned(), "2")]
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[\\PC\"\\\\{}\\[\\],:\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                object(inner).prop_map(Value::from),
            ]
        })
    }

    fn object(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        let name = "[\\PC\"\\\\{}:,]{0,6}";
        proptest::collection::vec((name, values), 0..6)
            .prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn members_are_those_that_a_parser_reads(object in object(value()), pretty in any::<bool>()) {
            let text = match pretty {
                true => serde_json::to_string_pretty(&object),
                false => serde_json::to_string(&object),
            };
            let text = text.expect("JSON");
            let mut parsed = Map::new();
            for member in Members::of(&text) {
                let raw: &RawValue = serde_json::from_str(member.value).expect("JSON");
                prop_assert_eq!(raw.get(), member.value, "without white space");
                let value: Value = serde_json::from_str(member.value).expect("JSON");
                let typed = match value {
                    Value::String(_) => "a string",
                    Value::Object(_) => "an object",
                    Value::Array(_) => "an array",
                    Value::Bool(_) => "a boolean",
                    Value::Null => "null",
                    Value::Number(_) => "a number",
                };
                prop_assert_eq!(type_of(member.value), typed);
                parsed.insert(member.name().into_owned(), value);
            }
            prop_assert_eq!(parsed, object);
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\",:\\\\a1é \n]{0,40}") {
            for member in Members::of(&text) {
                let _ = (member.name(), type_of(member.value));
            }
        }
    }
}
