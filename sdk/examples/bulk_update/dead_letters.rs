//! The file of the rows that were not updated.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use webflow_cms::bulk::Outcome;

use super::Failure;
use super::files::{Files, Opened};

pub(crate) struct DeadLetters {
    opened: Opened,
    lines: u64,
    fault: Option<io::Error>,
}

/// The file after the run.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) lines: u64,
    /// Whether the lines can be read there: `/dev/null` keeps none.
    pub(crate) is_kept: bool,
    /// Why lines are missing.
    pub(crate) fault: Option<io::Error>,
}

impl DeadLetters {
    pub(crate) fn open(files: &Files) -> Result<Self, Failure> {
        Ok(Self {
            opened: files.open_dead_letters()?,
            lines: 0,
            fault: None,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.opened.path
    }

    /// Writes the outcome unless the item is updated. Returns whether this write and all before it succeeded.
    pub(crate) fn write(&mut self, outcome: &Outcome) -> bool {
        match self.try_write(outcome) {
            Ok(lines) => self.lines += lines,
            Err(error) => {
                self.fault.get_or_insert(error);
            }
        }
        self.fault.is_none()
    }

    fn try_write(&mut self, outcome: &Outcome) -> io::Result<u64> {
        let Some(letter) = outcome.dead_letter().map_err(io::Error::other)? else {
            return Ok(0);
        };
        let line = format!("{letter}\n");
        self.opened.file.write_all(line.as_bytes()).map(|()| 1)
    }

    /// Removes the file if it is new and empty.
    pub(crate) fn finish(self) -> Written {
        let Self {
            opened,
            lines,
            fault,
        } = self;
        if lines == 0 && fault.is_none() && opened.is_new {
            // An empty file that stays does no harm.
            let _ = fs::remove_file(&opened.path);
        }
        Written {
            is_kept: lines > 0 && opened.file.metadata().is_ok_and(|found| found.is_file()),
            path: opened.path,
            lines,
            fault,
        }
    }
}
