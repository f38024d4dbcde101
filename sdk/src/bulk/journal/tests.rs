//! Laws of the journal.

mod bytes;
mod files;
mod history;
mod killed;

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";

fn parameters() -> Parameters {
    Parameters::new(CollectionId::new(COLLECTION).expect("an id")).skip_invalid_files(true)
}

fn item(index: u64) -> Position {
    let digest = Digest::from_number((index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Position { index, digest }
}

fn items(indices: impl IntoIterator<Item = u64>) -> Vec<Position> {
    indices.into_iter().map(item).collect()
}

fn recorded(state: &State, count: u64) -> Vec<Recorded> {
    (0..count)
        .map(|index| state.recorded(item(index)).expect("the same input"))
        .collect()
}

/// A directory that is gone when the test is over, and the path of a file in it that is not there yet.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("run.journal");
    (directory, path)
}

/// The bytes of a journal in which a run does this.
fn written(run: impl FnOnce(&mut Journal) -> Result<(), JournalError>) -> Vec<u8> {
    let (_directory, path) = place();
    let mut journal = Journal::create(&path, &parameters()).expect("a journal");
    run(&mut journal).expect("a record");
    drop(journal);
    fs::read(&path).expect("the file")
}

fn replay(bytes: &[u8]) -> Result<Replay, JournalErrorKind> {
    Replay::read(bytes, &parameters()).map_err(|failure| failure.kind().clone())
}

/// A small run with every kind of record in it: 8 items, of which all but the last were sent.
fn small_run(journal: &mut Journal) -> Result<(), JournalError> {
    let refused = Reason::new("bad_request", "the \"name\" is\ntoo long");
    let silent = Reason::new("timeout", "the time for the request ran out");
    journal.sent(&items([0, 1, 2, 5, 6, 4]))?;
    journal.unsent(&items([5, 6, 4]))?;
    journal.settled([
        (item(0), Settled::Updated),
        (item(1), Settled::Rejected(&refused)),
        (item(2), Settled::Unknown(&silent)),
        (item(7), Settled::Rejected(&refused)),
    ])?;
    journal.sent(&items([2, 3, 4]))?;
    journal.settled([(item(2), Settled::Updated)])
}

/// What is known of the items of [`small_run`] after each line.
const AFTER_EACH_LINE: [[Recorded; 8]; 9] = {
    use Recorded::{Fresh as F, InDoubt as D, Rejected as R, Updated as U};
    [
        [F, F, F, F, F, F, F, F],
        [D, D, D, F, D, D, D, F],
        [D, D, D, F, F, F, F, F],
        [U, D, D, F, F, F, F, F],
        [U, R, D, F, F, F, F, F],
        [U, R, D, F, F, F, F, F],
        [U, R, D, F, F, F, F, R],
        [U, R, D, D, D, F, F, R],
        [U, R, U, D, D, F, F, R],
    ]
};
