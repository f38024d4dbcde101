//! The file of a journal: held by one run at a time, and only ever appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fs4::TryLockError;

use super::error::{Failure, JournalErrorKind};
use super::format::MAX_LINE;

#[derive(Debug)]
pub(super) struct LockedFile {
    path: PathBuf,
    file: File,
    /// Where the next line goes.
    len: u64,
    pub(super) fsync: bool,
    /// Whether the file's name is on the disk, as far as is known here.
    is_name_synced: bool,
}

impl LockedFile {
    /// Opens a file for this run alone.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self, Failure> {
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(JournalErrorKind::NotAFile.into());
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound if !create => JournalErrorKind::Missing.into(),
                _ => Failure::io("open it")(error),
            })?;
        // The standard library has this from Rust 1.89 on.
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

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_empty(&self) -> Result<bool, Failure> {
        let metadata = self.file.metadata().map_err(Failure::io("look at it"))?;
        Ok(metadata.len() == 0)
    }

    /// Everything from the beginning.
    pub(super) fn contents(&self) -> impl BufRead {
        BufReader::with_capacity(MAX_LINE, &self.file)
    }

    /// Goes on behind so many bytes, and cuts off what is there.
    pub(super) fn go_on_at(&mut self, len: u64) -> Result<(), Failure> {
        self.file
            .set_len(len)
            .map_err(Failure::io("cut off its torn line"))?;
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
            self.sync().map_err(Failure::io("bring it to the disk"))?;
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

    /// The line that begins at this offset, without its line break. After an error nothing may be appended, since the
    /// way back to the end may have failed.
    pub(super) fn line_at(&mut self, offset: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.file.seek(SeekFrom::Start(offset))?;
        BufReader::new(&self.file)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut line)?;
        self.file.seek(SeekFrom::Start(self.len))?;
        line.pop();
        Ok(line)
    }

    /// Has every write fail from now on.
    #[cfg(test)]
    pub(super) fn forbid_writing(&mut self) {
        let read_only = File::open(&self.path).expect("the file is there");
        fs4::FileExt::unlock(&self.file).expect("it is locked");
        self.file = read_only;
    }
}

impl Drop for LockedFile {
    /// Closing would do, but for a process that was just forked from this one: it has the file open as well until it
    /// runs its own program.
    fn drop(&mut self) {
        let _ = fs4::FileExt::unlock(&self.file);
    }
}

/// Brings the name of a file to the disk, where that takes more than the file itself.
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
