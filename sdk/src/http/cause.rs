//! Removes the token from the causes of an error.

use std::error::Error as StdError;
use std::fmt;
use std::iter::successors;

use super::token::Token;
use crate::error::Error;

/// A cause that was reduced to its redacted text.
struct Cause {
    text: Box<str>,
    source: Option<Box<Cause>>,
}

impl Error {
    /// Returns the error. If a cause contains the token, all causes are replaced by their redacted texts. The message
    /// with which a server closes an HTTP/2 connection can contain it.
    pub(super) fn without_token(self, token: &Token) -> Self {
        let Some(first) = self.source() else {
            return self;
        };
        let causes: Vec<_> = successors(Some(first), |cause| (*cause).source()).collect();
        let holds_token = |text: String| token.redact(&text) != text;
        let is_plain = |cause: &&(dyn StdError + 'static)| {
            !holds_token(cause.to_string()) && !holds_token(format!("{cause:?}"))
        };
        if causes.iter().all(is_plain) {
            return self;
        }
        let text = causes.iter().rev().fold(None, |source, cause| {
            let text = token.redact(&cause.to_string()).into();
            Some(Box::new(Cause { text, source }))
        });
        match text {
            Some(cause) => self.with_source(cause as Box<dyn StdError + Send + Sync>),
            None => self,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(formatter)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
