//! The secret that every request carries.

use std::fmt;

use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use crate::error::{Error, InvalidInput};

/// From how many characters on a token is looked for in what a server says.
const SECRET: usize = 8;

/// A token of Webflow's Data API: a site token, a workspace token or an OAuth access token, with the scope `cms:write`.
///
/// It is in no `Debug` or `Display` output, and if a server repeats it, it is taken out of errors, unless it is shorter than 8
/// characters. What a success holds is handed out as it came.
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

    /// The text without the token, should a server have repeated it. A token of a few characters is nobody's secret, and
    /// taking it out of every word would spoil what the server says.
    pub(crate) fn redact(&self, text: String) -> String {
        if self.secret.len() >= SECRET && text.contains(&*self.secret) {
            text.replace(&*self.secret, "[redacted]")
        } else {
            text
        }
    }

    /// The text without the beginning of the token at its end, where the rest may have been cut off.
    pub(crate) fn redact_end(&self, mut text: String) -> String {
        /// Shorter beginnings are no secret, and end many texts by chance.
        const LEAST: usize = 4;
        let least = if self.secret.len() < SECRET {
            self.secret.len()
        } else {
            LEAST
        };
        let cut = (least..self.secret.len()).rev().find_map(|length| {
            let start = text.len().checked_sub(length)?;
            (text.get(start..) == self.secret.get(..length)).then_some(start)
        });
        if let Some(start) = cut {
            text.truncate(start);
            text.push_str("[redacted]");
        }
        text
    }

    /// A JSON value without the token.
    pub(crate) fn redact_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(std::mem::take(text)),
            Value::Array(values) => values.iter_mut().for_each(|value| self.redact_value(value)),
            Value::Object(members) => self.redact_members(members),
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
                    .unwrap_or_else(|_| HeaderValue::from_static("[redacted]"));
            }
        }
    }
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
    fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
        for secret in ["two\nlines", "with space", "tab\t", "é", "\u{7f}"] {
            let error = Token::new(secret).expect_err("refused");
            assert!(!format!("{error} {error:?}").contains(secret), "{secret:?}");
        }
    }
}
