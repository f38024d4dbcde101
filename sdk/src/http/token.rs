//! The API token of a client, and its removal from text.

mod decode;
mod redact;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Map, Value};

use self::redact::Parts;
use crate::error::{Error, InvalidInput};

/// A token of Webflow's Data API with the scope `cms:write`: a site token, a workspace token or an OAuth access token.
///
/// `Debug` never shows it.
///
/// # Redaction in errors
///
/// A server may repeat the token in a response. An [`Error`] keeps the status, some headers and the text of the body.
/// It replaces two things in them by `[redacted]`:
///
/// - Any 8 consecutive characters of the token, or 12 if they are letters of one case, as in a word. They are detected
///   in upper and lower case, backwards, and with white space, punctuation or tags in between. They are also detected
///   as base64, as hexadecimal bytes, and in up to four layers of JSON, URL and HTML escapes.
/// - Every other word of 20 or more letters and digits with at least one digit, which could be the token in another
///   encoding. Ids of 24 hexadecimal digits and words of the request itself are kept.
///
/// Both apply to `Display`, `Debug` and the accessors of the error, and to the journals and dead letters of a bulk
/// update. Only the first applies to its sources.
///
/// # Limits of redaction
///
/// - A server that encodes the token in short words of its own is not detected.
/// - A token of fewer than 8 characters is not redacted.
/// - The content of a successful response is not redacted, and neither is anything that the client of the feature `raw`
///   receives.
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
    /// Checks a token: one or more visible ASCII characters, without white space and line breaks.
    ///
    /// # Errors
    ///
    /// [`InvalidInput::EmptyToken`] or [`InvalidInput::InvalidToken`]. Neither contains the token.
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

    /// Removes the token from a text.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.parts.redact(text)
    }

    /// Removes the token from the text of a response, and words that could be the token in an unknown encoding, except
    /// words of the request.
    pub(crate) fn redact_response(&self, text: &str, request: &[u8]) -> String {
        self.parts.redact_response(text, request)
    }

    /// Removes the token from the members of a JSON object. The object becomes empty if the result is not JSON, such as
    /// for a token in a number.
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
