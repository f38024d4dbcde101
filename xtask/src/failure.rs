//! How a command ends when it does not end well.

use std::fmt::{self, Display};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A child process has said what is wrong already; its exit code is passed on.
    Exit(u8),
    /// What went wrong, as a lower-case fragment.
    Message(String),
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// A failure to do `what`, because of `error`.
    pub(crate) fn to(what: impl Display, error: impl Display) -> Self {
        Self::Message(format!("failed to {what}: {error}"))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Message(message) => f.write_str(message),
        }
    }
}
