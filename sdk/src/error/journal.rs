//! The errors of journals.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::id::CollectionId;

/// The journal format that this version writes and reads.
pub(crate) const FORMAT: u64 = 3;

/// The error of a journal that cannot be used, one word wide. Its text contains the path of the file.
///
/// After a failed write, the journal accepts no further record, and its last line may be incomplete. A run that resumes
/// it repairs that.
pub struct JournalError(Box<Inner>);

struct Inner {
    path: PathBuf,
    failure: Failure,
}

/// A failure without the path of the file.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: JournalErrorKind,
    source: Option<io::Error>,
}

/// The category of a [`JournalError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalErrorKind {
    /// The file does not exist.
    Missing,
    /// The path leads to a directory, or to something else that is not a file.
    NotAFile,
    /// Another run uses the journal, in this process or another one.
    InUse,
    /// The file is not a journal. It is unchanged.
    NotAJournal,
    /// Another version of this crate wrote the journal, in a format that this version does not support. It is
    /// unchanged.
    ///
    /// Finish the run with the version that wrote the journal, whose number is in the first line of the file, or choose
    /// another file to start a new one.
    UnsupportedFormat {
        /// The format of the journal.
        found: u64,
        /// The format that this version supports.
        supported: u64,
    },
    /// The journal belongs to a run on another collection.
    OtherCollection {
        /// The collection of the journal.
        recorded: CollectionId,
    },
    /// The journal belongs to a run with another parameter.
    OtherParameter {
        /// The name of the parameter.
        name: &'static str,
        /// Its value in the journal. `None` if it was not set.
        recorded: Option<bool>,
    },
    /// The file has changed since it was written.
    Damaged {
        /// The line, counted from 1.
        line: u64,
        /// The fault.
        reason: Box<str>,
    },
    /// The journal has none of the items at the beginning of the input, so it is likely to belong to another input.
    OtherInput {
        /// The number of updates that were looked up.
        updates: u64,
    },
    /// A record contradicts earlier records. This is a defect of the crate.
    Contradiction {
        /// The position of the item in the input, counted from 0. The text counts from 1.
        index: u64,
        /// The contradiction.
        reason: &'static str,
    },
    /// An I/O operation failed. The source of the error is the [`io::Error`].
    Io {
        /// The operation, as the end of a sentence that begins with `cannot`.
        doing: &'static str,
    },
    /// An earlier write failed, so nothing more is written.
    Broken,
}

impl JournalError {
    pub(crate) fn new(path: &Path, failure: Failure) -> Self {
        Self(Box::new(Inner {
            path: path.to_owned(),
            failure,
        }))
    }

    /// Returns the category of the error.
    #[must_use]
    pub fn kind(&self) -> &JournalErrorKind {
        &self.0.failure.kind
    }

    /// Returns the path of the file.
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
            Self::Missing => formatter.write_str("the file does not exist"),
            Self::NotAFile => formatter.write_str("the path does not lead to a file"),
            Self::InUse => formatter.write_str("another run is using it"),
            Self::NotAJournal => formatter.write_str("the file is not a journal; it is unchanged"),
            Self::UnsupportedFormat { found, supported } => write!(
                formatter,
                "it has format {found}, and this version of webflow-cms supports format {supported}; finish the run \
                 with the version that wrote it, or start a new journal in another file"
            ),
            Self::OtherCollection { recorded } => {
                write!(
                    formatter,
                    "it belongs to a run on another collection, {recorded}"
                )
            }
            Self::OtherParameter { name, recorded } => {
                write!(formatter, "it belongs to a run in which {name} was ")?;
                match recorded {
                    Some(value) => write!(formatter, "{value}"),
                    None => formatter.write_str("not set"),
                }
            }
            Self::Damaged { line, reason } => write!(formatter, "line {line} is damaged: {reason}"),
            Self::OtherInput { updates } => write!(
                formatter,
                "it has none of the items of the first {updates} updates, so it seems to belong to another input; \
                 choose another file, or set accept_other_input(true) to continue with it"
            ),
            Self::Contradiction { index, reason } => {
                write!(
                    formatter,
                    "the record of item {} contradicts earlier ones: {reason}",
                    index.saturating_add(1)
                )
            }
            Self::Io { doing } => write!(formatter, "cannot {doing}"),
            Self::Broken => formatter.write_str(
                "an earlier write failed, so nothing more is written; resume the run to continue",
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
