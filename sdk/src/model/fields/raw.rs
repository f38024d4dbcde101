//! Looking for what must not go out in JSON text that was written elsewhere.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::members::{string_len, unquoted};

/// The names that an object has so far. Most have few, which are found sooner one by one.
#[derive(Default)]
pub(super) struct Names {
    few: Vec<Cow<'static, str>>,
    more: HashSet<Cow<'static, str>>,
}

impl Names {
    const FEW: usize = 32;

    /// Whether it is a new one.
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

/// What is wrong with a JSON text, and the steps to where, from the outermost.
#[derive(Debug, PartialEq)]
pub(super) struct Flaw {
    pub(super) what: What,
    pub(super) path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// An object names a member twice.
    Duplicate,
    /// A number is infinite to a reader that takes it for a 64-bit float, as most do.
    NotFinite,
    /// A string escapes one half of a surrogate pair without the other.
    UnpairedSurrogate,
    /// Arrays and objects are nested more deeply than is allowed.
    TooDeep,
}

/// An array or object that has begun and not ended.
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

/// The first flaw of a text that is known to be JSON, in which arrays and objects may be nested `levels` deep. It takes
/// no stack, however deep the text is.
pub(super) fn flaw(text: &str, levels: usize) -> Option<Flaw> {
    let mut open = Vec::<Open>::new();
    let found = |what, open: &[Open]| {
        let path = open.iter().map(Open::step).collect();
        Some(Flaw { what, path })
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
            ('{' | '[', _) if is_full => return found(What::TooDeep, &open),
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
                    return found(What::UnpairedSurrogate, &open);
                }
                if !is_new {
                    return found(What::Duplicate, &open);
                }
            }
            ('"', _) if has_unpaired_surrogate(token) => {
                return found(What::UnpairedSurrogate, &open);
            }
            ('-' | '0'..='9', _) if !token.parse().is_ok_and(f64::is_finite) => {
                return found(What::NotFinite, &open);
            }
            _ => {}
        }
    }
    None
}

/// Whether a JSON string is no text, although its grammar is right.
fn has_unpaired_surrogate(string: &str) -> bool {
    ["\\ud", "\\uD"].iter().any(|half| string.contains(half))
        && serde_json::from_str::<Cow<'_, str>>(string).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<(What, String)> {
        flaw(text, 200_000).map(|flaw| (flaw.what, flaw.path.join("/")))
    }

    #[test]
    fn a_name_that_comes_twice_is_found_in_any_object() {
        for (text, path) in [
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"a":{"b":[0,{"c":1 , "\u0063" :2}]}}"#, "a/b/[1]/c"),
            (r#"[[],{"":1,"":2}]"#, "[1]/"),
            (r#"{"\u0061":1,"a":2}"#, "a"),
        ] {
            assert_eq!(
                found(text),
                Some((What::Duplicate, path.to_owned())),
                "{text}"
            );
        }
        let many: Vec<_> = (0..1000)
            .map(|name| format!("\"{}\":0", name % 999))
            .collect();
        let many = format!("{{{}}}", many.join(","));
        assert_eq!(found(&many), Some((What::Duplicate, "0".to_owned())));
    }

    #[test]
    fn a_number_that_no_float_holds_is_found() {
        let digits = "9".repeat(400);
        for number in ["1e999", "-1E+999", &digits] {
            let text = format!("{{\"a\":[1e308,{number}\n]}}");
            assert_eq!(found(&text), Some((What::NotFinite, "a/[1]".to_owned())));
            assert_eq!(found(number), Some((What::NotFinite, String::new())));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_found_in_values_and_names() {
        for (text, path) in [
            (r#"{"a":["", "cut \ud83d"]}"#, "a/[1]"),
            (r#"{"a":"\uDE00\ud83d"}"#, "a"),
            (r#"{"a":{"\uD83D!":1}}"#, r#"a/"\uD83D!""#),
            (r#""\\\ud83d""#, ""),
        ] {
            let flaw = Some((What::UnpairedSurrogate, path.to_owned()));
            assert_eq!(found(text), flaw, "{text}");
        }
    }

    #[test]
    fn nesting_is_found_where_it_gets_too_deep() {
        let text = r#"{"a":[[],{"b":[]}]}"#;
        let too_deep = |path: &[&str]| {
            let path = path.iter().map(|step| (*step).to_owned()).collect();
            let what = What::TooDeep;
            Some(Flaw { what, path })
        };
        assert_eq!(flaw(text, 0), too_deep(&[]));
        assert_eq!(flaw(text, 1), too_deep(&["a"]));
        assert_eq!(flaw(text, 2), too_deep(&["a", "[0]"]));
        assert_eq!(flaw(text, 3), too_deep(&["a", "[1]", "b"]));
        assert_eq!(flaw(text, 4), None);
    }

    #[test]
    fn what_is_well_is_left_alone() {
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
