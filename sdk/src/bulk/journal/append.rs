//! A journal to which a run appends.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::file::LockedFile;
use super::fingerprint::Fingerprint;
use super::format::{self, Record, Seal};
use super::in_flight::{Contradiction, InFlight};
use super::parameters::{Parameters, Position, Settled};
use super::past::{Claim, Kind, Past, Resend};
use super::reader::{reason_at, rejected_for_no_reason};
use super::replay::Replay;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::Recorded;
use crate::error::{JournalError, JournalErrorKind, JournalFailure as Failure};

/// How many updates of an input are looked at to tell whether the journal is of it.
const LOOKED_AT: u64 = 100;

/// A journal that is written by one run at a time. It locks its file until it is dropped or its process ends in whatever
/// way. The lock is advisory on Unix; on Windows the file cannot be read by others in the meantime.
///
/// The methods block on the file: without `fsync` for as long as it takes to copy some kilobytes, with it for the disk.
pub(crate) struct Journal {
    pub(super) file: LockedFile,
    pub(super) past: Past,
    reasons: BTreeMap<Fingerprint, u64>,
    pub(super) in_flight: InFlight,
    seal: Seal,
    /// The record that this run begins with, until it is written.
    beginning: Option<Record<'static>>,
    is_broken: bool,
    fault: Option<JournalError>,
    /// How many updates of the input were looked up, and how many of them are of a known item and locale.
    looked_up: u64,
    known: u64,
}

impl Journal {
    /// Goes on with a journal of earlier runs with the same parameters, or begins one where there is none.
    ///
    /// What a killed run has left of its last line is cut off. An empty file is begun, as is one in which not even the
    /// first line is whole.
    ///
    /// # Errors
    ///
    /// [`JournalErrorKind`] says it all; but for an [`Io`](JournalErrorKind::Io) on the way the file is left as it is.
    pub(crate) fn open(path: &Path, parameters: &Parameters) -> Result<Self, JournalError> {
        Self::opened(path, parameters).map_err(|failure| JournalError::new(path, failure))
    }

    fn opened(path: &Path, parameters: &Parameters) -> Result<Self, Failure> {
        let mut file = LockedFile::open(path)?;
        let mut replay = Replay::read(file.contents())?;
        if let Some(recorded) = &replay.parameters {
            parameters.agree(recorded)?;
        }
        file.go_on_at(replay.len)?;
        if replay.parameters.is_none() {
            let mut line = Vec::new();
            format::write_header(&mut line, &mut replay.seal, parameters).map_err(unwritable)?;
            file.append(&line)?;
        }
        let beginning = (replay.runs > 0).then(|| Record::Run(replay.runs.saturating_add(1)));
        Ok(Self {
            file,
            past: replay.past,
            reasons: replay.reasons,
            in_flight: InFlight::default(),
            seal: replay.seal,
            beginning,
            is_broken: false,
            fault: None,
            looked_up: 0,
            known: 0,
        })
    }

    /// Whether each record is to be on the disk before its method returns; `false` unless called.
    pub(crate) fn fsync(mut self, fsync: bool) -> Self {
        self.file.fsync = fsync;
        self
    }

    /// Whether an earlier run has updated anything.
    pub(crate) fn has_updated(&self) -> bool {
        self.past.count(Kind::Updated) > 0
    }

    /// How many updates may have changed an item in an earlier run and are not in the input, once all of it was looked up.
    pub(crate) fn left_out(&self) -> u64 {
        self.past.unclaimed()
    }

    /// Looks up what earlier runs have recorded of the next update of the input, and places it behind what is recorded of
    /// its item and locale. If the reason cannot be read, the journal records nothing more, and [`fault`](Self::take_fault)
    /// says why.
    pub(crate) fn look_up(
        &mut self,
        index: u64,
        fingerprint: Fingerprint,
        resend: Resend,
    ) -> (Position, Recorded) {
        self.looked_up += 1;
        self.known += u64::from(self.past.knows(fingerprint));
        let Claim {
            recorded,
            may_have_acted,
            after,
        } = self.past.claim(fingerprint, resend);
        let position = Position {
            index,
            fingerprint,
            after,
            was_unknown: recorded == Some(Kind::Unknown),
        };
        let recorded = match recorded {
            None | Some(Kind::New) => Recorded::New,
            Some(Kind::Updated) => Recorded::Updated,
            Some(Kind::Rejected) => Recorded::Rejected(
                self.reason(fingerprint)
                    .unwrap_or_else(rejected_for_no_reason)
                    .knowing(may_have_acted),
            ),
            Some(Kind::Unknown) => Recorded::Unknown(self.reason(fingerprint)),
        };
        (position, recorded)
    }

    /// Whether enough of the input was looked up to tell whether the journal is of it.
    pub(crate) fn is_judged(&self) -> bool {
        self.past.is_empty() || self.known > 0 || self.looked_up >= LOOKED_AT
    }

    /// Says, when enough of the input was looked up or no more can be, whether the journal is of another input.
    ///
    /// # Errors
    ///
    /// [`OtherInput`](JournalErrorKind::OtherInput).
    pub(crate) fn judge(&self) -> Result<(), JournalError> {
        if self.past.is_empty() || self.known > 0 || self.looked_up == 0 {
            return Ok(());
        }
        let updates = self.looked_up;
        Err(self.error(JournalErrorKind::OtherInput { updates }))
    }

    /// Records that a request with these items is about to leave.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction); [`Io`](JournalErrorKind::Io) or
    /// [`Broken`](JournalErrorKind::Broken). The request must not be sent then.
    pub(crate) fn sent(&mut self, items: &[Position]) -> Result<(), JournalError> {
        self.recording(|journal| {
            for item in items {
                journal
                    .in_flight
                    .sent(item.index, item.fingerprint, item.was_unknown)?;
            }
            let lines = items.chunks(format::MAX_ITEMS);
            journal.append(lines.map(|items| Record::Sent(format::Sent::new(items))))
        })
    }

    /// Takes back what [`sent`](Self::sent) has recorded of a request with these items: it did not leave, or was
    /// answered in a way that tells that nothing has changed.
    ///
    /// An item that was unknown before that request still is.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is settled or was not sent;
    /// [`Io`](JournalErrorKind::Io) or [`Broken`](JournalErrorKind::Broken).
    pub(crate) fn unsent(&mut self, items: &[Position]) -> Result<(), JournalError> {
        self.recording(|journal| {
            for item in items {
                journal.in_flight.unsent(item.index)?;
            }
            journal.in_flight.take_unsent();
            let lines = items.chunks(format::MAX_ITEMS);
            journal.append(lines.map(|items| Record::Unsent(spans(items))))
        })
    }

    /// Records what came of items, all in one write.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is to be updated or unknown without having been
    /// sent; [`Io`](JournalErrorKind::Io) or [`Broken`](JournalErrorKind::Broken). The items are then unknown to the next
    /// run, whatever came of them.
    pub(crate) fn settled(&mut self, items: &[(Position, Settled)]) -> Result<(), JournalError> {
        self.recording(|journal| {
            let mut updated = Vec::new();
            let mut others = Vec::new();
            for (item, settled) in items {
                let index = item.index;
                let with = |reason| format::Settled {
                    index,
                    item: item.fingerprint,
                    after: item.after,
                    reason: Cow::Borrowed(reason),
                };
                match settled {
                    Settled::Updated => {
                        journal.in_flight.updated(index)?;
                        updated.push(*item);
                    }
                    Settled::Rejected(reason) => others.push(Record::Rejected(with(reason))),
                    Settled::Unknown(reason) => {
                        if !(item.was_unknown || journal.in_flight.is_open(index)) {
                            let reason = "no request with it has left";
                            return Err(Contradiction { index, reason }.into());
                        }
                        others.push(Record::Unknown(with(reason)));
                    }
                }
                journal.in_flight.settled(index);
            }
            let updated = updated
                .chunks(format::MAX_ITEMS)
                .map(|items| Record::Updated(spans(items)));
            journal.append(updated.chain(others))
        })
    }

    fn recording(
        &mut self,
        record: impl FnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), JournalError> {
        if self.is_broken {
            return Err(self.error(JournalErrorKind::Broken));
        }
        let recorded = record(self);
        // Half a record may be in the file, or a whole one in memory only; either way what comes next must not build
        // on it.
        self.is_broken = recorded.is_err();
        recorded.map_err(|failure| self.error(failure))
    }

    fn append<'a>(&mut self, records: impl Iterator<Item = Record<'a>>) -> Result<(), Failure> {
        let mut lines = Vec::new();
        for record in self.beginning.take().into_iter().chain(records) {
            format::write(&mut lines, &mut self.seal, &record).map_err(unwritable)?;
        }
        self.file.append(&lines)
    }

    /// Why an update was rejected, or is unknown, in an earlier run.
    fn reason(&mut self, fingerprint: Fingerprint) -> Option<Reason> {
        let offset = self.reasons.get(&fingerprint).copied()?;
        let read = reason_at(self.file.file(), offset)
            .and_then(|reason| self.file.go_to_end().map(|()| reason));
        read.map_err(|error| {
            // Without the way back to the end, the next record would overwrite others.
            self.is_broken = true;
            self.fault = Some(self.error(Failure::io("read it")(error)));
        })
        .ok()
    }

    /// Why a reason could not be read, once.
    pub(crate) fn take_fault(&mut self) -> Option<JournalError> {
        self.fault.take()
    }

    pub(super) fn error(&self, failure: impl Into<Failure>) -> JournalError {
        JournalError::new(self.file.path(), failure.into())
    }
}

pub(super) fn spans(items: &[Position]) -> Vec<format::Span> {
    format::spans(items.iter().map(|item| item.index))
}

impl fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Journal")
            .field("path", &self.file.path())
            .field("fsync", &self.file.fsync)
            .field("is_broken", &self.is_broken)
            .finish_non_exhaustive()
    }
}

impl From<Contradiction> for Failure {
    fn from(Contradiction { index, reason }: Contradiction) -> Self {
        JournalErrorKind::Contradiction { index, reason }.into()
    }
}

fn unwritable(error: serde_json::Error) -> Failure {
    Failure::io("write to it")(error.into())
}
