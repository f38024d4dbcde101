//! Laws of the example `bulk_update`.

#[path = "../examples/bulk_update/main.rs"]
#[expect(dead_code, reason = "nobody calls its `main` here")]
mod bulk_update;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use tempfile::TempDir;
use webflow_cms::bulk::Counts;
use webflow_cms::{Clock, ItemUpdate, SystemClock};

use bulk_update::{Destination, Ended, Failure, Options};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn options(arguments: &[&str]) -> Options {
    let arguments = ["bulk_update"].iter().chain(arguments);
    Options::try_parse_from(arguments).expect("options")
}

async fn run(arguments: &[&str]) -> Result<Ended, Failure> {
    bulk_update::run(&options(arguments), std::future::pending()).await
}

async fn counts(arguments: &[&str]) -> (Counts, bool) {
    counted(run(arguments).await)
}

/// What came of the items, and whether the exit code is 0. That the model agrees was checked on the way.
fn counted(ended: Result<Ended, Failure>) -> (Counts, bool) {
    match ended {
        Ok(Ended::Ran(uploaded)) => {
            let is_good = uploaded.report.is_complete();
            (uploaded.report.counts, is_good)
        }
        other => panic!("{other:?}"),
    }
}

async fn refused(arguments: &[&str]) -> String {
    match run(arguments).await {
        Err(Failure::WrongUse(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// A file with these lines.
fn file(folder: &TempDir, lines: &[&str]) -> PathBuf {
    let path = folder.path().join("a.jsonl");
    fs::write(&path, lines.join("\n")).expect("written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn update(number: u64) -> String {
    format!(r#"{{"id": "66f6ed95{number:016x}", "fieldData": {{"price": {number}}}}}"#)
}

/// Waits until a file has more lines.
async fn longer_than(file: &Path, lines: usize) {
    let read = || fs::read_to_string(file).unwrap_or_default();
    while read().lines().count() <= lines {
        SystemClock.sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_default_run_accounts_for_every_item_and_what_it_rejects_can_be_corrected_and_sent() {
    let folder = folder();
    let path = text(folder.path());
    let (counts, is_good) = counts(&["--folder", path, "--items", "1000"]).await;
    assert_eq!(
        (counts.updated, counts.rejected, counts.settled()),
        (999, 1, 1_000)
    );
    assert!(!is_good, "one is not updated");

    let letters = folder.path().join("items.jsonl.not-updated");
    let written = fs::read_to_string(&letters).expect("dead letters");
    assert_eq!(written.lines().count(), 1);
    assert!(
        written.contains(r#""error":{"outcome":"rejected""#),
        "{written}"
    );
    ItemUpdate::from_json(&written).expect("an update");
    fs::write(&letters, written.replace("unknown-field\":", "price\":")).expect("written");
    let (counts, is_good) = self::counts(&[text(&letters)]).await;
    assert_eq!((counts.updated, counts.settled()), (1, 1));
    assert!(is_good);
}

#[tokio::test]
async fn an_interrupted_run_accounts_for_every_item_and_is_resumed() {
    let folder = folder();
    let begun = options(&["--folder", text(folder.path()), "--items", "1000"]);
    let journal = folder.path().join("items.jsonl.journal");
    let ended = bulk_update::run(&begun, longer_than(&journal, 150)).await;
    let (before, is_good) = counted(ended);
    assert_eq!(before.settled(), 1_000);
    assert!(before.updated > 0 && before.not_attempted > 0, "{before:?}");
    assert!(!is_good);

    let resume = [
        "--folder",
        text(folder.path()),
        "--items",
        "1000",
        "--resume",
        "--resend-in-doubt",
    ];
    let (after, _) = counts(&resume).await;
    assert_eq!(after.updated_before, before.updated);
    assert_eq!(after.updated + after.updated_before, 999, "{after:?}");
    assert_eq!(after.rejected, 1);
    let letters = fs::read_to_string(folder.path().join("items.jsonl.not-updated"));
    assert_eq!(
        letters.expect("dead letters").lines().count(),
        1,
        "those of the earlier run are gone"
    );
}

#[tokio::test]
async fn a_dry_run_sends_nothing_writes_nothing_and_finds_every_bad_line() {
    let folder = folder();
    let path = file(&folder, &[&update(1), "no update", "", &update(2), "{}"]);
    let Ok(Ended::Planned(plan, arrived)) = run(&[text(&path), "--dry-run"]).await else {
        panic!("there is a plan");
    };
    assert_eq!(arrived, Some(0));
    assert_eq!((plan.items, plan.requests, plan.faults), (4, 1, 2));
    let places: Vec<_> = plan
        .first_faults
        .iter()
        .map(|(_, fault)| fault.as_ref())
        .collect();
    assert!(places[0].contains("a.jsonl:2:"), "{places:?}");
    assert!(places[1].contains("a.jsonl:5:"), "{places:?}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        1,
        "only the input"
    );
}

#[tokio::test]
async fn a_bad_line_ends_the_reading_unless_told_otherwise_and_can_be_corrected_in_place() {
    let folder = folder();
    let path = file(&folder, &[&update(1), "", "no update", &update(2)]);
    let (stopped, _) = counts(&[text(&path)]).await;
    assert_eq!(
        (stopped.updated, stopped.not_attempted, stopped.settled()),
        (1, 1, 2)
    );
    let (went_on, is_good) = counts(&[text(&path), "--resume", "--keep-going"]).await;
    assert_eq!(
        (
            went_on.updated_before,
            went_on.updated,
            went_on.not_attempted
        ),
        (1, 1, 1)
    );
    assert!(!is_good);
    let path = file(&folder, &[&update(1), "", &update(3), &update(2)]);
    let (corrected, is_good) = counts(&[text(&path), "--resume"]).await;
    assert_eq!((corrected.updated_before, corrected.updated), (2, 1));
    assert!(is_good);
    assert!(
        !folder.path().join("a.jsonl.not-updated").exists(),
        "nothing is in it"
    );
}

#[tokio::test]
async fn what_would_write_over_something_is_refused_with_what_to_do_instead() {
    let folder = folder();
    let path = file(&folder, &[&update(1)]);
    let path = text(&path);
    let said = refused(&[path, "--resume"]).await;
    assert!(
        said.contains("no such file to resume") && said.contains("leave out --resume"),
        "{said}"
    );
    counts(&[path]).await;
    let said = refused(&[path]).await;
    assert!(
        said.contains("a.jsonl.journal") && said.contains("--resume") && said.contains("--journal"),
        "{said}"
    );
    for option in ["--journal", "--dead-letters"] {
        let said = refused(&[path, "--resume", option, path]).await;
        assert!(said.contains("at once"), "{said}");
    }
    let letters = folder.path().join("letters");
    fs::write(&letters, "corrected by hand").expect("written");
    let journal = folder.path().join("other.journal");
    let said = refused(&[
        path,
        "--journal",
        text(&journal),
        "--dead-letters",
        text(&letters),
    ])
    .await;
    assert!(said.contains("move it away"), "{said}");
    assert_eq!(
        fs::read_to_string(&letters).expect("there"),
        "corrected by hand"
    );
    assert!(!journal.exists());
    assert!(
        refused(&[text(&letters.with_extension("none"))])
            .await
            .contains("letters.none")
    );
    fs::write(&letters, "\n\n").expect("written");
    assert!(refused(&[text(&letters)]).await.contains("no update in it"));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for (arguments, told) in [
        (&["--live"][..], "--collection"),
        (
            &["--live", "--collection", "580e63fc8c9a982ac9b8b745"],
            "FILE",
        ),
        (&["--collection", "580e63fc8c9a982ac9b8b745", "a"], "--live"),
        (
            &["--live", "--collection", "shop", "a"],
            "24 hexadecimal digits",
        ),
        (&["--resend-in-doubt"], "--resume"),
        (&["--pace", "0"], "1.."),
        (&["--share", "1.5"], "at the most 1"),
        (&["--share", "0.5", "--pace", "30"], "cannot be used with"),
        (&["--items", "5", "a"], "cannot be used with"),
    ] {
        let arguments = ["bulk_update"].iter().chain(arguments);
        let Err(error) = Options::try_parse_from(arguments) else {
            panic!("{told}: it is taken");
        };
        assert_eq!(error.exit_code(), 2);
        let said = error.to_string();
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[test]
fn nothing_goes_live_by_the_environment_alone() {
    for arguments in [&[][..], &["a"], &["--dry-run"]] {
        let destination = options(arguments).destination();
        assert!(
            matches!(destination, Ok(Destination::Reference)),
            "{arguments:?}"
        );
    }
}

#[test]
fn items_are_told_by_the_lines_in_which_they_stand() {
    let folder = folder();
    let lines = ["", "{}", "", "  ", "{}", "{}", ""];
    let input = bulk_update::Input::open(&file(&folder, &lines)).expect("an input");
    assert_eq!(input.items, 3);
    assert_eq!([0, 1, 2].map(|index| input.line_of(index)), [2, 5, 6]);
}
