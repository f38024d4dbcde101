//! A reader of journals.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use super::file;
use super::fingerprint::Fingerprint;
use super::format::MAX_LINE;
use super::parameters::Parameters;
use super::past::{Kind, Past, Resend};
use super::replay::Replay;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::Recorded;
use crate::error::{Error, JournalError, JournalErrorKind, JournalFailure as Failure};
use crate::id::CollectionId;
use crate::model::ItemUpdate;

/// The number of updates in a journal by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalCounts {
    /// Updates that are made.
    pub updated: u64,
    /// Updates that were rejected.
    pub rejected: u64,
    /// Updates that a request may have made.
    pub unknown: u64,
}

/// Reads the [journal](super::super::Bulk::journal) of a bulk run.
///
/// It writes nothing, and can be used during a run. Later records of that run are not included.
///
/// ```no_run
/// # fn example(updates: Vec<webflow_cms::ItemUpdate>) -> Result<(), webflow_cms::Error> {
/// use webflow_cms::bulk::{JournalReader, Recorded};
///
/// let mut journal = JournalReader::open("sync.journal")?;
/// println!("{:?}", journal.counts());
/// for update in &updates {
///     if let Recorded::Rejected(reason) = journal.look_up(update)? {
///         println!("{}: {}", update.key(), reason.message());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a journal is opened to be read"]
pub struct JournalReader {
    path: PathBuf,
    file: File,
    parameters: Option<Parameters>,
    past: Past,
    reasons: BTreeMap<Fingerprint, u64>,
}

impl JournalReader {
    /// Opens a journal and reads it. An incomplete last line, left by a killed run, is ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Journal`](crate::ErrorKind::Journal) with a [`JournalError`] as its source: the file does not
    /// exist, cannot be read, is not a journal, has another format, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::read(path).map_err(|failure| JournalError::new(path, failure).into())
    }

    /// Reads the journal that a run with these parameters would continue, if there is one.
    pub(in crate::bulk) fn of_run(
        path: &Path,
        parameters: &Parameters,
    ) -> Result<Option<Self>, Error> {
        let agreeing = |reader: Self| match &reader.parameters {
            Some(recorded) => Ok(parameters.agree(recorded).map(|()| reader)?),
            None => Ok(reader),
        };
        match Self::read(path).and_then(agreeing) {
            Ok(reader) => Ok(Some(reader)),
            Err(failure) if failure.kind() == &JournalErrorKind::Missing => Ok(None),
            Err(failure) => Err(JournalError::new(path, failure).into()),
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let file = file::open_to_read(path)?;
        let replay = Replay::read(BufReader::with_capacity(MAX_LINE, &file))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            parameters: replay.parameters,
            past: replay.past,
            reasons: replay.reasons,
        })
    }

    /// Returns the collection of the items. `None` if the journal is empty.
    #[must_use]
    pub fn collection(&self) -> Option<CollectionId> {
        self.parameters.map(|parameters| parameters.collection)
    }

    /// Returns the number of updates by status.
    #[must_use]
    pub fn counts(&self) -> JournalCounts {
        JournalCounts {
            updated: self.past.count(Kind::Updated),
            rejected: self.past.count(Kind::Rejected),
            unknown: self.past.count(Kind::Unknown),
        }
    }

    /// Returns the record of an update, as a run with this input would see it.
    ///
    /// Look up the updates of one item in one locale in the order of the input, each once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Journal`](crate::ErrorKind::Journal) if the file can no longer be read.
    pub fn look_up(&mut self, update: &ItemUpdate) -> Result<Recorded, Error> {
        let line = update.to_json()?;
        self.claim(Fingerprint::new(update.key(), &line), Resend::default())
    }

    pub(in crate::bulk) fn claim(
        &mut self,
        fingerprint: Fingerprint,
        resend: Resend,
    ) -> Result<Recorded, Error> {
        self.claimed(fingerprint, resend)
            .map_err(|failure| JournalError::new(&self.path, failure).into())
    }

    fn claimed(&mut self, fingerprint: Fingerprint, resend: Resend) -> Result<Recorded, Failure> {
        let reason = self.reasons.get(&fingerprint).copied();
        let read = |offset| reason_at(&self.file, offset).map_err(Failure::io("read it"));
        let claim = self.past.claim(fingerprint, resend);
        Ok(match claim.recorded {
            None | Some(Kind::New) => Recorded::New,
            Some(Kind::Updated) => Recorded::Updated,
            Some(Kind::Rejected) => Recorded::Rejected(match reason.map(read).transpose()? {
                Some(reason) => reason.with_may_have_acted(claim.may_have_acted),
                None => rejected_without_reason(),
            }),
            Some(Kind::Unknown) => Recorded::Unknown(reason.map(read).transpose()?),
        })
    }
}

/// The reason of a rejected update whose reason is not recorded, which does not happen.
pub(super) fn rejected_without_reason() -> Reason {
    Reason::new("rejected", "an earlier run recorded it as rejected")
}

/// Returns the reason in the line at an offset.
pub(super) fn reason_at(file: &File, offset: u64) -> io::Result<Reason> {
    use super::format::{self, Record};
    match format::read(&file::line_at(file, offset)?) {
        Some(Record::Rejected(record) | Record::Unknown(record)) => Ok(record.reason.into_owned()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "there is no reason where one was recorded",
        )),
    }
}
