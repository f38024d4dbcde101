//! What can be wrong with a journal.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::id::CollectionId;

/// The number of the format of a journal that this version writes and reads.
pub(crate) const FORMAT: u64 = 2;

/// Why a journal cannot be used: one word wide, with the file's path in its text.
///
/// After an error of a method that records, the journal takes nothing more: its last line may be torn, and what was to
/// be recorded is not. Resuming it mends that.
pub struct JournalError(Box<Inner>);

struct Inner {
    path: PathBuf,
    failure: Failure,
}

/// A fault before it is known in which file it is.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: JournalErrorKind,
    source: Option<io::Error>,
}

/// What is wrong with a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalErrorKind {
    /// There is no file to read.
    Missing,
    /// The path leads to a directory, or to anything else that is not a file.
    NotAFile,
    /// Another run holds the journal, in this process or in another one.
    InUse,
    /// The file is not a journal. It is left as it is.
    NotAJournal,
    /// The journal has a format that this version of the crate does not know.
    OtherFormat {
        /// The number of the format.
        found: u64,
    },
    /// The journal is of a run on another collection.
    OtherCollection {
        /// The collection of the journal.
        recorded: CollectionId,
    },
    /// The journal is of a run with other parameters.
    OtherParameter {
        /// The parameter's name.
        name: &'static str,
        /// Its value in the journal; none if it was not set.
        recorded: Option<bool>,
    },
    /// Something in the file has changed since it was written.
    Damaged {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: Box<str>,
    },
    /// Nothing of the beginning of the input is known to the journal, so it is likely to be of another input.
    OtherInput {
        /// How many updates the input begins with, none of which is of an item in a locale that the journal knows.
        updates: u64,
    },
    /// Something was to be recorded that contradicts what is recorded: a fault of the program.
    Contradiction {
        /// The item's position in the input, counted from 0; the text counts from 1.
        index: u64,
        /// What is recorded of it.
        reason: &'static str,
    },
    /// The operating system failed; the source says how.
    Io {
        /// What it was to do.
        doing: &'static str,
    },
    /// An earlier write failed, so that nothing more is written behind it.
    Broken,
}

impl JournalError {
    pub(crate) fn new(path: &Path, failure: Failure) -> Self {
        Self(Box::new(Inner {
            path: path.to_owned(),
            failure,
        }))
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &JournalErrorKind {
        &self.0.failure.kind
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl Failure {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self {
            kind: JournalErrorKind::Io { doing },
            source: Some(error),
        }
    }

    pub(crate) fn kind(&self) -> &JournalErrorKind {
        &self.kind
    }
}

impl From<JournalErrorKind> for Failure {
    fn from(kind: JournalErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "journal {}: {}",
            self.path().display(),
            self.kind()
        )
    }
}

impl fmt::Display for JournalErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("there is no such file"),
            Self::NotAFile => formatter.write_str("the path does not lead to a file"),
            Self::InUse => formatter.write_str("another run is using it"),
            Self::NotAJournal => {
                formatter.write_str("the file is not a journal, and was left as it is")
            }
            Self::OtherFormat { found } => write!(
                formatter,
                "it is written in format {found}, and this version of webflow-cms knows format {FORMAT} only"
            ),
            Self::OtherCollection { recorded } => {
                write!(
                    formatter,
                    "it is of a run on another collection, {recorded}"
                )
            }
            Self::OtherParameter { name, recorded } => {
                write!(formatter, "it is of a run in which {name} was ")?;
                match recorded {
                    Some(value) => write!(formatter, "{value}"),
                    None => formatter.write_str("not set"),
                }
            }
            Self::Damaged { line, reason } => write!(formatter, "line {line} is damaged: {reason}"),
            Self::OtherInput { updates } => write!(
                formatter,
                "it knows none of the items that the input begins with ({updates} looked at), so it looks like that of another \
                 input; \
                 choose another file for it, or accept_other_input(true) goes on with it"
            ),
            Self::Contradiction { index, reason } => {
                write!(
                    formatter,
                    "item {} cannot be recorded so: {reason}",
                    index.saturating_add(1)
                )
            }
            Self::Io { doing } => write!(formatter, "cannot {doing}"),
            Self::Broken => formatter.write_str(
                "an earlier record could not be written, so nothing more is; resume it to go on",
            ),
        }
    }
}

impl fmt::Debug for JournalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("JournalError")
            .field("path", &self.path())
            .field("kind", self.kind())
            .field("source", &self.0.failure.source)
            .finish()
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.failure.source.as_ref()?;
        Some(source)
    }
}
