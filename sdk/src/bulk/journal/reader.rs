//! A journal that is looked at.

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

/// How many updates a journal holds as what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Updates that are made.
    pub updated: u64,
    /// Updates that were rejected.
    pub rejected: u64,
    /// Updates that a request may have made.
    pub unknown: u64,
}

/// Reads what a bulk run has recorded in its [journal](super::super::Bulk::journal). It writes nothing, and can be used
/// while a run goes on; what that run records later is not seen.
///
/// ```no_run
/// # fn example(updates: Vec<webflow_cms::ItemUpdate>) -> Result<(), webflow_cms::Error> {
/// use webflow_cms::bulk::{JournalReader, Recorded};
///
/// let mut journal = JournalReader::open("sync.journal")?;
/// println!("{:?}", journal.tally());
/// for update in &updates {
///     if let Recorded::Rejected(reason) = journal.recorded(update)? {
///         println!("{}: {}", update.key(), reason.message());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    file: File,
    parameters: Option<Parameters>,
    past: Past,
    reasons: BTreeMap<Fingerprint, u64>,
}

impl JournalReader {
    /// Reads a journal. A line that a killed run has left half written is passed over.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Journal`](crate::ErrorKind::Journal) with a [`JournalError`] as the source: there is no such file, it
    /// cannot be read, it is not a journal, or it is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        Self::read(path).map_err(|failure| JournalError::new(path, failure).into())
    }

    /// Reads the journal with which a run with these parameters would go on, if there is one.
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

    /// The collection whose items the run updates. `None` if nothing is recorded yet.
    #[must_use]
    pub fn collection(&self) -> Option<CollectionId> {
        self.parameters.map(|parameters| parameters.collection)
    }

    /// How many updates are recorded as what.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            updated: self.past.count(Kind::Updated),
            rejected: self.past.count(Kind::Rejected),
            unknown: self.past.count(Kind::Unknown),
        }
    }

    /// What is recorded of an update of the input, as a run with that input would see it. Updates of one item in one
    /// locale are to be asked for in the order of the input, each once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Journal`](crate::ErrorKind::Journal) if the file cannot be read any more.
    pub fn recorded(&mut self, update: &ItemUpdate) -> Result<Recorded, Error> {
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
                Some(reason) => reason.knowing(claim.may_have_acted),
                None => rejected_for_no_reason(),
            }),
            Some(Kind::Unknown) => Recorded::Unknown(reason.map(read).transpose()?),
        })
    }
}

/// Every rejection is recorded with its reason.
pub(super) fn rejected_for_no_reason() -> Reason {
    Reason::new("rejected", "an earlier run has found that it is refused")
}

/// The reason in the line that begins at this offset.
pub(super) fn reason_at(file: &File, offset: u64) -> io::Result<Reason> {
    use super::format::{self, Record};
    match format::read(&file::line_at(file, offset)?) {
        Some(Record::Rejected(settled) | Record::Unknown(settled)) => {
            Ok(settled.reason.into_owned())
        }
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no reason is where one was recorded",
        )),
    }
}
