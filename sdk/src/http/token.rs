//! The secret that every request carries.

mod decode;
mod redact;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Map, Value};

use self::redact::Parts;
use crate::error::{Error, InvalidInput};

/// A token of Webflow's Data API: a site token, a workspace token or an OAuth access token, with the scope `cms:write`.
///
/// No `Debug` or `Display` output holds it.
///
/// # If a server repeats it
///
/// An [`Error`] keeps only what it needs of a response: the status, a few headers, and the text of the body. From that
/// it leaves out, with `[redacted]` in the place:
///
/// - any 8 characters in a row of the token (12, if they are letters of one case, as in a word). They are found in
///   capitals and small letters, backwards, with blanks, punctuation or tags between them, as base64, as hexadecimal
///   bytes, and in up to four layers of the escapes of JSON, URLs and HTML;
/// - every other word of 20 or more letters and digits with a digit among them, since it could be the token in another
///   spelling. Ids of 24 hexadecimal digits stay, and so do words that the request has sent itself.
///
/// That holds for its `Display` and `Debug`, for its accessors, and for what a bulk update writes of it to journals and
/// dead letters; for its sources, the first of the two. It cannot hold against a server that spells the token in short
/// words of its own.
///
/// A token of fewer than 8 characters stays where it is said. What a success holds is handed out as it came, and so is
/// everything that the [raw client](crate::Client::raw) receives.
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
    authorization: HeaderValue,
    parts: Arc<Parts>,
}

impl Token {
    /// Checks a token: one or more visible ASCII characters, so no white space and no line break.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::EmptyToken`] or [`InvalidInput::InvalidToken`], neither of which holds the token.
    pub fn new(secret: impl Into<String>) -> Result<Self, Error> {
        let secret = secret.into();
        if secret.is_empty() {
            return Err(InvalidInput::EmptyToken.into());
        }
        if let Some(position) = secret.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(InvalidInput::InvalidToken { position }.into());
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {secret}"))
            .map_err(|_| InvalidInput::InvalidToken { position: 0 })?;
        authorization.set_sensitive(true);
        Ok(Self {
            authorization,
            parts: Arc::new(Parts::of(&secret)),
        })
    }

    pub(crate) fn authorization(&self) -> HeaderValue {
        self.authorization.clone()
    }

    /// The text without the token, should a server have repeated it.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.parts.redact(text)
    }

    /// What may be kept of a response: the text without the token, and without words that could be it in a spelling that
    /// is not known here, unless the request had them too.
    pub(crate) fn redact_response(&self, text: &str, request: &[u8]) -> String {
        self.parts.redact_response(text, request)
    }

    /// The members of a JSON object without the token; none, if it is in a place where only it can stand.
    pub(crate) fn redact_members(&self, members: &mut Map<String, Value>) {
        let text = Value::Object(std::mem::take(members)).to_string();
        *members = serde_json::from_str(&self.redact(&text)).unwrap_or_default();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token([redacted])")
    }
}

#[cfg(test)]
pub(crate) mod tests;
