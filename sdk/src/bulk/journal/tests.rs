//! Properties of the journal.

mod bytes;
mod files;
mod history;
mod inputs;
mod killed;
mod writer;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::append::{Journal, spans};
use super::fingerprint::Fingerprint;
use super::format::{self, Record, Seal};
use super::parameters::{Parameters, Position, RecordedStatus};
use super::past::{Kind, Past, Resend};
use super::reader::{JournalCounts, JournalReader};
use super::replay::Replay;
use super::writer::Writer;
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::Recorded;
use crate::error::{JournalError, JournalErrorKind};
use crate::id::CollectionId;

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";

fn parameters() -> Parameters {
    Parameters {
        collection: CollectionId::new(COLLECTION).expect("an id"),
        skip_invalid_files: Some(true),
    }
}

/// An update of an item of its own.
fn item(index: u64) -> Position {
    Position {
        index,
        fingerprint: Fingerprint::from_numbers(index as u32, 1),
        after: 0,
        was_unknown: false,
    }
}

fn items(indices: impl IntoIterator<Item = u64>) -> Vec<Position> {
    indices.into_iter().map(item).collect()
}

/// The records of this many items, each looked up once.
fn recorded(past: &mut Past, count: u64) -> Vec<Option<Kind>> {
    (0..count)
        .map(|index| {
            past.claim(item(index).fingerprint, Resend::default())
                .recorded
        })
        .collect()
}

/// A directory that is removed at the end of the test, and the path of a new file in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("run.journal");
    (directory, path)
}

fn open(path: &Path) -> Journal {
    Journal::open(path, &parameters()).expect("a journal")
}

/// The bytes of a journal in which a run does this.
fn written(run: impl FnOnce(&mut Journal) -> Result<(), JournalError>) -> Vec<u8> {
    let (_directory, path) = place();
    let mut journal = open(&path);
    run(&mut journal).expect("a record");
    drop(journal);
    fs::read(&path).expect("the file")
}

fn replay(bytes: &[u8]) -> Result<Replay, JournalErrorKind> {
    Replay::read(bytes).map_err(|failure| failure.kind().clone())
}

/// The records of 8 items in these bytes.
fn known(bytes: &[u8]) -> Vec<Option<Kind>> {
    recorded(&mut replay(bytes).expect("a journal").past, 8)
}

/// A small run with every kind of record in it: 8 items, of which all but the last were sent.
fn small_run(journal: &mut Journal) -> Result<(), JournalError> {
    let refused = Reason::new("bad_request", "the \"name\" is\ntoo long");
    let silent = Reason::new("timeout", "the time for the request ran out");
    journal.sent(&items([0, 1, 2, 5, 6, 4]))?;
    journal.unsent(&items([5, 6, 4]))?;
    journal.finished(&[
        (item(0), RecordedStatus::Updated),
        (item(1), RecordedStatus::Rejected(refused.clone())),
        (item(2), RecordedStatus::Unknown(silent.clone())),
        (item(7), RecordedStatus::Rejected(refused.clone())),
    ])?;
    journal.sent(&items([3, 4]))?;
    journal.finished(&[(item(3), RecordedStatus::Updated)])
}

/// The records of the items of [`small_run`] after each line.
const AFTER_EACH_LINE: [[Option<Kind>; 8]; 9] = {
    const N: Option<Kind> = None;
    const F: Option<Kind> = Some(Kind::New);
    const D: Option<Kind> = Some(Kind::Unknown);
    const R: Option<Kind> = Some(Kind::Rejected);
    const U: Option<Kind> = Some(Kind::Updated);
    [
        [N, N, N, N, N, N, N, N],
        [D, D, D, N, D, D, D, N],
        [D, D, D, N, F, F, F, N],
        [U, D, D, N, F, F, F, N],
        [U, R, D, N, F, F, F, N],
        [U, R, D, N, F, F, F, N],
        [U, R, D, N, F, F, F, R],
        [U, R, D, D, D, F, F, R],
        [U, R, D, U, D, F, F, R],
    ]
};
