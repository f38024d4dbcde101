//! Reading a journal from its beginning, line by line.

use std::io::{BufRead, Read};

use super::Parameters;
use super::error::{Failure, JournalErrorKind};
use super::format::{self, First, MAX_LINE, Seal};
use super::state::{Contradiction, State};

/// What is known when a journal has been read: nothing of it, but for a few bytes an item, stays in memory.
#[derive(Debug, Default)]
pub(super) struct Replay {
    pub(super) state: State,
    pub(super) seal: Seal,
    /// How many bytes the whole lines have.
    pub(super) len: u64,
    /// How many bytes there are.
    pub(super) total: u64,
    lines: u64,
}

impl Replay {
    /// Reads a journal of a run with these parameters. Without a whole line in it, it has yet to begin.
    pub(super) fn read(journal: impl BufRead, parameters: &Parameters) -> Result<Self, Failure> {
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
                return Ok(replay);
            }
            replay.total += read as u64;
            match line.strip_suffix(b"\n") {
                Some(line) => replay.line(line, parameters)?,
                None => replay.tail(&line)?,
            }
        }
    }

    fn line(&mut self, line: &[u8], parameters: &Parameters) -> Result<(), JournalErrorKind> {
        if self.lines == 0 {
            self.first(line, parameters)?;
        } else {
            if !self.seal.check(line) {
                return Err(self.damaged("its checksum does not fit"));
            }
            let record =
                format::read(line).ok_or_else(|| self.damaged("it holds no record of format 1"))?;
            self.state
                .apply(&record, self.len)
                .map_err(|Contradiction { index, reason }| {
                    self.damaged(&format!(
                        "it contradicts the lines before it about item {index}: {reason}"
                    ))
                })?;
        }
        self.lines += 1;
        self.len = self.total;
        Ok(())
    }

    fn first(&mut self, line: &[u8], parameters: &Parameters) -> Result<(), JournalErrorKind> {
        match format::read_first(line, &mut self.seal) {
            First::Header(recorded) => parameters.agree(&recorded),
            First::OtherFormat(found) => Err(JournalErrorKind::OtherFormat { found }),
            First::Damaged => Err(self.damaged("its checksum does not fit")),
            First::Foreign => Err(JournalErrorKind::NotAJournal),
        }
    }

    /// What stands behind the last line break.
    fn tail(&self, tail: &[u8]) -> Result<(), JournalErrorKind> {
        match self.lines {
            0 if format::is_torn_header(tail) => Ok(()),
            0 => Err(JournalErrorKind::NotAJournal),
            _ if format::is_torn(tail) => Ok(()),
            _ => Err(self.damaged("it goes on where it should end")),
        }
    }

    fn damaged(&self, reason: &str) -> JournalErrorKind {
        JournalErrorKind::Damaged {
            line: self.lines + 1,
            reason: reason.into(),
        }
    }
}
