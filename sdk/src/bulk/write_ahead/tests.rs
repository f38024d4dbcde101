//! Properties of the write-ahead hooks: the content of the journal at each moment of a request.

use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;
use crate::bulk::core::status::Recorded;
use crate::bulk::journal::{Journal, Parameters, Resend};
use crate::error::ErrorKind;
use crate::id::ItemKey;
use crate::id::{CollectionId, ItemId};
use crate::observe::Observers;
use crate::time::SystemClock;

/// A directory that is removed at the end of the test, and the path of a new file in it.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("run.journal");
    (directory, path)
}

fn writer(path: &Path) -> Writer {
    let parameters = Parameters {
        collection: CollectionId::new("580e63fc8c9a982ac9b8b745").expect("an id"),
        skip_invalid_files: None,
    };
    let journal = Journal::open(path, &parameters).expect("a journal");
    Writer::new(Some(journal), Observers::default(), Arc::new(SystemClock))
}

/// The record of the only item.
async fn look_up(writer: &Writer) -> Recorded {
    let key = ItemKey {
        id: ItemId::new("66f6ed9576ddacf3149d5ea6").expect("an id"),
        locale: None,
    };
    writer.look_up(0, key, "{}", Resend::default()).await
}

/// The hooks of a request with one item.
async fn write_ahead(writer: &Writer) -> (WriteAhead, Arc<Control>) {
    look_up(writer).await;
    let control = Arc::<Control>::default();
    let hooks = WriteAhead::new(writer.clone(), control.clone(), vec![0], true);
    (hooks, control)
}

fn failed(kind: ErrorKind, status: Option<http::StatusCode>) -> Failed {
    Failed {
        kind,
        status,
        retry_after: None,
    }
}

/// The record of the item for the next run.
async fn found_next(writer: &Writer, path: &Path) -> Recorded {
    writer.close();
    look_up(&self::writer(path)).await
}

#[tokio::test]
async fn an_attempt_is_recorded_before_it_leaves() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (hooks, _) = write_ahead(&writer).await;
    assert!(!hooks.may_have_acted());
    assert!(hooks.leaving().await && hooks.may_have_acted());
    assert_eq!(found_next(&writer, &path).await, Recorded::Unknown(None));
}

#[tokio::test]
async fn an_attempt_that_changed_nothing_is_reverted_and_any_other_one_is_not() {
    let too_many = failed(
        ErrorKind::TooManyRequests,
        Some(http::StatusCode::TOO_MANY_REQUESTS),
    );
    let silent = failed(ErrorKind::Timeout, None);
    for (failures, recorded) in [
        (vec![too_many, too_many], Recorded::New),
        (vec![too_many, silent], Recorded::Unknown(None)),
        (vec![silent, too_many], Recorded::Unknown(None)),
    ] {
        let (_directory, path) = place();
        let writer = writer(&path);
        let (hooks, _) = write_ahead(&writer).await;
        for failed in &failures {
            assert!(hooks.leaving().await && hooks.is_under_way());
            hooks.failed(failed).await;
            assert!(!hooks.is_under_way());
        }
        assert_eq!(hooks.may_have_acted(), recorded != Recorded::New);
        assert_eq!(found_next(&writer, &path).await, recorded);
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_an_attempt_is_recorded_reverts_the_record() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (hooks, control) = write_ahead(&writer).await;
    let mut leaving = hooks.leaving();
    assert!(leaving.as_mut().now_or_never().is_none());
    // The run waits for it.
    assert!(hooks.is_under_way());
    control.cancel();
    assert!(!leaving.await && !hooks.may_have_acted());
    assert!(!hooks.leaving().await, "nothing leaves any more");
    assert_eq!(found_next(&writer, &path).await, Recorded::New);
}

#[tokio::test]
async fn an_attempt_that_cannot_be_recorded_does_not_leave() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (hooks, _) = write_ahead(&writer).await;
    // A record that contradicts the others breaks the journal.
    writer.unsent(&[0]).await;
    assert!(!hooks.leaving().await && !hooks.may_have_acted());
    assert!(writer.take_fault().is_some());
}
