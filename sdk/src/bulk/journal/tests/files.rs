//! Laws of the file: whose it is, and what it is not touched for.

use std::error::Error as _;

use super::*;

type Call = fn(&Path) -> Result<Journal, JournalError>;

const CALLS: [Call; 2] = [
    |path| Journal::create(path, &parameters()),
    |path| Journal::resume(path, &parameters()),
];

fn refused(result: Result<Journal, JournalError>) -> (JournalErrorKind, String) {
    let error = result.expect_err("a refusal");
    let place = format!("journal {}: ", error.path().display());
    let text = error.to_string();
    let text = text.strip_prefix(&place).expect("the path is told");
    (error.kind().clone(), text.to_owned())
}

#[test]
fn a_journal_is_not_begun_in_a_file_with_something_in_it() {
    let (_directory, path) = place();
    drop(Journal::create(&path, &parameters()).expect("a journal"));
    let before = fs::read(&path).expect("the file");
    let (kind, text) = refused(Journal::create(&path, &parameters()));
    assert_eq!(kind, JournalErrorKind::Exists);
    assert_eq!(
        text,
        "the file has something in it already; resume it if it is of this run, else choose another file"
    );
    assert_eq!(fs::read(&path).expect("the file"), before);
}

#[test]
fn an_empty_file_is_begun_by_both_calls() {
    for call in CALLS {
        let (_directory, path) = place();
        fs::write(&path, "").expect("a file");
        let mut journal = call(&path).expect("a journal");
        journal.sent(&items([0])).expect("a record");
        drop(journal);
        let journal = Journal::resume(&path, &parameters()).expect("a journal");
        assert_eq!(journal.tally().in_doubt, 1);
    }
}

#[test]
fn a_missing_file_is_not_resumed_and_not_made() {
    let (_directory, path) = place();
    let (kind, text) = refused(Journal::resume(&path, &parameters()));
    assert_eq!(kind, JournalErrorKind::Missing);
    assert_eq!(text, "there is no such file to resume");
    assert!(!path.exists());
}

#[test]
fn what_is_no_file_is_refused() {
    let (directory, _) = place();
    for call in CALLS {
        let (kind, text) = refused(call(directory.path()));
        assert_eq!(kind, JournalErrorKind::NotAFile);
        assert_eq!(text, "the path does not lead to a file");
    }
}

#[test]
fn a_directory_that_is_missing_is_told_with_the_systems_words() {
    let (directory, _) = place();
    let path = directory.path().join("missing").join("run.journal");
    let error = Journal::create(&path, &parameters()).expect_err("a refusal");
    assert_eq!(error.kind(), &JournalErrorKind::Io { doing: "open it" });
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_journal_that_is_held_is_refused_until_it_is_dropped() {
    let (_directory, path) = place();
    let journal = Journal::create(&path, &parameters()).expect("a journal");
    for call in CALLS {
        let (kind, text) = refused(call(&path));
        assert_eq!(kind, JournalErrorKind::InUse);
        assert_eq!(text, "another run is using it");
    }
    drop(journal);
    Journal::resume(&path, &parameters()).expect("a journal");
}

#[test]
fn a_file_that_is_of_something_else_is_refused_and_left_as_it_is() {
    let whole = written(small_run);
    let text = String::from_utf8(whole.clone()).expect("text");
    let other_format = text.replace("\"format\":1,", "\"format\":2,");
    let damaged = text.replacen("\"updated\":0", "\"updated\":1", 1);
    let collection = CollectionId::new("66f6ed9576ddacf3149d5ea6").expect("an id");
    let other_collection = Parameters {
        collection,
        ..parameters()
    };
    let other_parameter = parameters().skip_invalid_files(false);
    let unset = Parameters {
        skip_invalid_files: None,
        ..parameters()
    };
    // Torn, so that it would be cut off if the journal were taken.
    let torn = &text[..text.len() - 5];
    for (contents, parameters, told) in [
        (
            "notes",
            parameters(),
            "the file is not a journal, and was left as it is",
        ),
        (
            &other_format,
            parameters(),
            "it is written in format 2, and this version of webflow-cms knows format 1 only",
        ),
        (
            &damaged,
            parameters(),
            "line 4 is damaged: its checksum does not fit",
        ),
        (
            torn,
            other_collection,
            "it is of a run on another collection, 580e63fc8c9a982ac9b8b745",
        ),
        (
            torn,
            other_parameter,
            "it is of a run in which skip_invalid_files was true",
        ),
        (
            torn,
            unset,
            "it is of a run in which skip_invalid_files was true",
        ),
    ] {
        let (_directory, path) = place();
        fs::write(&path, contents).expect("a file");
        let (_, text) = refused(Journal::resume(&path, &parameters));
        assert_eq!(text, told);
        assert_eq!(
            fs::read(&path).expect("the file"),
            contents.as_bytes(),
            "{told}"
        );
    }
}

#[test]
fn a_torn_line_is_cut_off_before_anything_is_appended() {
    let whole = written(small_run);
    let long_line = written(|journal| {
        small_run(journal)?;
        journal.sent(&items(100..200))
    });
    let (_directory, path) = place();
    fs::write(&path, &long_line[..long_line.len() - 1]).expect("a file");
    drop(Journal::resume(&path, &parameters()).expect("a journal"));
    assert_eq!(fs::read(&path).expect("the file"), whole);

    fs::write(&path, &whole[..whole.len() - 1]).expect("a file");
    let mut journal = Journal::resume(&path, &parameters()).expect("a journal");
    assert_eq!(recorded(&journal.state, 8), AFTER_EACH_LINE[7]);
    journal
        .settled([(item(2), Settled::Updated)])
        .expect("a record");
    drop(journal);
    assert_eq!(fs::read(&path).expect("the file"), whole);
}

// Windows does not let others read a locked file.
#[cfg(not(windows))]
#[test]
fn a_record_is_in_the_file_when_its_method_returns_with_and_without_fsync() {
    for fsync in [false, true] {
        let (_directory, path) = place();
        let mut journal = Journal::create(&path, &parameters()).expect("a journal");
        journal = journal.fsync(fsync);
        small_run(&mut journal).expect("records");
        // The journal is not dropped yet.
        let bytes = fs::read(&path).expect("the file");
        let state = replay(&bytes).expect("a journal").state;
        assert_eq!(recorded(&state, 8), AFTER_EACH_LINE[8]);
        assert_eq!(bytes, written(small_run));
    }
}

#[test]
fn nothing_is_written_behind_a_failed_write() {
    let (_directory, path) = place();
    let mut journal = Journal::create(&path, &parameters()).expect("a journal");
    journal.sent(&items([0])).expect("a record");
    journal.file.forbid_writing();
    let error = journal
        .settled([(item(0), Settled::Updated)])
        .expect_err("a failure");
    assert_eq!(
        error.kind(),
        &JournalErrorKind::Io {
            doing: "write to it"
        }
    );
    assert!(error.source().is_some());
    for call in [Journal::sent, Journal::unsent] {
        let error = call(&mut journal, &items([1])).expect_err("it is broken");
        assert_eq!(error.kind(), &JournalErrorKind::Broken);
        assert!(
            error.to_string().ends_with(
                "an earlier record could not be written, so nothing more is; resume it to go on"
            ),
            "{error}"
        );
    }
    drop(journal);
    let mut journal = Journal::resume(&path, &parameters()).expect("a journal");
    assert_eq!(
        recorded(&journal.state, 2),
        [Recorded::InDoubt, Recorded::Fresh]
    );
    journal
        .settled([(item(0), Settled::Updated)])
        .expect("a record");
}

#[test]
fn another_input_is_refused_with_the_item() {
    let (_directory, path) = place();
    let mut journal = Journal::create(&path, &parameters()).expect("a journal");
    journal.sent(&items([0, 1])).expect("a record");
    let other = Position {
        index: 1,
        ..item(5)
    };
    let error = journal.recorded(other).expect_err("another input");
    assert_eq!(error.kind(), &JournalErrorKind::OtherInput { index: 1 });
    assert!(
        error
            .to_string()
            .ends_with("item 1, counted from 0, is not the one that was recorded"),
        "{error}"
    );
    journal.check_end(2).expect("both items are there");
    journal.check_end(3).expect("an input can get longer");
    let error = journal.check_end(1).expect_err("an item is missing");
    assert!(
        error
            .to_string()
            .ends_with("there are 1 items, and at least 2 were recorded"),
        "{error}"
    );
}

#[test]
fn a_reason_is_read_and_the_next_record_stands_at_the_end_all_the_same() {
    let (_directory, path) = place();
    let mut journal = Journal::create(&path, &parameters()).expect("a journal");
    small_run(&mut journal).expect("records");
    // More than is read at once, so that reading does not end at the end.
    let many = items(100..10_000);
    journal.sent(&many).expect("records");
    let reason = journal.reason(1).expect("no failure").expect("a reason");
    assert_eq!(reason.message(), "the \"name\" is\ntoo long");
    assert_eq!(journal.reason(0).expect("no failure"), None);
    journal.sent(&items([9])).expect("a record");
    drop(journal);
    let mut journal = Journal::resume(&path, &parameters()).expect("a journal");
    assert_eq!(recorded(&journal.state, 8), AFTER_EACH_LINE[8]);
    assert_eq!(journal.reason(1).expect("no failure"), Some(reason));
}

#[test]
fn a_journal_holds_no_content_of_the_items() {
    let update = r#"{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{"name":"secret"}}"#;
    let update = crate::ItemUpdate::from_json(update).expect("an update");
    let digest = Digest::of(&update).expect("a digest");
    let position = Position { index: 0, digest };
    let bytes = written(|journal| {
        journal.sent(&[position])?;
        journal.settled([(position, Settled::Updated)])
    });
    let text = String::from_utf8(bytes).expect("text");
    assert!(
        !text.contains("secret") && !text.contains("66f6ed"),
        "{text}"
    );
}

#[test]
fn an_error_is_one_word_wide_and_can_cross_threads() {
    fn can_cross<T: Send + Sync + 'static>() {}
    can_cross::<JournalError>();
    can_cross::<Journal>();
    assert_eq!(size_of::<JournalError>(), size_of::<usize>());
}
