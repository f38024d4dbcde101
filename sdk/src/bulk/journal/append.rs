//! The journal of a run, which appends to its file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::file::LockedFile;
use super::fingerprint::Fingerprint;
use super::format::{self, Record, Seal};
use super::in_flight::{Contradiction, InFlight};
use super::parameters::{Parameters, Position, RecordedStatus};
use super::past::{Claim, Kind, Past, Resend};
use super::reader::{reason_at, rejected_without_reason};
use super::replay::Replay;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::Recorded;
use crate::error::{JournalError, JournalErrorKind, JournalFailure as Failure};

/// The number of updates of an input that decide whether the journal belongs to it.
const MAX_JUDGED: u64 = 100;

/// A journal that one run at a time writes.
///
/// It locks its file until it is dropped or its process ends. On Unix the lock is advisory. On Windows others cannot
/// read the file in the meantime.
///
/// The methods block on the file: without `fsync` for the time to copy some kilobytes, with `fsync` for the disk.
pub(crate) struct Journal {
    pub(super) file: LockedFile,
    pub(super) past: Past,
    reasons: BTreeMap<Fingerprint, u64>,
    pub(super) in_flight: InFlight,
    seal: Seal,
    /// The first record of this run, until it is written.
    beginning: Option<Record<'static>>,
    is_broken: bool,
    fault: Option<JournalError>,
    /// The number of updates of the input that were looked up, and of those with a recorded item and locale.
    looked_up: u64,
    known: u64,
}

impl Journal {
    /// Opens the journal of earlier runs with the same parameters, or creates one.
    ///
    /// An incomplete last line, left by a killed run, is removed. A file that is empty, or whose first line is
    /// incomplete, becomes a new journal.
    ///
    /// # Errors
    ///
    /// Each [`JournalErrorKind`] can occur. Except after [`Io`](JournalErrorKind::Io), the file is unchanged.
    pub(crate) fn open(path: &Path, parameters: &Parameters) -> Result<Self, JournalError> {
        Self::opened(path, parameters).map_err(|failure| JournalError::new(path, failure))
    }

    fn opened(path: &Path, parameters: &Parameters) -> Result<Self, Failure> {
        let mut file = LockedFile::open(path)?;
        let mut replay = Replay::read(file.contents())?;
        if let Some(recorded) = &replay.parameters {
            parameters.agree(recorded)?;
        }
        file.truncate(replay.len)?;
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

    /// Sets whether each record reaches the disk before its method returns. Default: `false`.
    pub(crate) fn fsync(mut self, fsync: bool) -> Self {
        self.file.fsync = fsync;
        self
    }

    /// Returns `true` if an earlier run has updated an item.
    pub(crate) fn has_updated(&self) -> bool {
        self.past.count(Kind::Updated) > 0
    }

    /// Returns the number of updates of earlier runs that may have changed an item and are not in the input, once all
    /// of it was looked up.
    pub(crate) fn not_in_input(&self) -> u64 {
        self.past.unclaimed()
    }

    /// Looks up the record of the next update of the input, and returns its position behind the recorded updates of its
    /// item and locale. If the reason cannot be read, the journal accepts no further record, and
    /// [`take_fault`](Self::take_fault) returns the error.
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
                    .unwrap_or_else(rejected_without_reason)
                    .with_may_have_acted(may_have_acted),
            ),
            Some(Kind::Unknown) => Recorded::Unknown(self.reason(fingerprint)),
        };
        (position, recorded)
    }

    /// Returns `true` if enough of the input was looked up to decide whether the journal belongs to it.
    pub(crate) fn is_judged(&self) -> bool {
        self.past.is_empty() || self.known > 0 || self.looked_up >= MAX_JUDGED
    }

    /// Checks that the journal belongs to the input, when enough of the input was looked up or no more is available.
    ///
    /// # Errors
    ///
    /// [`OtherInput`](JournalErrorKind::OtherInput) if none of the items is recorded.
    pub(crate) fn judge(&self) -> Result<(), JournalError> {
        if self.past.is_empty() || self.known > 0 || self.looked_up == 0 {
            return Ok(());
        }
        let updates = self.looked_up;
        Err(self.error(JournalErrorKind::OtherInput { updates }))
    }

    /// Records that a request with these items is about to be sent.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction); [`Io`](JournalErrorKind::Io) or
    /// [`Broken`](JournalErrorKind::Broken). The request must then not be sent.
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

    /// Reverts the record of [`sent`](Self::sent) for a request with these items that was not sent, or that certainly
    /// changed nothing.
    ///
    /// An item that was unknown before that request is still unknown.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them has a status or was not sent;
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

    /// Records the statuses of items in one write.
    ///
    /// # Errors
    ///
    /// [`Contradiction`](JournalErrorKind::Contradiction) if one of them is updated or unknown without having been
    /// sent; [`Io`](JournalErrorKind::Io) or [`Broken`](JournalErrorKind::Broken). The items are then unknown to the
    /// next run.
    pub(crate) fn finished(
        &mut self,
        items: &[(Position, RecordedStatus)],
    ) -> Result<(), JournalError> {
        self.recording(|journal| {
            let mut updated = Vec::new();
            let mut others = Vec::new();
            for (item, status) in items {
                let index = item.index;
                let with = |reason| format::ItemReason {
                    index,
                    fingerprint: item.fingerprint,
                    after: item.after,
                    reason: Cow::Borrowed(reason),
                };
                match status {
                    RecordedStatus::Updated => {
                        journal.in_flight.updated(index)?;
                        updated.push(*item);
                    }
                    RecordedStatus::Rejected(reason) => others.push(Record::Rejected(with(reason))),
                    RecordedStatus::Unknown(reason) => {
                        if !(item.was_unknown || journal.in_flight.is_open(index)) {
                            let reason = "no request with it was sent";
                            return Err(Contradiction { index, reason }.into());
                        }
                        others.push(Record::Unknown(with(reason)));
                    }
                }
                journal.in_flight.finished(index);
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
        // Half a record may be in the file, or a whole one in memory only. No later record may follow it.
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

    /// Returns the reason for which an earlier run recorded an update as rejected or unknown.
    fn reason(&mut self, fingerprint: Fingerprint) -> Option<Reason> {
        let offset = self.reasons.get(&fingerprint).copied()?;
        let read = reason_at(self.file.file(), offset)
            .and_then(|reason| self.file.go_to_end().map(|()| reason));
        read.map_err(|error| {
            // The position may not be at the end any more, and the next record would overwrite others.
            self.is_broken = true;
            self.fault = Some(self.error(Failure::io("read it")(error)));
        })
        .ok()
    }

    /// Takes the error of reading a reason.
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
