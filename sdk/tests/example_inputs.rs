//! Properties of the example `bulk_update`: how it reads its input, in a process of its own.

mod example_command;

use std::fs::OpenOptions;
use std::thread;
use std::time::Duration;

use example_command::{Ended, Folder, ended, row};
use webflow_cms::ItemUpdate;

/// An input of three good rows.
fn three_rows() -> String {
    (1..4).map(row).collect()
}

fn one_run(input: impl AsRef<[u8]>, arguments: &[&str]) -> (Folder, Ended) {
    let folder = Folder::new();
    folder.write("a.jsonl", input);
    let ended = folder.run(&[&["a.jsonl"], arguments].concat());
    (folder, ended)
}

#[test]
fn a_file_a_pipe_and_standard_input_are_the_same_input() {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 1..4);
    let by_name = folder.run(&["a.jsonl"]);
    by_name.ends_with(0).says("3 of 3 items updated").agrees();
    for (number, name) in ["-", "/dev/stdin", "/dev/fd/0"].into_iter().enumerate() {
        if cfg!(not(unix)) && name != "-" {
            continue;
        }
        let journal = format!("{number}.journal");
        let ended = folder.pipe(&[name, "--journal", &journal], &three_rows());
        ended.ends_with(0).says("3 of 3 items updated").agrees();
        let again = folder.pipe(&[name, "--journal", &journal], &three_rows());
        again
            .ends_with(0)
            .says("(3 of them by an earlier run)")
            .agrees();
    }
}

#[test]
fn standard_input_is_recorded_under_a_name_of_its_own() {
    let folder = Folder::new();
    let ended = folder.pipe(&["-"], &format!("{}word\n", row(1)));
    ended.ends_with(1).says("stdin:2: invalid: ");
    assert_eq!(folder.files(), ["stdin.journal", "stdin.not-updated"]);
}

#[test]
fn an_input_without_a_row_is_refused_and_leaves_nothing() {
    let folder = Folder::new();
    folder.write("a.jsonl", "\n\r\n  \n");
    folder
        .run(&["a.jsonl"])
        .ends_with(2)
        .says("a.jsonl: contains no update");
    folder
        .pipe(&["-"], "")
        .ends_with(2)
        .says("stdin: contains no update");
    folder
        .run(&["b.jsonl"])
        .ends_with(2)
        .says("b.jsonl: No such file or directory");
    folder.run(&["."]).ends_with(2);
    assert_eq!(folder.files(), ["a.jsonl"]);
}

/// Changes a file of 3,000 rows during a run, far from its end.
fn run_while(change: impl FnOnce(&Folder)) -> Ended {
    let folder = Folder::new();
    folder.write_rows("a.jsonl", 0..3_000);
    let child = folder.command(&["a.jsonl"]).spawn().expect("started");
    while !folder.path("a.jsonl.journal").exists() {
        thread::sleep(Duration::from_millis(5));
    }
    change(&folder);
    ended(child)
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_no_success() {
    let ended = run_while(|folder| {
        let length: usize = (0..2_900).map(|number| row(number).len()).sum();
        let file = OpenOptions::new().write(true).open(folder.path("a.jsonl"));
        let shorter = file.expect("the input").set_len(length as u64);
        shorter.expect("shorter");
    });
    ended
        .ends_with(1)
        .says("2,900 of 3,000 items updated, 100 not read")
        .says("a.jsonl changed during the run: 3,000 rows counted, 2,900 read")
        .agrees();
}

#[test]
fn a_file_that_grows_while_it_is_read_is_reported_and_no_success() {
    let ended = run_while(|folder| {
        let file = OpenOptions::new().append(true).open(folder.path("a.jsonl"));
        let longer = std::io::Write::write_all(&mut file.expect("the input"), row(0).as_bytes());
        longer.expect("longer");
    });
    ended
        .ends_with(1)
        .says("a.jsonl changed during the run: 3,000 rows counted, 3,001 read")
        .agrees();
}

#[test]
fn the_rows_after_an_invalid_row_are_in_the_report() {
    let rows = |rows: std::ops::Range<u64>| rows.map(row).collect::<String>();
    let input = format!("{}{{\"id\":5}}\n{}", rows(0..150), rows(150..300));
    let (folder, ended) = one_run(&input, &[]);
    ended
        .ends_with(1)
        .says("150 of 301 items updated, 1 not attempted, 150 not read")
        .says("reading stopped at a.jsonl:151; --keep-going also reads the rows after it")
        .agrees();
    let went_on = folder.run(&["a.jsonl", "--keep-going"]);
    went_on
        .ends_with(1)
        .says("300 of 301 items updated (150 of them by an earlier run), 1 not attempted")
        .agrees();
    assert!(!went_on.said().contains("not read"), "{went_on:?}");
}

#[test]
fn every_invalid_row_is_a_dead_letter_with_its_own_text() {
    // Consecutive rows with the same reason share a notice.
    let bad = |number: u64| format!("{{\"id\":\"{number}\"}}");
    let bad_rows: String = (0..30).map(|number| bad(number) + "\n").collect();
    let input = format!("{}\n{bad_rows}{}", row(1), row(2));
    let (folder, ended) = one_run(&input, &["--keep-going"]);
    ended
        .ends_with(1)
        .says("2 of 32 items updated, 30 not attempted")
        .says("a.jsonl:3: invalid: ")
        .says("more in a.jsonl.not-updated\n")
        .says("a.jsonl.not-updated has the 30 rows that were not updated");
    let letters = folder.read("a.jsonl.not-updated");
    for (number, letter) in (0..).zip(letters.lines()) {
        let letter: serde_json::Value = serde_json::from_str(letter).expect("JSON");
        assert_eq!(letter["invalid"], bad(number));
        assert_eq!(letter["line"], number + 3);
    }
    assert_eq!(letters.lines().count(), 30);

    let corrected: String = (10..40).map(row).collect();
    folder.write("a.jsonl.not-updated", corrected);
    let ended = folder.run(&["a.jsonl.not-updated"]);
    ended.ends_with(0).says("30 of 30 items updated").agrees();
}

#[test]
fn a_dead_letter_that_nobody_corrected_is_named_as_such() {
    let (folder, _) = one_run("{\"id\":5}\n", &[]);
    let again = folder.run(&["a.jsonl.not-updated"]);
    again
        .ends_with(1)
        .says("a.jsonl.not-updated:1: invalid: an earlier run found this row invalid: ");
    let letters = folder.read("a.jsonl.not-updated.2");
    assert!(
        letters.starts_with(r#"{"invalid":"{\"id\":5}","line":1,"#),
        "{letters}"
    );
}

#[test]
fn a_byte_order_mark_and_windows_line_breaks_are_no_fault() {
    let input = format!("\u{feff}{}", three_rows().replace('\n', "\r\n"));
    let (_, ended) = one_run(input, &[]);
    ended.ends_with(0).says("3 of 3 items updated").agrees();
}

#[test]
fn an_input_that_is_not_json_lines_is_named_once_with_the_command_that_converts_it() {
    let array = format!("[{}]", three_rows().trim_end().replace('\n', ",\n"));
    let pretty = "{\n  \"id\": \"66f6ed950000000000000001\"\n}\n".repeat(2);
    let utf_16: Vec<_> = format!("\u{feff}{}", three_rows())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (input, expected) in [
        (array.as_bytes(), "the input is a JSON array"),
        (pretty.as_bytes(), "the JSON is spread over several lines"),
        (b"id,name\n1,Lamp\n2,Lampe\n", "the input looks like CSV"),
        (&utf_16, "the input is UTF-16"),
    ] {
        for arguments in [&[][..], &["--keep-going"], &["--dry-run"]] {
            let (folder, ended) = one_run(input, arguments);
            ended.ends_with(2).says("error: a.jsonl:1: ").says(expected);
            let times = ended.said().matches("convert it with").count();
            assert_eq!(times, 1, "{expected}: {ended:#?}");
            assert_eq!(folder.files(), ["a.jsonl"], "nothing was started");
        }
    }
}

#[test]
fn one_odd_row_does_not_keep_the_others_from_being_updated_and_is_named() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let odd = [
        r#"{"id":"66f6ed95000000000000000a","fieldData":{"name":"cut \ud83d"}}"#.to_owned(),
        format!(
            r#"{{"id":"66f6ed95000000000000000b","fieldData":{{"a":{}}}}}"#,
            nested(200)
        ),
        r#"{"id":"66f6ed95000000000000000c","\u001b[2J\u009b\u0007\u202e":1}"#.to_owned(),
        "caf\u{1b}[2J".to_owned(),
    ];
    for odd in odd {
        let input = format!("{}{odd}\n{}", row(1), row(2));
        let (folder, ended) = one_run(input, &["--keep-going"]);
        ended
            .ends_with(1)
            .says("2 of 3 items updated, 1 ")
            .says("a.jsonl:2")
            .agrees();
        assert!(!steers_a_terminal(&ended), "{ended:?}");
        assert_eq!(folder.read("a.jsonl.not-updated").lines().count(), 1);
    }
}

fn steers_a_terminal(ended: &Ended) -> bool {
    let steers = |character: char| character.is_control() && character != '\n';
    ended.said().contains(steers) || ended.said().contains('\u{202e}')
}

#[test]
#[cfg(unix)]
fn the_name_of_a_file_does_not_steer_a_terminal() {
    let folder = Folder::new();
    let name = "\u{1b}[2J\u{202e}.jsonl";
    folder.write(name, three_rows());
    let ended = folder.run(&[name]);
    ended.ends_with(0).says("\\u{1b}[2J\\u{202e}.jsonl");
    assert!(!steers_a_terminal(&ended), "{ended:?}");
    let ended = folder.run(&["\u{1b}[2J"]);
    ended.ends_with(2).says("\\u{1b}[2J: No such file");
    assert!(!steers_a_terminal(&ended), "{ended:?}");
}

#[test]
fn a_rejected_row_is_named_by_its_line_its_item_and_its_locale() {
    let french = "66f6e966c9e1dc700a857ca4";
    let bad = format!(
        "{{\"id\":\"66f6ed950000000000000009\",\"cmsLocaleId\":\"{french}\",\"fieldData\":{{\"unknown-field\":1}}}}\n"
    );
    let input = format!("{}\n{bad}{}", row(1), row(2));
    let (folder, ended) = one_run(input, &[]);
    ended
        .ends_with(1)
        .says("2 of 3 items updated, 1 rejected")
        .says(&format!(
            "a.jsonl:3 (item 66f6ed950000000000000009 in {french}): rejected: "
        ))
        .agrees();
    let letters = folder.read("a.jsonl.not-updated");
    let update = ItemUpdate::from_json(letters.trim_end()).expect("an update");
    assert_eq!(format!("{}\n", update.to_json().expect("JSON")), bad);
}

#[test]
fn a_dry_run_lists_every_row_that_cannot_be_read_and_writes_nothing() {
    let bad: String = (0..250)
        .map(|number| format!("{{\"id\":{number}}}\n"))
        .collect();
    let input = format!("{}{bad}{}", row(1), row(2));
    let (folder, ended) = one_run(input, &["--dry-run"]);
    ended.ends_with(1).says("250 of 252 rows: cannot be sent");
    for line in 2..252 {
        ended.says(&format!("a.jsonl:{line}: "));
    }
    assert_eq!(folder.files(), ["a.jsonl"]);
}

#[test]
fn a_dry_run_leaves_every_file_as_it_is() {
    let folder = Folder::new();
    folder
        .run(&["--dry-run", "--folder", "made-up"])
        .ends_with(0)
        .says("2,000 updates from generated updates");
    folder
        .pipe(&["-", "--dry-run"], &three_rows())
        .ends_with(0)
        .says("1 request");
    assert!(folder.files().is_empty(), "{:?}", folder.files());

    folder.write_rows("a.jsonl", 0..3);
    folder.run(&["a.jsonl"]).ends_with(0);
    let journal = || folder.read("a.jsonl.journal");
    let before = journal();
    let planned = folder.run(&["a.jsonl", "--dry-run"]);
    planned
        .ends_with(0)
        .says("3 of 3 rows: updated or rejected by an earlier run");
    let anew = folder.run(&["a.jsonl", "--dry-run", "--fresh"]);
    anew.ends_with(0).says("a run takes 1 request");
    assert_eq!(journal(), before);
    assert_eq!(folder.files(), ["a.jsonl", "a.jsonl.journal"]);
}
