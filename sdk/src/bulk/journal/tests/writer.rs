//! Properties of the writer: what waits for what, and what a dropped run leaves.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;

use super::*;
use crate::id::ItemKey;
use crate::observe::{JournalWriteEnded, JournalWriteStarted, Observer, Observers};
use crate::time::SystemClock;

/// Longer than any step of a test, unless it deadlocks.
const PATIENCE: Duration = Duration::from_secs(20);

fn writer(path: &Path) -> Writer {
    writer_with(path, Observers::default())
}

fn writer_with(path: &Path, observers: Observers) -> Writer {
    Writer::new(Some(open(path)), observers, Arc::new(SystemClock))
}

fn key(number: u64) -> ItemKey {
    let id = crate::id::ItemId::new(format!("66f6ed95{number:016x}"));
    ItemKey {
        id: id.expect("an id"),
        locale: None,
    }
}

/// Looks an update up for each of these positions.
async fn look_up(writer: &Writer, indices: impl IntoIterator<Item = u64>) -> Vec<Recorded> {
    let mut recorded = Vec::new();
    for index in indices {
        let found = writer.look_up(index, key(index), "{}", Resend::default());
        recorded.push(found.await);
    }
    recorded
}

/// A write that signals its beginning, and ends on a signal.
fn held(writer: &Writer) -> (impl Future<Output = bool>, Receiver<()>, Sender<()>) {
    let (begins, has_begun) = mpsc::channel();
    let (end, may_end) = mpsc::channel::<()>();
    let writer = writer.clone();
    let write = async move {
        let record = move |journal: &mut Journal| {
            begins.send(()).expect("somebody waits");
            may_end.recv_timeout(PATIENCE).expect("the signal to end");
            journal.sent(&items([9]))
        };
        writer.write(record).await
    };
    (write, has_begun, end)
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> bool {
    future
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_ready()
}

#[tokio::test]
async fn a_write_leaves_its_thread_to_other_tasks() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (write, _has_begun, end) = held(&writer);
    let other = async { end.send(()).expect("the write waits for it") };
    let (is_written, ()) = join(write, other).await;
    assert!(is_written);
}

#[tokio::test]
async fn a_look_up_waits_for_a_write_and_leaves_its_thread_to_other_tasks() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (write, has_begun, end) = held(&writer);
    let mut write = pin!(write);
    assert!(!poll_once(write.as_mut()));
    has_begun.recv_timeout(PATIENCE).expect("it begins");
    let other = async { end.send(()).expect("the write waits for it") };
    let ((is_written, found), ()) = join(join(write, look_up(&writer, [0])), other).await;
    assert!(is_written);
    assert_eq!(found, [Recorded::New]);
}

#[tokio::test]
async fn a_write_that_has_begun_is_whole_although_its_run_is_dropped() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let (write, has_begun, end) = held(&writer);
    let mut write = Box::pin(write);
    assert!(!poll_once(write.as_mut()));
    has_begun.recv_timeout(PATIENCE).expect("it begins");
    drop(write);
    end.send(()).expect("the write waits for it");
    writer.close();
    // The next run can begin at once.
    assert_eq!(open(&path).past.count(Kind::Unknown), 1);
}

#[tokio::test]
async fn nothing_is_written_once_the_run_is_dropped() {
    let (_directory, path) = place();
    let writer = writer(&path);
    writer.close();
    assert!(writer.write(|_| panic!("it is closed")).await);
    assert_eq!(open(&path).past.count(Kind::Unknown), 0);
}

#[tokio::test]
async fn without_a_journal_every_item_is_new_and_everything_is_written() {
    let writer = Writer::new(None, Observers::default(), Arc::new(SystemClock));
    assert_eq!(look_up(&writer, 0..2).await, [Recorded::New, Recorded::New]);
    assert!(writer.sent(&[0, 1]).await);
    assert!(writer.take_fault().is_none() && writer.not_in_input() == 0);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_a_fault_that_stops_the_run_once() {
    let (_directory, path) = place();
    let writer = writer(&path);
    look_up(&writer, [0]).await;
    writer.unsent(&[0]).await;
    assert!(!writer.sent(&[0]).await, "the journal is broken");
    let fault = writer.take_fault();
    let text = format!("{fault:?}");
    assert!(
        text.contains("Contradiction"),
        "the first one counts: {text}"
    );
    assert!(writer.take_fault().is_none());
}

#[tokio::test]
async fn a_panic_of_a_write_reaches_the_run() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let write = AssertUnwindSafe(writer.write(|_| panic!("no more")));
    let panic = write.catch_unwind().await.expect_err("a panic");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"no more"));
}

#[test]
fn a_write_that_the_end_of_its_runtime_prevents_is_a_fault() {
    let (_directory, path) = place();
    let writer = writer(&path);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _entered = handle.enter();
    assert_eq!(writer.sent(&[]).now_or_never(), Some(false));
    assert!(format!("{:?}", writer.take_fault()).contains("write to it"));
}

/// Counts the writes that began and ended.
#[derive(Debug, Default)]
struct Writes([AtomicU32; 2]);

impl Observer for Writes {
    fn journal_write_started(&self, _: &JournalWriteStarted) {
        self.0[0].fetch_add(1, Ordering::Relaxed);
    }

    fn journal_write_ended(&self, _: &JournalWriteEnded) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn observers_are_called_when_a_write_begins_and_when_it_ends_or_is_dropped() {
    let (_directory, path) = place();
    let writes = Arc::new(Writes::default());
    let writer = writer_with(&path, Observers::default().and(writes.clone()));
    let counts = || {
        writes
            .0
            .each_ref()
            .map(|count| count.load(Ordering::Relaxed))
    };
    assert!(writer.sent(&[]).await);
    assert_eq!(counts(), [1, 1]);
    let (write, has_begun, end) = held(&writer);
    let mut write = Box::pin(write);
    assert!(!poll_once(write.as_mut()));
    has_begun.recv_timeout(PATIENCE).expect("it begins");
    assert_eq!(counts(), [2, 1]);
    end.send(()).expect("the write waits for it");
    drop(write);
    assert_eq!(counts(), [2, 2]);
    writer.close();
}
