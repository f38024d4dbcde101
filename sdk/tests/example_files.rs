//! Properties of the examples of a single file: each runs to its end on the reference server and says what it did.

#[expect(dead_code, reason = "these examples have no input")]
mod example_command;

use example_command::{Ended, Folder, ended};
use webflow_cms::ItemUpdate;

fn run(example: &str) -> Ended {
    ended(Folder::new().example(example).spawn().expect("started"))
}

#[test]
fn update_batch_prints_each_returned_item_with_its_fields() {
    run("update_batch")
        .ends_with(0)
        .says("status 200 OK, attempts: 1\n")
        .says("66f6ed9576ddacf3149d5ea6, last updated ")
        .says(r#"{"name":"Star lamp","price":99.5,"slug":"lamp"}"#)
        .says("66f6ed9576ddacf3149d5ea6 in 66f6e966c9e1dc700a857ca4, last updated ")
        .says(r#"{"name":"Lampe Étoile","slug":"lampe"}"#);
}

#[test]
fn bulk_jsonl_updates_all_rows_but_two_which_become_dead_letters() {
    let folder = Folder::new();
    let mut command = folder.example("bulk_jsonl");
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        command.env(variable, folder.path(""));
    }
    ended(command.spawn().expect("started"))
        .ends_with(0)
        .says("line 1: rejected: ")
        .says("line 2: rejected: ")
        .says("248 updated, 2 rejected; ")
        .says("dead letters, to correct and use as input: ");
    let letters = folder.read("items.jsonl.not-updated");
    for (line, place) in letters.lines().zip([1, 2]) {
        let row = format!("the row of line {place}");
        let _ = ItemUpdate::from_json(line).expect(&row);
        assert!(line.contains(r#""error":{"outcome":"rejected""#), "{line}");
    }
    assert_eq!(letters.lines().count(), 2);
}

#[test]
fn bulk_stream_reports_progress_and_updates_every_item() {
    run("bulk_stream")
        .ends_with(0)
        .says(" of 1000 updated, ")
        .says("\n1000 updated; 10 requests (minimum 10) in ");
}

#[test]
fn observe_metrics_counts_the_failed_attempt_and_the_wait_after_it() {
    run("observe_metrics")
        .ends_with(0)
        .says("attempt 1: too_many_requests\n")
        .says(": retry-after\n")
        .says("attempts: 2, failed: 1, waited: ");
}
