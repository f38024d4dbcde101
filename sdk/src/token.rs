//! The secret that every request carries.

use std::fmt;

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use crate::error::{Error, InvalidInput};

/// From how many characters on a token, or the beginning of one, is looked for in what a server says.
const SECRET: usize = 8;

const REDACTED: &str = "[redacted]";

/// A token of Webflow's Data API: a site token, a workspace token or an OAuth access token, with the scope `cms:write`.
///
/// It is in no `Debug` or `Display` output, and if a server repeats it or its first 8 characters, as they are or in the
/// escapes of JSON and URLs, they are taken out of errors. A token that is shorter stays. What a success holds is handed
/// out as it came.
///
/// ```
/// use webflow_cms::Token;
///
/// let token = Token::new("0b2c…".replace('…', "9f"))?;
/// assert_eq!(format!("{token:?}"), "Token([redacted])");
/// assert!(Token::new("two\nlines").is_err());
/// # Ok::<_, webflow_cms::Error>(())
/// ```
#[derive(Clone)]
pub struct Token {
    secret: Box<str>,
    authorization: HeaderValue,
}

impl Token {
    /// Checks a token: one or more visible ASCII characters, so no white space and no line break.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::EmptyToken`] or [`InvalidInput::UnfitToken`], neither of which holds the token.
    pub fn new(secret: impl Into<String>) -> Result<Self, Error> {
        let secret = secret.into();
        if secret.is_empty() {
            return Err(InvalidInput::EmptyToken.into());
        }
        if let Some(position) = secret.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(InvalidInput::UnfitToken { position }.into());
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {secret}"))
            .map_err(|_| InvalidInput::UnfitToken { position: 0 })?;
        authorization.set_sensitive(true);
        Ok(Self {
            secret: secret.into(),
            authorization,
        })
    }

    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.secret.len()
    }

    /// The text without the token, should a server have repeated it or a beginning of it. A token of a few characters is
    /// nobody's secret, and taking it out of every word would spoil what the server says.
    pub(crate) fn redact(&self, text: String) -> String {
        let mut redacted = String::new();
        let mut rest = &*text;
        while let Some((before, after)) = self.split(rest) {
            redacted.push_str(before);
            redacted.push_str(REDACTED);
            rest = after;
        }
        if redacted.is_empty() {
            return text;
        }
        redacted + rest
    }

    /// What stands before and after the first place with the token or a beginning of it.
    fn split<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        text.char_indices().find_map(|(start, _)| {
            let (before, here) = text.split_at_checked(start)?;
            let (characters, length) = self.beginning(here);
            let after = here.get(length..)?;
            (characters >= SECRET).then_some((before, after))
        })
    }

    /// How many characters of the token the text begins with, and how many bytes they take there.
    fn beginning(&self, text: &str) -> (usize, usize) {
        let read = |unit: fn(&[u8], u8) -> Option<usize>| {
            let (mut characters, mut length) = (0, 0);
            for character in self.secret.bytes() {
                let rest = text.as_bytes().get(length..).unwrap_or_default();
                let Some(bytes) = unit(rest, character) else {
                    break;
                };
                characters += 1;
                length += bytes;
            }
            (characters, length)
        };
        // A token may itself look like an escape.
        let plain = read(|text, character| itself(text, character).or(escaped(text, character)));
        let encoded = read(|text, character| escaped(text, character).or(itself(text, character)));
        plain.max(encoded)
    }

    /// The text without the beginning of the token at its end, where the rest may have been cut off.
    pub(crate) fn redact_end(&self, mut text: String) -> String {
        /// Shorter beginnings are no secret, and end many texts by chance.
        const LEAST: usize = 4;
        const LONGEST_ESCAPE: usize = r"\u0000".len();
        if self.secret.len() < SECRET {
            return text;
        }
        let cut = text.char_indices().map(|(start, _)| start).find(|start| {
            let here = text.get(*start..).unwrap_or_default();
            let (characters, length) = self.beginning(here);
            let rest = here.get(length..).unwrap_or_default();
            let escape = rest.len() < LONGEST_ESCAPE && rest.starts_with(['\\', '%']);
            characters >= LEAST && (rest.is_empty() || escape)
        });
        if let Some(start) = cut {
            text.truncate(start);
            text.push_str(REDACTED);
        }
        text
    }

    /// A JSON value without the token.
    pub(crate) fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(std::mem::take(text)),
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Object(members) => self.redact_members(members),
            Value::Number(number) => {
                // A number of many digits is shown with a point behind the first one.
                let digits = number.to_string().replace('.', "");
                if self.split(&digits).is_some() {
                    *value = Value::String(REDACTED.to_owned());
                }
            }
            _ => {}
        }
    }

    /// The members of a JSON object without the token.
    pub(crate) fn redact_members(&self, members: &mut Map<String, Value>) {
        *members = std::mem::take(members)
            .into_iter()
            .map(|(name, mut value)| {
                self.redact_value(&mut value);
                (self.redact(name), value)
            })
            .collect();
    }

    /// Headers without the token.
    pub(crate) fn redact_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let redacted = self.redact(text.clone());
            if redacted != text {
                *value = HeaderValue::from_str(&redacted)
                    .unwrap_or_else(|_| HeaderValue::from_static(REDACTED));
            }
        }
    }
}

/// How many bytes a character takes at the beginning of the text, if it stands there as it is.
fn itself(text: &[u8], character: u8) -> Option<usize> {
    (text.first() == Some(&character)).then_some(1)
}

/// The same, if it stands there as an escape of JSON or of a URL. JSON inside JSON has several backslashes for one, but
/// not so many that a body of nothing else takes long.
fn escaped(text: &[u8], character: u8) -> Option<usize> {
    const MOST_SLASHES: usize = 8;
    let hexadecimal = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok()?;
        u16::from_str_radix(digits, 16).ok()
    };
    let slashes = text
        .iter()
        .take(MOST_SLASHES)
        .take_while(|byte| **byte == b'\\')
        .count();
    let (code, length) = match text.get(slashes..)? {
        [b'%', a, b, ..] => (hexadecimal(&[*a, *b])?, 3),
        [b'u', a, b, c, d, ..] if slashes > 0 && character != b'\\' => {
            match hexadecimal(&[*a, *b, *c, *d]) {
                Some(code) => (code, 5),
                None => (u16::from(b'u'), 1),
            }
        }
        _ if slashes > 1 && character == b'\\' => return Some(2),
        [other, ..] if slashes > 0 => (u16::from(*other), 1),
        _ => return None,
    };
    (code == u16::from(character)).then_some(slashes + length)
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_cut_off_at_the_end_of_a_text_is_taken_out_too() {
        let token = Token::new("0123456789abcdef").expect("fits");
        assert_eq!(
            token.redact_end("Bearer 01234567".to_owned()),
            "Bearer [redacted]"
        );
        assert_eq!(token.redact_end("0123456789abcde".to_owned()), "[redacted]");
        assert_eq!(
            token.redact_end("it ends in 012".to_owned()),
            "it ends in 012"
        );
        let short = Token::new("item").expect("fits");
        assert_eq!(short.redact("item_not_found".to_owned()), "item_not_found");
        assert_eq!(
            token.redact("a 0123456789abcdef b".to_owned()),
            "a [redacted] b"
        );
    }

    #[test]
    fn a_token_is_found_however_it_is_escaped() {
        for (token, escaped) in [
            ("0123/4567+89", r"0123\/4567+89"),
            ("0123/4567+89", r"0123\\\/4567\\u002b89"),
            ("0123/4567=89", r"\u0030123/4567\u003D89"),
            ("0123/4567=89", "0123%2f4567%3D89"),
            ("01%234567%ab", "01%25234567%25ab"),
            ("01%234567%ab", "01%234567%ab"),
            (r#"01"23\4567"#, r#"01\"23\\4567"#),
            ("usher0u0123", r"\u0075sher0u0123"),
        ] {
            let token = Token::new(token).expect("fits");
            let said = format!("é {escaped} and {escaped}.");
            assert_eq!(
                token.redact(said),
                "é [redacted] and [redacted].",
                "{escaped}"
            );
            let cut = format!("é {}", &escaped[..escaped.len() - 1]);
            assert_eq!(
                token.redact_end(token.redact(cut)).replace(['\\', '%'], ""),
                "é [redacted]",
                "{escaped}"
            );
        }
    }

    #[test]
    fn eight_characters_of_a_token_are_too_many() {
        let token = Token::new("0123456789abcdef").expect("fits");
        let said = |text: &str| token.redact(text.to_owned());
        assert_eq!(said("bad token 01234567…"), "bad token [redacted]…");
        assert_eq!(said("0123456 01234567 89"), "0123456 [redacted] 89");
        assert_eq!(said("00123456789"), "0[redacted]");
        let slashes = r"\".repeat(256 * 1024);
        assert_eq!(said(&slashes), slashes);
    }

    #[test]
    fn a_token_of_digits_is_no_number_either() {
        let token = Token::new("123456789012345678901234").expect("fits");
        for number in [
            "123456789012345678901234",
            "123456789012",
            "-1234567890123456789",
        ] {
            let mut value = serde_json::from_str(&format!("[{number}]")).expect("JSON");
            token.redact_value(&mut value);
            assert_eq!(value, serde_json::json!(["[redacted]"]), "{number}");
        }
        let mut other = serde_json::json!([1234567, 12.5, 987_654_321_u64]);
        let before = other.clone();
        token.redact_value(&mut other);
        assert_eq!(other, before);
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
        for secret in ["two\nlines", "with space", "tab\t", "é", "\u{7f}"] {
            let error = Token::new(secret).expect_err("refused");
            assert!(!format!("{error} {error:?}").contains(secret), "{secret:?}");
        }
    }
}
