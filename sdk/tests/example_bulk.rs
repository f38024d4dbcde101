//! Properties of the example `bulk_update`: how it runs, ends and resumes, in a process of its own.

mod example_command;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use example_command::{Ended, Folder, ended, row};
use webflow_cms::ItemUpdate;

/// A row that the reference server refuses.
fn bad_row(number: u64) -> String {
    row(number).replace("price", "unknown-field")
}

#[test]
fn the_default_run_gives_every_item_a_status_and_succeeds_although_some_are_invalid_on_purpose() {
    let folder = Folder::new();
    let arguments = ["--folder", "made-up", "--items", "1000"];
    let first = folder.run(&arguments);
    first
        .ends_with(0)
        .says("999 of 1,000 items updated, 1 rejected")
        .agrees();
    // The next one starts from the beginning, and leaves the dead letters of the first.
    folder
        .run(&arguments)
        .ends_with(0)
        .says("999 of 1,000 items updated, 1 rejected")
        .says("items.jsonl.not-updated.2 has the row");

    let letters = folder.read("made-up/items.jsonl.not-updated");
    assert!(letters.contains(r#""error":{"outcome":"rejected""#));
    let _ = ItemUpdate::from_json(letters.trim_end()).expect("an update");
    let corrected = letters.replace("unknown-field\":", "price\":");
    folder.write("made-up/items.jsonl.not-updated", corrected);
    let sent = folder.run(&["made-up/items.jsonl.not-updated"]);
    sent.ends_with(0).says("1 of 1 item updated").agrees();
}

#[test]
fn the_same_command_resumes_and_fresh_starts_from_the_beginning() {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..3);
    folder.run(&["a.jsonl"]).ends_with(0).agrees();
    let again = folder.run(&["a.jsonl"]);
    again
        .ends_with(0)
        .says("3 of 3 items updated (3 of them by an earlier run)")
        .says("0 requests arrived there")
        .agrees();
    let journal = folder.read("a.jsonl.journal");
    let fresh = folder.run(&["a.jsonl", "--fresh"]);
    fresh
        .ends_with(0)
        .says("3 of 3 items updated\n")
        .says("1 request arrived there")
        .says("the earlier journal is now a.jsonl.journal.old\n")
        .agrees();
    assert_eq!(folder.read("a.jsonl.journal.old"), journal);

    folder.write("a.jsonl", "");
    folder.run(&["a.jsonl", "--fresh"]).ends_with(2);
    assert!(
        folder.path("a.jsonl.journal").exists(),
        "nothing was started"
    );
}

/// Sends a signal to a run that has updated some items. Returns its end, and that of the same command again.
#[cfg(unix)]
fn interrupted(signal: &str) -> (Ended, Ended) {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..2_000);
    let child = folder.command(&["a.jsonl"]).spawn().expect("started");
    let journal = || fs::read_to_string(folder.path("a.jsonl.journal")).unwrap_or_default();
    // A line for each batch that is updated.
    while journal().matches("{\"updated\":").count() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    let mut kill = Command::new("kill");
    kill.args([format!("-{signal}"), child.id().to_string()]);
    assert!(kill.status().expect("sent").success());
    let first = ended(child);
    (first, folder.run(&["a.jsonl", "--resend-unknown"]))
}

/// Whether the tests, and so the processes that they start, ignore this signal.
#[cfg(unix)]
fn is_ignored(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[test]
#[cfg(unix)]
fn every_signal_that_asks_for_the_end_gets_a_full_report_and_the_same_command_resumes() {
    for (signal, number) in [("HUP", 1), ("INT", 2), ("TERM", 15)] {
        if is_ignored(number) {
            continue;
        }
        let (first, second) = interrupted(signal);
        first
            .ends_with(1)
            .says("ending: requests in flight finish, nothing else is sent")
            .says(" of 2,000 items updated, ")
            .says(" not attempted")
            .agrees();
        second
            .ends_with(0)
            .says("2,000 of 2,000 items updated (")
            .says(" of them by an earlier run)")
            .agrees();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_closed_or_full_output_is_no_panic_and_the_items_are_updated_all_the_same() {
    let full = || fs::OpenOptions::new().write(true).open("/dev/full");
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..3);

    let mut child = folder.command(&["a.jsonl"]).spawn().expect("started");
    drop(child.stdout.take());
    ended(child).ends_with(0);
    let said = folder.run(&["a.jsonl"]);
    said.ends_with(0).says("(3 of them by an earlier run)");

    let mut command = folder.command(&["a.jsonl", "--fresh"]);
    let mut child = command.spawn().expect("started");
    drop((child.stdout.take(), child.stderr.take()));
    ended(child).ends_with(0);

    folder.write("b.jsonl", bad_row(1) + &row(2));
    let mut command = folder.command(&["b.jsonl"]);
    let child = command.stderr(full().expect("a device")).spawn();
    ended(child.expect("started"))
        .ends_with(1)
        .says("1 of 2 items updated, 1 rejected");

    let mut command = folder.command(&["c.jsonl"]);
    folder.write_rows("c.jsonl", 0..3);
    let child = command.stdout(full().expect("a device")).spawn();
    ended(child.expect("started"))
        .ends_with(2)
        .says("standard output cannot be written: No space left on device");
    assert!(
        !folder.path("c.jsonl.journal").exists(),
        "nothing was started"
    );
}

#[test]
fn no_file_is_overwritten_whatever_its_name() {
    let folder = Folder::new();
    folder.write("a.jsonl", row(1) + &bad_row(2));
    folder.run(&["a.jsonl"]).ends_with(1).agrees();
    let first = "corrected by hand, and not finished yet";
    folder.write("a.jsonl.not-updated", first);
    let second = folder.run(&["a.jsonl"]);
    second
        .ends_with(1)
        .says("a.jsonl.not-updated.2 has the row");
    assert_eq!(folder.read("a.jsonl.not-updated"), first);

    // Dead letters as the input, of which some are dead letters again.
    let input = bad_row(7);
    folder.write("a.jsonl.not-updated", &input);
    let third = folder.run(&["a.jsonl.not-updated"]);
    third.ends_with(1).says("a.jsonl.not-updated.3 has the row");
    assert_eq!(folder.read("a.jsonl.not-updated"), input);

    for (option, file) in [
        ("--dead-letters", "a.jsonl"),
        ("--journal", "a.jsonl"),
        ("--journal", "./a.jsonl"),
        ("--dead-letters", "a.jsonl.not-updated"),
        ("--dead-letters", "a.jsonl.journal"),
        ("--dead-letters", "no-such-folder/a"),
        ("--journal", "no-such-folder/a"),
    ] {
        let before = folder.files();
        folder
            .run(&["a.jsonl", option, file])
            .ends_with(2)
            .says(file.trim_start_matches("./"));
        assert_eq!(folder.files(), before, "{option} {file}");
    }
    folder
        .run(&["a.jsonl", "--journal", "new", "--dead-letters", "new"])
        .ends_with(2)
        .says("at once");
    assert!(!folder.path("new").exists());
    folder
        .run(&["a.jsonl", "--journal", "no-such-folder/a"])
        .says("No such file or directory");
}

#[test]
#[cfg(unix)]
fn dead_letters_can_be_thrown_away() {
    let folder = Folder::new();
    folder.write("a.jsonl", bad_row(1) + &row(2) + &bad_row(3));
    let ended = folder.run(&["a.jsonl", "--dead-letters", "/dev/null"]);
    ended
        .ends_with(1)
        .says("1 of 3 items updated, 2 rejected")
        .agrees();
    assert!(!ended.said().contains("/dev/null"), "{ended:?}");
    assert!(fs::metadata("/dev/null").is_ok());
}

#[test]
fn a_journal_of_something_else_is_refused_with_what_to_do() {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..3);
    folder.write("notes.txt", "not a journal\n");
    let ended = folder.run(&["a.jsonl", "--journal", "notes.txt"]);
    ended.ends_with(2).says("notes.txt").says("--fresh");
    assert_eq!(folder.read("notes.txt"), "not a journal\n");
    assert_eq!(folder.files(), ["a.jsonl", "notes.txt"]);
}

#[test]
fn the_command_that_is_advised_can_be_pasted_into_a_shell() {
    let folder = Folder::new();
    let name = "it's $HOME; rm.jsonl";
    folder.write(name, row(1) + &bad_row(2));
    let options = ["--rate-limit", "600", "--skip-invalid-files", "false"];
    let ended = folder.run(&[&[name], &options[..]].concat());
    ended.ends_with(1).says(
        r"cargo run --example bulk_update -- --rate-limit 600 --skip-invalid-files false 'it'\''s $HOME; rm.jsonl.not-updated'",
    );
}

#[test]
fn the_help_has_the_version_and_the_exit_codes() {
    let folder = Folder::new();
    let version = folder.run(&["--version"]);
    version
        .ends_with(0)
        .says(concat!("bulk_update ", env!("CARGO_PKG_VERSION")));
    let help = folder.run(&["--help"]);
    help.ends_with(0)
        .says("Exit code:\n  0  every item is updated");
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let folder = Folder::new();
    for (arguments, expected) in [
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
        (&["--resend-unknown", "--fresh"], "cannot be used with"),
        (&["--rate-limit", "0"], "1.."),
        (&["--share", "1.5"], "at most 1"),
        (
            &["--share", "0.5", "--rate-limit", "30"],
            "cannot be used with",
        ),
        (&["--items", "5", "a"], "cannot be used with"),
    ] {
        folder.run(arguments).ends_with(2).says(expected);
    }
    assert!(folder.files().is_empty());
}

#[test]
fn nothing_goes_live_by_the_environment_alone() {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..3);
    let mut command = folder.command(&["a.jsonl"]);
    let child = command.env("WEBFLOW_TOKEN", "b7c1d0").spawn();
    ended(child.expect("started"))
        .ends_with(0)
        .says("to http://127.0.0.1:")
        .agrees();
    let live = [
        "--live",
        "--collection",
        "580e63fc8c9a982ac9b8b745",
        "a.jsonl",
    ];
    folder.run(&live).ends_with(2).says("WEBFLOW_TOKEN");
}
