//! The file in which a run records what it sends and what comes of it, so that a run that was killed can be resumed.

mod digest;
mod error;
mod file;
mod format;
mod replay;
mod state;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;

pub use digest::Digest;
pub use error::{JournalError, JournalErrorKind};
pub use state::{Recorded, Tally};

use super::Reason;
use crate::CollectionId;
use error::Failure;
use file::LockedFile;
use format::{Record, Seal};
use replay::Replay;
use state::{Contradiction, State};

/// The parameters of a run by which its journal is known again: what an item comes to depends on them.
///
/// The token and the base URL are not among them. The first is a secret, and the second may change between two runs
/// without a change of what is updated, as when a proxy is put in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameters {
    /// The collection that is updated.
    pub collection: CollectionId,
    /// Whether files that cannot be imported are skipped; none where Webflow decides.
    pub skip_invalid_files: Option<bool>,
}

impl Parameters {
    /// The parameters of a run on a collection, with all else left to Webflow.
    #[must_use]
    pub fn new(collection: CollectionId) -> Self {
        Self {
            collection,
            skip_invalid_files: None,
        }
    }

    /// Whether files that cannot be imported are skipped.
    #[must_use]
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.skip_invalid_files = Some(skip);
        self
    }

    fn agree(&self, recorded: &Self) -> Result<(), JournalErrorKind> {
        if self.collection != recorded.collection {
            return Err(JournalErrorKind::OtherCollection {
                recorded: recorded.collection,
            });
        }
        if self.skip_invalid_files != recorded.skip_invalid_files {
            return Err(JournalErrorKind::OtherParameter {
                name: "skip_invalid_files",
                recorded: recorded.skip_invalid_files,
            });
        }
        Ok(())
    }
}

/// A place in the input and the item that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The place, counted from 0.
    pub index: u64,
    /// The digest of the item.
    pub digest: Digest,
}

/// What came of an item. One that was not attempted is not settled: a resumed run attempts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled<'a> {
    /// It is updated.
    Updated,
    /// It was rejected, for this reason.
    Rejected(&'a Reason),
    /// A request may have changed it, and for this reason it is not known whether one has.
    Unknown(&'a Reason),
}

/// [`Settled`], without the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Updated,
    Rejected,
    Unknown,
}

/// A file that holds what a run has sent and what came of it.
///
/// The order of calls is what makes a run that was killed at any moment resumable: [`sent`](Self::sent) before the
/// request leaves, and [`settled`](Self::settled) before an outcome is handed out. A request of which it is certain
/// that it changed nothing, such as one that had too many before it, is taken back by [`unsent`](Self::unsent), so that
/// its items are not in doubt while the run waits to send them again.
///
/// What a method records has been handed to the operating system when it returns, in one write, and survives the end
/// of the process. It survives the end of the machine only with [`fsync`](Self::fsync).
///
/// The file is of JSON lines, each with a checksum, and holds positions, digests and reasons, but no content of the
/// items and no token. It takes about 80 bytes an item. In memory the journal takes about 10 bytes for each item that an
/// earlier run has recorded or that is not settled, next to nothing for the others, and some 30 for each that has a
/// reason.
///
/// # Two runs at once
///
/// A journal locks its file until it is dropped or its process ends in whatever way. The lock is advisory on Unix; on
/// Windows the file cannot be read by others in the meantime. On a file system that has no locks no journal can be
/// kept.
///
/// # Blocking
///
/// The methods block on the file. Without `fsync` they copy some kilobytes into the memory of the operating system, in
/// less time than the request's own serialization, twice a request, of which there are one or two a second: async code
/// can call them directly. With `fsync` each waits for the disk, commonly for 1 to 20 ms; a program that cannot spare
/// its thread so long moves the journal to one where it can, such as by `tokio::task::spawn_blocking`. Resuming reads
/// the whole file.
pub struct Journal {
    file: LockedFile,
    state: State,
    seal: Seal,
    is_broken: bool,
}

impl Journal {
    /// Begins a journal in a file that does not exist, or is empty.
    ///
    /// # Errors
    ///
    /// [`Exists`](JournalErrorKind::Exists) if there is something in the file, journal or not, so that no record is
    /// lost; [`NotAFile`](JournalErrorKind::NotAFile), [`InUse`](JournalErrorKind::InUse) or
    /// [`Io`](JournalErrorKind::Io).
    pub fn create(path: impl AsRef<Path>, parameters: &Parameters) -> Result<Self, JournalError> {
        let path = path.as_ref();
        Self::created(path, parameters).map_err(|failure| JournalError::new(path, failure))
    }

    /// Goes on with a journal of an earlier run on the same input, with the same parameters.
    ///
    /// What a killed run has left of its last line is cut off. An empty file is begun, as is one in which not even the
    /// first line is whole. A file that is missing is an error, since a wrong path would send everything once more;
    /// who wants it begun calls [`create`](Self::create) in the case of [`Missing`](JournalErrorKind::Missing), which
    /// does no harm if somebody else does so at the same time.
    ///
    /// # Errors
    ///
    /// [`JournalErrorKind`] says it all; but for an [`Io`](JournalErrorKind::Io) on the way the file is left as it is.
    pub fn resume(path: impl AsRef<Path>, parameters: &Parameters) -> Result<Self, JournalError> {
        let path = path.as_ref();
        Self::resumed(path, parameters).map_err(|failure| JournalError::new(path, failure))
    }

    /// Whether each record is to be on the disk before its method returns; `false` unless called.
    ///
    /// Without it a record survives that the process is killed, but maybe not that the machine loses power.
    #[must_use]
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.file.fsync = fsync;
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// What is recorded of an item, in this run and in earlier ones.
    ///
    /// # Errors
    ///
    /// [`OtherInput`](JournalErrorKind::OtherInput) if another item was recorded at its position. What this run has
    /// settled itself may not be compared any more.
    pub fn recorded(&self, item: Position) -> Result<Recorded, JournalError> {
        let index = item.index;
        self.state
            .recorded(item)
            .ok_or_else(|| self.error(JournalErrorKind::OtherInput { index }))
    }

    /// How many items are recorded as what, in this run and in earlier ones.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.state.tally()
    }

    /// Says, at the end of an input with so many items, whether items were recorded beyond it, which would then be in
    /// no account.
    ///
    /// # Errors
    ///
    /// [`InputTooShort`](JournalErrorKind::InputTooShort). That an input has got longer is none.
    pub fn check_end(&self, items: u64) -> Result<(), JournalError> {
        let recorded = self.state.end();
        if recorded > items {
            return Err(self.error(JournalErrorKind::InputTooShort { items, recorded }));
        }
        Ok(())
    }

    /// Why an item was rejected, or is unknown, if that is how it was last settled. It is read from the file.
    ///
    /// # Errors
    ///
    /// [`Io`](JournalErrorKind::Io), after which the journal records nothing more.
    pub fn reason(&mut self, index: u64) -> Result<Option<Reason>, JournalError> {
        let Some(offset) = self.state.reason(index) else {
            return Ok(None);
        };
        self.reason_at(offset).map(Some).map_err(|error| {
            // Without the way back to the end, the next record would overwrite others.
            self.is_broken = true;
            self.error(Failure::io("read it")(error))
        })
    }

    /// Records that a request with these items is about to leave.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is updated or rejected;
    /// [`Io`](JournalErrorKind::Io) or [`Broken`](JournalErrorKind::Broken). The request must not be sent then.
    pub fn sent(&mut self, items: &[Position]) -> Result<(), JournalError> {
        let lines = items.chunks(format::MAX_ITEMS);
        self.append(lines.map(|items| Record::Sent(items.to_vec())))
    }

    /// Takes back what [`sent`](Self::sent) has recorded of a request with these items: it did not leave, or was
    /// answered in a way that tells that nothing has changed, which is where [`Error::may_have_acted`] is `false`.
    ///
    /// An item that was in doubt before that request still is.
    ///
    /// [`Error::may_have_acted`]: crate::Error::may_have_acted
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is settled or was not sent;
    /// [`Io`](JournalErrorKind::Io) or [`Broken`](JournalErrorKind::Broken).
    pub fn unsent(&mut self, items: &[Position]) -> Result<(), JournalError> {
        let lines = items.chunks(format::MAX_ITEMS);
        self.append(lines.map(|items| {
            let indices = items.iter().map(|item| item.index);
            Record::Unsent(format::runs(indices))
        }))
    }

    /// Records what came of items: a line for each, all in one write.
    ///
    /// Updated and rejected are for good; what is unknown can be settled again, after another request.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is updated or rejected already, or is to be
    /// updated or unknown without having been sent; [`Io`](JournalErrorKind::Io) or
    /// [`Broken`](JournalErrorKind::Broken). The items are then in doubt for the next run, whatever came of them.
    pub fn settled<'a>(
        &mut self,
        items: impl IntoIterator<Item = (Position, Settled<'a>)>,
    ) -> Result<(), JournalError> {
        self.append(items.into_iter().map(|(item, settled)| {
            let (verdict, reason) = match settled {
                Settled::Updated => (Verdict::Updated, None),
                Settled::Rejected(reason) => (Verdict::Rejected, Some(Cow::Borrowed(reason))),
                Settled::Unknown(reason) => (Verdict::Unknown, Some(Cow::Borrowed(reason))),
            };
            Record::Settled(item, verdict, reason)
        }))
    }

    fn created(path: &Path, parameters: &Parameters) -> Result<Self, Failure> {
        let file = LockedFile::open(path, true)?;
        if file.is_empty()? {
            Self::begin(file, parameters)
        } else {
            Err(JournalErrorKind::Exists.into())
        }
    }

    fn resumed(path: &Path, parameters: &Parameters) -> Result<Self, Failure> {
        let mut file = LockedFile::open(path, false)?;
        let replay = Replay::read(file.contents(), parameters)?;
        file.go_on_at(replay.len)?;
        if replay.len == 0 {
            return Self::begin(file, parameters);
        }
        let mut state = replay.state;
        state.begin_own();
        Ok(Self {
            file,
            state,
            seal: replay.seal,
            is_broken: false,
        })
    }

    fn begin(mut file: LockedFile, parameters: &Parameters) -> Result<Self, Failure> {
        let mut seal = Seal::default();
        let mut line = Vec::new();
        format::write_header(&mut line, &mut seal, parameters).map_err(unwritable)?;
        file.append(&line)?;
        let mut state = State::default();
        state.begin_own();
        Ok(Self {
            file,
            state,
            seal,
            is_broken: false,
        })
    }

    fn append<'a>(
        &mut self,
        records: impl Iterator<Item = Record<'a>>,
    ) -> Result<(), JournalError> {
        if self.is_broken {
            return Err(self.error(JournalErrorKind::Broken));
        }
        let appended = self.try_append(records);
        // Half a record may be in the file, or a whole one in the state only; either way what comes next must not
        // build on it.
        self.is_broken = appended.is_err();
        appended.map_err(|failure| self.error(failure))
    }

    fn try_append<'a>(&mut self, records: impl Iterator<Item = Record<'a>>) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for record in records {
            let offset = self.file.len() + lines.len() as u64;
            self.state
                .apply(&record, offset)
                .map_err(
                    |Contradiction { index, reason }| JournalErrorKind::Contradiction {
                        index,
                        reason,
                    },
                )?;
            format::write(&mut lines, &mut self.seal, &record).map_err(unwritable)?;
        }
        self.file.append(&lines)
    }

    fn reason_at(&mut self, offset: u64) -> io::Result<Reason> {
        match format::read(&self.file.line_at(offset)?) {
            Some(Record::Settled(_, _, Some(reason))) => Ok(reason.into_owned()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "no reason is where one was recorded",
            )),
        }
    }

    fn error(&self, failure: impl Into<Failure>) -> JournalError {
        JournalError::new(self.path(), failure.into())
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Journal")
            .field("path", &self.path())
            .field("tally", &self.tally())
            .field("fsync", &self.file.fsync)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::io("write to it")(error.into())
}

#[cfg(test)]
mod tests;
