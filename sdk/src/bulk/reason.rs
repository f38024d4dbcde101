//! Why an item was not updated, in a size that fits a line.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::error::Printable;
use crate::text::beginning;

const MOST_OF_A_NAME: usize = 100;
const MOST_OF_A_MESSAGE: usize = 500;
const MOST_DETAILS: usize = 10;

/// Why an item was not updated: what of an [`Error`] is worth to be kept in a file.
///
/// A message is kept to 500 characters, and of the details the first 10.
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
    /// A reason that is not an [`Error`], such as a run that was stopped. The kind is a name for programs, in
    /// `snake_case`; the message is for people.
    #[must_use]
    pub fn new(kind: &str, message: &str) -> Self {
        Self {
            kind: beginning(kind, MOST_OF_A_NAME),
            status: None,
            code: None,
            message: beginning(message, MOST_OF_A_MESSAGE),
            details: Vec::new(),
            may_have_acted: false,
        }
    }

    /// What an error says, with what a terminal would act on as escapes.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => error.to_string(),
        };
        Self {
            status: error.status().map(|status| status.as_u16()),
            code: error.code().map(|code| printable(code, MOST_OF_A_NAME)),
            details: error
                .details()
                .iter()
                .take(MOST_DETAILS)
                .map(|detail| beginning(&detail.to_string(), MOST_OF_A_MESSAGE))
                .collect(),
            may_have_acted: error.may_have_acted(),
            ..Self::new(
                error.kind().as_str(),
                &printable(&message, MOST_OF_A_MESSAGE),
            )
        }
    }

    /// The same, of an update that an attempt may have changed or not.
    pub(crate) fn knowing(self, may_have_acted: bool) -> Self {
        Self {
            may_have_acted,
            ..self
        }
    }

    /// What went wrong, as a name such as `bad_request` or `not_found`: an [`ErrorKind`](crate::ErrorKind) in
    /// `snake_case`, or the name that was given to [`new`](Self::new).
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// Webflow's name of the error, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What Webflow said, or else this crate, for people to read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether an attempt with the item may have changed it all the same.
    #[must_use]
    pub fn may_have_acted(&self) -> bool {
        self.may_have_acted
    }

    /// The single reasons that Webflow gave, each with the field in front that it is about.
    pub fn details(&self) -> impl ExactSizeIterator<Item = &str> {
        self.details.iter().map(|detail| &**detail)
    }
}

/// At most so many characters of a text, with what a terminal would act on as escapes.
fn printable(text: &str, most: usize) -> Box<str> {
    beginning(&Printable::truncated(text, most).to_string(), most)
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
        let reason = Reason::of(&error);
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
        let reason = Reason::of(&Error::refused(&head, body));
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
