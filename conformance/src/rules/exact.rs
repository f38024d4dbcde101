//! Comparing JSON texts by what they mean, to the last digit.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Whether two JSON texts mean the same: members in any order, strings by their characters, numbers by their decimal
/// value. A member that comes twice is never the same as anything.
pub(crate) fn same(left: &str, right: &str) -> bool {
    match (left.as_bytes().first(), right.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => match (members(left), members(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(name, value)| {
                        right
                            .get(name)
                            .is_some_and(|other| same(value.get(), other.get()))
                    })
            }
            _ => false,
        },
        (Some(b'['), Some(b'[')) => match (elements(left), elements(right)) {
            (Some(left), Some(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(&right)
                        .all(|(left, right)| same(left.get(), right.get()))
            }
            _ => false,
        },
        (Some(b'"'), Some(b'"')) => match (string(left), string(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
        (Some(b'-' | b'0'..=b'9'), Some(b'-' | b'0'..=b'9')) => {
            decimal(left).is_some() && decimal(left) == decimal(right)
        }
        _ => left == right,
    }
}

/// The members of an object, if no name comes twice.
pub(crate) fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    struct Once<'a>(BTreeMap<String, &'a RawValue>);

    impl<'de> serde::Deserialize<'de> for Once<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Members)
        }
    }

    struct Members;

    impl<'de> serde::de::Visitor<'de> for Members {
        type Value = Once<'de>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object without repeated names")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Once<'de>, A::Error> {
            let mut members = BTreeMap::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                if members.insert(name, value).is_some() {
                    return Err(serde::de::Error::custom("a name comes twice"));
                }
            }
            Ok(Once(members))
        }
    }

    serde_json::from_str::<Once<'_>>(text)
        .ok()
        .map(|once| once.0)
}

/// The elements of an array.
pub(crate) fn elements(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// Sign, digits without zeros at either end, and the power of ten of the last digit.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text
        .strip_prefix('-')
        .map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let exponent = exponent.parse::<i64>().ok()? - i64::try_from(fraction.len()).ok()?;
    let digits = digits.trim_start_matches('0');
    let trimmed = digits.trim_end_matches('0');
    if trimmed.is_empty() {
        return Some((negative, String::new(), 0));
    }
    Some((
        negative,
        trimmed.to_owned(),
        exponent + i64::try_from(digits.len() - trimmed.len()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_mean_the_same_are_the_same() {
        for (left, right) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("0.001", "1E-3"),
            ("-0.50", "-5e-1"),
            (r#"{"a":1,"b":[null]}"#, r#"{ "b" : [null], "a" : 1 }"#),
            (r#""é""#, r#""\u00e9""#),
        ] {
            assert!(same(left, right), "{left} and {right}");
        }
    }

    #[test]
    fn texts_that_differ_in_the_last_digit_are_not_the_same() {
        for (left, right) in [
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.1000000000000000055511151231257827"),
            ("1", "-1"),
            ("-0.0", "0.0"),
            ("1", "\"1\""),
            ("null", "false"),
            ("[1,2]", "[2,1]"),
            (r#"{"a":1,"a":1}"#, r#"{"a":1}"#),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
        ] {
            assert!(!same(left, right), "{left} and {right}");
        }
    }
}
