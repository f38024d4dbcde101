//! The reason why an item was not updated, of bounded size.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Printable};
use crate::text::beginning;

const MAX_NAME: usize = 100;
const MAX_MESSAGE: usize = 500;
const MAX_DETAILS: usize = 10;

/// The reason why an item was not updated: the part of an [`Error`] that journals and dead letters keep.
///
/// It has at most 500 characters of the message, and the first 10 details with at most 500 characters each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reason {
    kind: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Box<str>>,
    message: Box<str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    may_have_acted: bool,
}

impl Reason {
    /// Creates a reason that is not an [`Error`], such as a run that stopped. The kind is a name for programs, in
    /// `snake_case`. The message is for people.
    #[must_use]
    pub fn new(kind: &str, message: &str) -> Self {
        Self {
            kind: beginning(kind, MAX_NAME),
            status: None,
            code: None,
            message: beginning(message, MAX_MESSAGE),
            details: Vec::new(),
            may_have_acted: false,
        }
    }

    /// Creates the reason of an error. Characters that control a terminal are escaped.
    #[must_use]
    pub fn from_error(error: &Error) -> Self {
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => error.to_string(),
        };
        Self {
            status: error.status().map(|status| status.as_u16()),
            code: error.code().map(|code| printable(code, MAX_NAME)),
            details: error
                .details()
                .iter()
                .take(MAX_DETAILS)
                .map(|detail| beginning(&detail.to_string(), MAX_MESSAGE))
                .collect(),
            may_have_acted: error.may_have_acted(),
            ..Self::new(error.kind().as_str(), &printable(&message, MAX_MESSAGE))
        }
    }

    /// Returns the reason with another value of [`may_have_acted`](Self::may_have_acted).
    pub(crate) fn with_may_have_acted(self, may_have_acted: bool) -> Self {
        Self {
            may_have_acted,
            ..self
        }
    }

    /// Returns the kind, such as `bad_request` or `not_found`: an [`ErrorKind`](crate::ErrorKind) in `snake_case`, or
    /// the name that [`new`](Self::new) was called with.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns the status of the response, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Returns Webflow's code of the error, if the response has one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the message for people: that of the response, or else of this crate.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns `true` if an attempt with the item may have changed it.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        self.may_have_acted
    }

    /// Returns the details of the response, each with the field that it concerns in front.
    pub fn details(&self) -> impl ExactSizeIterator<Item = &str> {
        self.details.iter().map(|detail| &**detail)
    }
}

/// Truncates a text to a number of characters, and escapes characters that control a terminal.
fn printable(text: &str, max: usize) -> Box<str> {
    beginning(&Printable::truncated(text, max).to_string(), max)
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        if !self.details.is_empty() {
            write!(formatter, " [{}]", self.details.join("; "))?;
        }
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(formatter, " (status {status}, {code})"),
            (Some(status), None) => write!(formatter, " (status {status})"),
            (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::http::body::{Body, End};
    use crate::http::refusal::Head;
    use crate::http::token::Token;
    use crate::id::ItemId;

    #[test]
    fn a_reason_has_the_name_and_the_text_of_its_error() {
        let error = Error::from(ItemId::new("a/b").expect_err("a refusal"));
        let reason = Reason::from_error(&error);
        assert_eq!(reason.kind(), "invalid_input");
        assert_eq!(reason.message(), error.to_string());
        assert_eq!((reason.status(), reason.code()), (None, None));
        assert_eq!(reason.details().len(), 0);
    }

    #[test]
    fn a_reason_has_what_webflow_said_and_is_written_in_the_same_form_for_ever() {
        let body = r#"{"message":"Validation Error","code":"validation_error","details":[
            {"param":"slug","description":"taken"},"too long",{"x":1}]}"#;
        let token = Token::new("b7c1d0").expect("a token");
        let head = Head {
            status: StatusCode::BAD_REQUEST,
            headers: HeaderMap::new(),
            token: &token,
            request: b"",
            now: std::time::UNIX_EPOCH,
        };
        let body = Body {
            bytes: body.into(),
            end: End::Complete,
        };
        let reason = Reason::from_error(&Error::refused(&head, body));
        let line = r#"{"kind":"bad_request","status":400,"code":"validation_error","message":"Validation Error","details":["slug: taken","too long","{\"x\":1}"]}"#;
        assert_eq!(serde_json::to_string(&reason).expect("JSON"), line);
        let read: Reason = serde_json::from_str(line).expect("a reason");
        assert_eq!(read, reason);
        assert!(read.details().eq(["slug: taken", "too long", "{\"x\":1}"]));
        assert_eq!(
            (read.status(), read.code()),
            (Some(400), Some("validation_error"))
        );
    }

    #[test]
    fn a_reason_is_bounded_whatever_was_said() {
        let long = "\u{1}é".repeat(100_000);
        let reason = Reason::new(&long, &long);
        let line = serde_json::to_string(&reason).expect("JSON");
        assert!(line.len() < 5000, "{} bytes", line.len());
        let read: Reason = serde_json::from_str(&line).expect("a reason");
        assert_eq!(read, reason);
    }
}
