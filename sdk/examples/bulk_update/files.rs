//! The journal and the dead-letter file of a run. Neither overwrites another file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;

/// The paths of the journal and of the dead letters.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) journal: PathBuf,
    dead_letters: DeadLetterFile,
}

#[derive(Clone, Debug)]
enum DeadLetterFile {
    /// Exactly this path.
    Named(PathBuf),
    /// The first free path of `a`, `a.2`, `a.3`, ….
    Numbered(PathBuf),
}

/// A file opened for writing.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Whether it was created, so that it can be removed if it stays empty.
    pub(crate) is_new: bool,
}

impl Files {
    /// The given paths, or paths beside the input.
    pub(crate) fn beside(
        input: &Path,
        journal: Option<PathBuf>,
        dead_letters: Option<PathBuf>,
    ) -> Self {
        let base = match is_unnamed(input) {
            true => Path::new("stdin"),
            false => input,
        };
        Self {
            journal: journal.unwrap_or_else(|| with_ending(base, ".journal")),
            dead_letters: match dead_letters {
                Some(path) => DeadLetterFile::Named(path),
                None => DeadLetterFile::Numbered(with_ending(&original(base), ".not-updated")),
            },
        }
    }

    /// Refuses one path for two purposes.
    pub(crate) fn check(&self, input: &Path) -> Result<(), Failure> {
        let mut pairs = vec![(input, &*self.journal)];
        if let DeadLetterFile::Named(path) = &self.dead_letters {
            pairs.extend([(input, &**path), (&*self.journal, &**path)]);
        }
        for (one, other) in pairs {
            if is_same(one, other) {
                return Err(Failure::WrongUse(format!(
                    "{} cannot be two of input, journal and dead letters at once",
                    one.display()
                )));
            }
        }
        Ok(())
    }

    /// Renames an existing journal and returns its new path.
    pub(crate) fn move_journal_aside(&self) -> Result<Option<PathBuf>, Failure> {
        let failed = |error| failed(&self.journal, &error);
        if !fs::exists(&self.journal).map_err(failed)? {
            return Ok(None);
        }
        let aside = numbered(&with_ending(&self.journal, ".old"))
            .find(|path| fs::symlink_metadata(path).is_err());
        if let Some(aside) = &aside {
            fs::rename(&self.journal, aside).map_err(failed)?;
        }
        Ok(aside)
    }

    /// Opens the dead-letter file. The one of an earlier run stays, since it may contain corrections.
    pub(crate) fn open_dead_letters(&self) -> Result<Opened, Failure> {
        match &self.dead_letters {
            DeadLetterFile::Named(path) => open_named(path),
            DeadLetterFile::Numbered(first) => open_numbered(first),
        }
    }
}

fn open_named(path: &Path) -> Result<Opened, Failure> {
    let failed = |error| failed(path, &error);
    let found = match fs::metadata(path) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    if found
        .as_ref()
        .is_some_and(|found| found.is_file() && found.len() > 0)
    {
        return Err(Failure::WrongUse(format!(
            "{}: not empty; move it away, or choose another file with --dead-letters",
            path.display()
        )));
    }
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create_new(found.is_none())
        .open(path)
        .map_err(failed)?;
    Ok(Opened {
        file,
        path: path.to_owned(),
        is_new: found.is_none(),
    })
}

fn open_numbered(first: &Path) -> Result<Opened, Failure> {
    for path in numbered(first) {
        match File::create_new(&path) {
            Ok(file) => {
                return Ok(Opened {
                    file,
                    path,
                    is_new: true,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&path, &error)),
        }
    }
    Err(Failure::WrongUse(format!(
        "{}: all numbered names up to 9999 are taken",
        first.display()
    )))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::WrongUse(format!("{}: {error}", path.display()))
}

/// `a`, `a.2`, `a.3`, …
fn numbered(first: &Path) -> impl Iterator<Item = PathBuf> {
    let others = (2..10_000_u32).map(|number| with_ending(first, &format!(".{number}")));
    std::iter::once(first.to_owned()).chain(others)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The input of the first run if this input is its dead letters: `a` for `a`, `a.not-updated`, `a.not-updated.2`.
fn original(input: &Path) -> PathBuf {
    let name = input.file_name().and_then(|name| name.to_str());
    let Some((original, number)) = name.and_then(|name| name.rsplit_once(".not-updated")) else {
        return input.to_owned();
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match number.is_empty() || number.strip_prefix('.').is_some_and(is_number) {
        true if !original.is_empty() => input.with_file_name(original),
        _ => input.to_owned(),
    }
}

/// Whether the input has no file name of its own: standard input, or a process substitution of the shell.
fn is_unnamed(input: &Path) -> bool {
    let names = ["-", "/dev/stdin"].map(Path::new);
    names.contains(&input) || input.starts_with("/dev/fd") || input.starts_with("/proc")
}

/// Whether both paths lead to one file. Neither has to exist.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
        fs::canonicalize(path)
            .or_else(|_| folder.map(|folder| folder.join(path.file_name().unwrap_or_default())))
    };
    one == other || matches!((place(one), place(other)), (Ok(one), Ok(other)) if one == other)
}
