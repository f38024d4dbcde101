//! The secret that every request carries.

use std::fmt;

use http::HeaderValue;

use crate::error::{Error, InvalidInput};

/// A token of Webflow's Data API: a site token, a workspace token or an OAuth access token, with the scope `cms:write`.
///
/// It is in no `Debug` or `Display` output, and what a server repeats of it is taken out of errors.
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

    /// The text without the token, should a server have repeated it.
    pub(crate) fn redact(&self, text: String) -> String {
        if text.contains(&*self.secret) {
            text.replace(&*self.secret, "[redacted]")
        } else {
            text
        }
    }

    /// The text without the beginning of the token at its end, where the rest may have been cut off.
    pub(crate) fn redact_end(&self, mut text: String) -> String {
        /// Shorter beginnings are no secret, and end many texts by chance.
        const LEAST: usize = 4;
        let cut = (LEAST..self.secret.len()).rev().find_map(|length| {
            let start = text.len().checked_sub(length)?;
            (text.get(start..) == self.secret.get(..length)).then_some(start)
        });
        if let Some(start) = cut {
            text.truncate(start);
            text.push_str("[redacted]");
        }
        text
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
