//! The check of JSON text that the caller supplies.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::members::{string_len, unquoted};

/// The names of an object so far. Most objects have few, which a linear search finds sooner than a hash set.
#[derive(Default)]
pub(super) struct Names {
    few: Vec<Cow<'static, str>>,
    more: HashSet<Cow<'static, str>>,
}

impl Names {
    const FEW: usize = 32;

    /// Adds a name. Returns `false` if it was there before.
    pub(super) fn insert(&mut self, name: Cow<'static, str>) -> bool {
        if self.few.contains(&name) {
            return false;
        }
        if self.few.len() == Self::FEW {
            return self.more.insert(name);
        }
        self.few.push(name);
        true
    }
}

/// The fault of a JSON text, and the path to it from the outermost value.
#[derive(Debug, PartialEq)]
pub(super) struct Flaw {
    pub(super) kind: FlawKind,
    pub(super) path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FlawKind {
    /// A member occurs twice in an object.
    Duplicate,
    /// A number is infinite to a parser that reads it as a 64-bit float, as most do.
    NotFinite,
    /// A string has one half of a surrogate pair without the other.
    UnpairedSurrogate,
    /// Arrays and objects are nested too deeply.
    TooDeep,
}

/// An unclosed array or object.
enum Open {
    Array { index: usize },
    Object { names: Names, key: Option<String> },
}

impl Open {
    fn step(&self) -> String {
        match self {
            Self::Array { index } => format!("[{index}]"),
            Self::Object { key, .. } => key.clone().unwrap_or_default(),
        }
    }
}

/// Finds the first flaw of a valid JSON text, in which arrays and objects may be nested `levels` deep. It uses no
/// recursion, whatever the depth of the text.
pub(super) fn flaw(text: &str, levels: usize) -> Option<Flaw> {
    let mut open = Vec::<Open>::new();
    let found = |kind, open: &[Open]| {
        let path = open.iter().map(Open::step).collect();
        Some(Flaw { kind, path })
    };
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => string_len(rest),
            '-' | '0'..='9' => rest
                .find([',', ']', '}', ' ', '\t', '\n', '\r'])
                .unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(token)?;
        rest = after;
        let is_full = open.len() == levels;
        match (first, open.last_mut()) {
            ('{' | '[', _) if is_full => return found(FlawKind::TooDeep, &open),
            ('{', _) => open.push(Open::Object {
                names: Names::default(),
                key: None,
            }),
            ('[', _) => open.push(Open::Array { index: 0 }),
            ('}' | ']', _) => {
                open.pop();
            }
            (',', Some(Open::Array { index })) => *index += 1,
            (',', Some(Open::Object { key, .. })) => *key = None,
            ('"', Some(Open::Object { names, key })) if key.is_none() => {
                let name = unquoted(token).into_owned();
                let is_new = names.insert(Cow::Owned(name.clone()));
                *key = Some(name);
                if has_unpaired_surrogate(token) {
                    return found(FlawKind::UnpairedSurrogate, &open);
                }
                if !is_new {
                    return found(FlawKind::Duplicate, &open);
                }
            }
            ('"', _) if has_unpaired_surrogate(token) => {
                return found(FlawKind::UnpairedSurrogate, &open);
            }
            ('-' | '0'..='9', _) if !token.parse().is_ok_and(f64::is_finite) => {
                return found(FlawKind::NotFinite, &open);
            }
            _ => {}
        }
    }
    None
}

/// Whether a JSON string is not valid Unicode, although its syntax is valid.
fn has_unpaired_surrogate(string: &str) -> bool {
    ["\\ud", "\\uD"].iter().any(|half| string.contains(half))
        && serde_json::from_str::<Cow<'_, str>>(string).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(FlawKind, String)> {
        flaw(text, 200_000).map(|flaw| (flaw.kind, flaw.path.join("/")))
    }

    #[test]
    fn a_repeated_name_is_found_in_any_object() {
        for (text, path) in [
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"a":{"b":[0,{"c":1 , "\u0063" :2}]}}"#, "a/b/[1]/c"),
            (r#"[[],{"":1,"":2}]"#, "[1]/"),
            (r#"{"\u0061":1,"a":2}"#, "a"),
        ] {
            assert_eq!(
                found(text),
                Some((FlawKind::Duplicate, path.to_owned())),
                "{text}"
            );
        }
        let many: Vec<_> = (0..1000)
            .map(|name| format!("\"{}\":0", name % 999))
            .collect();
        let many = format!("{{{}}}", many.join(","));
        assert_eq!(found(&many), Some((FlawKind::Duplicate, "0".to_owned())));
    }

    #[test]
    fn a_number_that_exceeds_a_float_is_found() {
        let digits = "9".repeat(400);
        for number in ["1e999", "-1E+999", &digits] {
            let text = format!("{{\"a\":[1e308,{number}\n]}}");
            assert_eq!(
                found(&text),
                Some((FlawKind::NotFinite, "a/[1]".to_owned()))
            );
            assert_eq!(found(number), Some((FlawKind::NotFinite, String::new())));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_found_in_values_and_names() {
        for (text, path) in [
            (r#"{"a":["", "half \ud83d"]}"#, "a/[1]"),
            (r#"{"a":"\uDE00\ud83d"}"#, "a"),
            (r#"{"a":{"\uD83D!":1}}"#, r#"a/"\uD83D!""#),
            (r#""\\\ud83d""#, ""),
        ] {
            let flaw = Some((FlawKind::UnpairedSurrogate, path.to_owned()));
            assert_eq!(found(text), flaw, "{text}");
        }
    }

    #[test]
    fn nesting_is_reported_at_the_first_level_that_is_too_deep() {
        let text = r#"{"a":[[],{"b":[]}]}"#;
        let too_deep = |path: &[&str]| {
            let path = path.iter().map(|step| (*step).to_owned()).collect();
            let kind = FlawKind::TooDeep;
            Some(Flaw { kind, path })
        };
        assert_eq!(flaw(text, 0), too_deep(&[]));
        assert_eq!(flaw(text, 1), too_deep(&["a"]));
        assert_eq!(flaw(text, 2), too_deep(&["a", "[0]"]));
        assert_eq!(flaw(text, 3), too_deep(&["a", "[1]", "b"]));
        assert_eq!(flaw(text, 4), None);
    }

    #[test]
    fn valid_text_has_no_flaw() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for text in [
            r#"{"a":{"a":"a"},"b":[{"a":1},{"a":2}]}"#,
            r#"{"a":"\\","b":"\"a\":1e999,{","c":"[1e999]"}"#,
            "[1e-999, 123456789012345678901234567890.10, -0.0, true, null]",
            r#"" \\\" 1e999""#,
            r#"["\ud83d\ude00", "\\ud83d", "\\\\ud83d", "\uD83D\uDE00 \ud7ff"]"#,
            &deep,
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
