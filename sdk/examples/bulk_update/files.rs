//! The files of a run beside its input. None of them is ever written over another file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::Failure;

/// Where a run records what it does, and what it did not do.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) journal: PathBuf,
    dead_letters: DeadLetterFile,
}

#[derive(Clone, Debug)]
enum DeadLetterFile {
    /// This one, or none.
    Named(PathBuf),
    /// The first of this name and a number that is free.
    Numbered(PathBuf),
}

/// A file that was opened to be written.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    /// Whether it was made, so that it can go if nothing is written to it.
    pub(crate) is_new: bool,
}

impl Files {
    /// The files beside an input, unless they are named.
    pub(crate) fn beside(
        input: &Path,
        journal: Option<PathBuf>,
        dead_letters: Option<PathBuf>,
    ) -> Self {
        let base = match is_passed_in(input) {
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

    /// Refuses one name for two things.
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

    /// Moves the journal aside, if there is one. Where it is now.
    pub(crate) fn begin_anew(&self) -> Result<Option<PathBuf>, Failure> {
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

    /// Opens the file of dead letters. What an earlier run has written there may have been corrected since, and stays.
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
            "{}: there is something in it; move it away, or choose another file with --dead-letters",
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
        "{}: no number is free",
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

/// The input of the first run, if this one is of dead letters: `a` for `a`, `a.not-updated` and `a.not-updated.2`.
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

/// Whether an input has no name of its own: standard input, or what a shell passes in its place.
fn is_passed_in(input: &Path) -> bool {
    let names = ["-", "/dev/stdin"].map(Path::new);
    names.contains(&input) || input.starts_with("/dev/fd") || input.starts_with("/proc")
}

/// Whether both names lead to one file. Either may not exist yet.
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
