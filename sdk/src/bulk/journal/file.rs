//! The file of a journal: locked by one run at a time, and only appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::format::MAX_LINE;
use crate::error::{JournalErrorKind, JournalFailure as Failure};

/// The locked file of a journal.
#[derive(Debug)]
pub(super) struct LockedFile {
    path: PathBuf,
    file: File,
    /// The offset of the next line.
    len: u64,
    pub(super) fsync: bool,
    /// Whether the directory entry of the file is known to be on the disk.
    is_name_synced: bool,
}

impl LockedFile {
    /// Opens and locks a file. Creates it if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        require_file(path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Failure::io("open it"))?;
        // The standard library has this since Rust 1.89.
        fs4::FileExt::try_lock(&file).map_err(|error| match error {
            TryLockError::WouldBlock => JournalErrorKind::InUse.into(),
            TryLockError::Error(error) => Failure::io("lock it")(error),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            len: 0,
            fsync: false,
            is_name_synced: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the content from the beginning.
    pub(super) fn contents(&self) -> impl BufRead {
        BufReader::with_capacity(MAX_LINE, &self.file)
    }

    /// Truncates the file to a length, and moves to its end.
    pub(super) fn truncate(&mut self, len: u64) -> Result<(), Failure> {
        self.file
            .set_len(len)
            .map_err(Failure::io("remove its incomplete last line"))?;
        self.file
            .seek(SeekFrom::Start(len))
            .map_err(Failure::io("find its end"))?;
        self.len = len;
        Ok(())
    }

    /// Appends lines, in one write.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Failure> {
        if lines.is_empty() {
            return Ok(());
        }
        self.file
            .write_all(lines)
            .map_err(Failure::io("write to it"))?;
        self.len += lines.len() as u64;
        if self.fsync {
            self.sync().map_err(Failure::io("flush it to the disk"))?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if !self.is_name_synced {
            sync_directory_of(&self.path)?;
            self.is_name_synced = true;
        }
        Ok(())
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Moves back to the end after a read.
    pub(super) fn go_to_end(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.len)).map(|_| ())
    }

    /// Makes every later write fail.
    #[cfg(test)]
    pub(super) fn forbid_writing(&mut self) {
        let read_only = File::open(&self.path).expect("the file is there");
        fs4::FileExt::unlock(&self.file).expect("it is locked");
        self.file = read_only;
    }
}

/// Opens a file for reading, without a lock: a run may be using it.
pub(super) fn open_to_read(path: &Path) -> Result<File, Failure> {
    require_file(path)?;
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => JournalErrorKind::Missing.into(),
        _ => Failure::io("open it")(error),
    })
}

/// Returns the line at an offset without its line break. This moves the position of the file.
pub(super) fn line_at(mut file: &File, offset: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    BufReader::new(file)
        .take(MAX_LINE as u64)
        .read_until(b'\n', &mut line)?;
    line.pop();
    Ok(line)
}

fn require_file(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(JournalErrorKind::NotAFile.into()),
        _ => Ok(()),
    }
}

impl Drop for LockedFile {
    /// Unlocks the file. Closing it is not enough: a process that was just forked from this one also has it open until
    /// it executes its own program.
    fn drop(&mut self) {
        let _ = fs4::FileExt::unlock(&self.file);
    }
}

/// Flushes the directory entry of a file to the disk, where flushing the file does not include it.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}
