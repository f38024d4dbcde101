//! The read of a journal from its beginning, line by line.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use super::fingerprint::Fingerprint;
use super::format::{self, First, ItemReason, MAX_LINE, Record, Seal};
use super::in_flight::{Contradiction, InFlight};
use super::parameters::Parameters;
use super::past::{Kind, Past};
use crate::error::{JOURNAL_FORMAT as VERSION, JournalErrorKind, JournalFailure as Failure};

/// The content of a journal, in a few bytes per update.
#[derive(Debug, Default)]
pub(super) struct Replay {
    /// `None` if the first line is incomplete.
    pub(super) parameters: Option<Parameters>,
    pub(super) past: Past,
    /// The offsets of the lines with reasons.
    pub(super) reasons: BTreeMap<Fingerprint, u64>,
    /// The number of runs with records.
    pub(super) runs: u64,
    pub(super) seal: Seal,
    /// The length of the complete lines, in bytes.
    pub(super) len: u64,
    /// The length of all that was read, in bytes.
    total: u64,
    lines: u64,
    in_flight: InFlight,
}

impl Replay {
    /// Reads a journal.
    pub(super) fn read(journal: impl BufRead) -> Result<Self, Failure> {
        let mut replay = Self::default();
        let mut journal = journal;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = journal
                .by_ref()
                .take(MAX_LINE as u64)
                .read_until(b'\n', &mut line)
                .map_err(Failure::io("read it"))?;
            if read == 0 {
                replay.end_run();
                return Ok(replay);
            }
            replay.total += read as u64;
            match line.strip_suffix(b"\n") {
                Some(line) => replay.line(line)?,
                // Anything that a run in progress has written since belongs to that line.
                None => {
                    replay.tail(&line)?;
                    replay.end_run();
                    return Ok(replay);
                }
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), JournalErrorKind> {
        if self.lines == 0 {
            self.first(line)?;
        } else {
            if !self.seal.check(line) {
                return Err(self.damaged("its checksum does not match"));
            }
            let record =
                format::read(line).ok_or_else(|| self.damaged("it holds no record of format 3"))?;
            self.record(record)?;
        }
        self.lines += 1;
        self.len = self.total;
        Ok(())
    }

    fn first(&mut self, line: &[u8]) -> Result<(), JournalErrorKind> {
        match format::read_first(line, &mut self.seal) {
            First::Header(recorded) => {
                self.parameters = Some(recorded);
                self.runs = 1;
                Ok(())
            }
            First::OtherFormat(found) => Err(JournalErrorKind::UnsupportedFormat {
                found,
                supported: VERSION,
            }),
            First::Damaged => Err(self.damaged("its checksum does not match")),
            First::Foreign => Err(JournalErrorKind::NotAJournal),
        }
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), JournalErrorKind> {
        match record {
            Record::Run(number) => {
                if Some(number) != self.runs.checked_add(1) {
                    return Err(self.damaged("it begins a run that is not the next one"));
                }
                self.runs = number;
                self.end_run();
                Ok(())
            }
            Record::Sent(sent) => {
                let positions = sent
                    .positions()
                    .ok_or_else(|| self.damaged("its items do not match their positions"))?;
                for item in positions {
                    let was_unknown = self.past.replace(item.fingerprint, item.after);
                    self.in_flight
                        .sent(item.index, item.fingerprint, was_unknown)
                        .map_err(|contradiction| self.contradicts(contradiction))?;
                }
                Ok(())
            }
            // Ends at the first item that was not sent, however long the span is.
            Record::Unsent(spans) => {
                for index in indices(&spans) {
                    self.in_flight
                        .unsent(index)
                        .map_err(|contradiction| self.contradicts(contradiction))?;
                }
                let unsent = self.in_flight.take_unsent();
                self.push(unsent);
                Ok(())
            }
            Record::Updated(spans) => {
                for index in indices(&spans) {
                    let fingerprint = self
                        .in_flight
                        .updated(index)
                        .map_err(|contradiction| self.contradicts(contradiction))?;
                    self.reasons.remove(&fingerprint);
                    self.past.push(fingerprint, Kind::Updated);
                }
                Ok(())
            }
            Record::Rejected(record) => {
                self.add_reason(&record, Kind::Rejected);
                Ok(())
            }
            Record::Unknown(record) => {
                self.add_reason(&record, Kind::Unknown);
                Ok(())
            }
        }
    }

    fn add_reason(&mut self, record: &ItemReason<'_>, kind: Kind) {
        // A request that was reverted long ago is not in flight.
        if !self.in_flight.has(record.index) {
            self.past.replace(record.fingerprint, record.after);
        }
        self.in_flight.finished(record.index);
        self.reasons.insert(record.fingerprint, self.len);
        match kind {
            Kind::Rejected => {
                let may_have_acted = record.reason.may_have_acted();
                self.past.push_rejected(record.fingerprint, may_have_acted);
            }
            kind => self.past.push(record.fingerprint, kind),
        }
    }

    /// Ends the records of a run. Updates in flight keep their state.
    fn end_run(&mut self) {
        let open = self.in_flight.take_all();
        self.push(open);
        self.past.begin_run();
    }

    fn push(&mut self, updates: Vec<(Fingerprint, Kind)>) {
        for (fingerprint, kind) in updates {
            self.past.push(fingerprint, kind);
        }
    }

    /// Checks the bytes after the last line break.
    fn tail(&self, tail: &[u8]) -> Result<(), JournalErrorKind> {
        match self.lines {
            0 if format::is_torn_header(tail) => Ok(()),
            0 => Err(JournalErrorKind::NotAJournal),
            _ if format::is_torn(tail) => Ok(()),
            _ => Err(self.damaged("it continues where it should end")),
        }
    }

    fn contradicts(&self, Contradiction { index, reason }: Contradiction) -> JournalErrorKind {
        self.damaged(&format!(
            "it contradicts the lines before it about item {}: {reason}",
            index.saturating_add(1)
        ))
    }

    fn damaged(&self, reason: &str) -> JournalErrorKind {
        JournalErrorKind::Damaged {
            line: self.lines + 1,
            reason: reason.into(),
        }
    }
}

pub(super) fn indices(spans: &[format::Span]) -> impl Iterator<Item = u64> {
    spans.iter().flat_map(|&(first, last)| first..=last)
}
