//! Properties of the file: who may use it, and when it stays unchanged.

use std::error::Error as _;
use std::io;

use super::*;

fn refused(path: &Path, parameters: &Parameters) -> (JournalErrorKind, String) {
    let error = Journal::open(path, parameters).expect_err("a refusal");
    let place = format!("journal {}: ", error.path().display());
    let text = error.to_string();
    let text = text.strip_prefix(&place).expect("the path is in the text");
    (error.kind().clone(), text.to_owned())
}

/// The counts of a journal.
fn counts(path: &Path) -> JournalCounts {
    JournalReader::open(path).expect("a journal").counts()
}

#[test]
fn a_file_that_is_missing_or_empty_is_begun() {
    for contents in [None, Some("")] {
        let (_directory, path) = place();
        if let Some(contents) = contents {
            fs::write(&path, contents).expect("a file");
        }
        let mut journal = open(&path);
        journal.sent(&items([0])).expect("a record");
        drop(journal);
        assert_eq!(counts(&path).unknown, 1);
    }
}

#[test]
fn a_journal_is_continued() {
    let (_directory, path) = place();
    small_run(&mut open(&path)).expect("records");
    let mut journal = open(&path);
    journal.sent(&items([9])).expect("a record");
    drop(journal);
    let bytes = fs::read(&path).expect("the file");
    let text = String::from_utf8_lossy(&bytes);
    assert_eq!(text.matches("{\"run\":2,").count(), 1, "{text}");
    assert_eq!(replay(&bytes).expect("a journal").runs, 2);
    assert_eq!(known(&bytes), AFTER_EACH_LINE[8]);
}

#[test]
fn reading_a_journal_leaves_it_as_it_is() {
    let (_directory, path) = place();
    let error = JournalReader::open(&path).expect_err("it is missing");
    let kind = error
        .source()
        .and_then(|source| source.downcast_ref::<JournalError>());
    assert_eq!(
        kind.map(JournalError::kind),
        Some(&JournalErrorKind::Missing)
    );
    assert!(!path.exists());

    let whole = written(small_run);
    for end in [0, 10, whole.len() - 5, whole.len()] {
        fs::write(&path, &whole[..end]).expect("a file");
        let mut journal = JournalReader::open(&path).expect("a journal");
        let found = journal
            .claim(item(0).fingerprint, Resend::default())
            .expect("no failure");
        assert_eq!(found == Recorded::Updated, end > 10);
        let of_run = JournalReader::of_run(&path, &parameters()).expect("of the same run");
        assert!(of_run.is_some());
        assert_eq!(fs::read(&path).expect("the file"), &whole[..end]);
    }
}

#[test]
fn a_run_that_records_nothing_leaves_a_journal_as_it_is() {
    let (_directory, path) = place();
    small_run(&mut open(&path)).expect("records");
    let before = fs::read(&path).expect("the file");
    drop(open(&path));
    assert_eq!(fs::read(&path).expect("the file"), before);
}

#[test]
fn a_path_that_is_not_a_file_is_refused() {
    let (directory, _) = place();
    let (kind, text) = refused(directory.path(), &parameters());
    assert_eq!(kind, JournalErrorKind::NotAFile);
    assert_eq!(text, "the path does not lead to a file");
    assert!(JournalReader::open(directory.path()).is_err());
}

#[test]
fn a_missing_directory_is_reported_with_the_text_of_the_system() {
    let (directory, _) = place();
    let path = directory.path().join("missing").join("run.journal");
    let error = Journal::open(&path, &parameters()).expect_err("a refusal");
    assert_eq!(error.kind(), &JournalErrorKind::Io { doing: "open it" });
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotFound));
}

#[test]
fn a_journal_that_is_held_is_refused_until_it_is_dropped() {
    let (_directory, path) = place();
    let journal = open(&path);
    let (kind, text) = refused(&path, &parameters());
    assert_eq!(kind, JournalErrorKind::InUse);
    assert_eq!(text, "another run is using it");
    assert_eq!(
        counts(&path),
        JournalCounts::default(),
        "it can be looked at"
    );
    drop(journal);
    open(&path);
}

#[test]
fn a_file_that_is_of_something_else_is_refused_and_left_as_it_is() {
    let whole = written(small_run);
    let text = String::from_utf8(whole.clone()).expect("text");
    let other_format = text.replace("\"format\":3,", "\"format\":4,");
    let damaged = text.replacen("\"updated\":[[0", "\"updated\":[[1", 1);
    let collection = CollectionId::new("66f6ed9576ddacf3149d5ea6").expect("an id");
    let other_collection = Parameters {
        collection,
        ..parameters()
    };
    let other_parameter = Parameters {
        skip_invalid_files: Some(false),
        ..parameters()
    };
    let unset = Parameters {
        skip_invalid_files: None,
        ..parameters()
    };
    // Incomplete, so that the last line would be removed if the journal were opened.
    let torn = &text[..text.len() - 5];
    for (contents, parameters, expected) in [
        (
            "notes",
            parameters(),
            "the file is not a journal; it is unchanged",
        ),
        (
            &other_format,
            parameters(),
            "it has format 4, and this version of webflow-cms supports format 3; finish the run with the version that \
             wrote it, or start a new journal in another file",
        ),
        (
            &damaged,
            parameters(),
            "line 4 is damaged: its checksum does not match",
        ),
        (
            torn,
            other_collection,
            "it belongs to a run on another collection, 580e63fc8c9a982ac9b8b745",
        ),
        (
            torn,
            other_parameter,
            "it belongs to a run in which skip_invalid_files was true",
        ),
        (
            torn,
            unset,
            "it belongs to a run in which skip_invalid_files was true",
        ),
    ] {
        let (_directory, path) = place();
        fs::write(&path, contents).expect("a file");
        let (_, text) = refused(&path, &parameters);
        assert_eq!(text, expected);
        assert_eq!(
            fs::read(&path).expect("the file"),
            contents.as_bytes(),
            "{expected}"
        );
    }
}

#[test]
fn a_journal_of_an_earlier_format_is_refused_with_what_to_do_and_left_as_it_is() {
    let format_2 = include_str!("format-2.jsonl");
    let format_1 = format_2.replace("\"format\":2,", "\"format\":1,");
    for (format, contents) in [(1, &*format_1), (2, format_2)] {
        let (_directory, path) = place();
        fs::write(&path, contents).expect("a file");
        let (kind, text) = refused(&path, &parameters());
        let unsupported = JournalErrorKind::UnsupportedFormat {
            found: format,
            supported: 3,
        };
        assert_eq!(kind, unsupported);
        assert_eq!(
            text,
            format!(
                "it has format {format}, and this version of webflow-cms supports format 3; finish the run with the \
                 version that wrote it, or start a new journal in another file"
            )
        );
        let reader = JournalReader::open(&path).expect_err("another format");
        assert!(format!("{reader:?}").contains(&text), "{reader:?}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), contents);
    }
}

#[test]
fn a_torn_line_is_removed_before_anything_is_appended() {
    let whole = written(small_run);
    let long_line = written(|journal| {
        small_run(journal)?;
        journal.sent(&items(100..200))
    });
    let (_directory, path) = place();
    fs::write(&path, &long_line[..long_line.len() - 1]).expect("a file");
    drop(open(&path));
    assert_eq!(fs::read(&path).expect("the file"), whole);
}

// Windows does not let others read a locked file.
#[cfg(not(windows))]
#[test]
fn a_record_is_in_the_file_when_its_method_returns_with_and_without_fsync() {
    for fsync in [false, true] {
        let (_directory, path) = place();
        let mut journal = open(&path);
        journal = journal.fsync(fsync);
        small_run(&mut journal).expect("records");
        // The journal is not dropped yet.
        let bytes = fs::read(&path).expect("the file");
        assert_eq!(known(&bytes), AFTER_EACH_LINE[8]);
        assert_eq!(bytes, written(small_run));
    }
}

#[test]
fn nothing_is_written_behind_a_failed_write() {
    let (_directory, path) = place();
    let mut journal = open(&path);
    journal.sent(&items([0])).expect("a record");
    journal.file.forbid_writing();
    let error = journal
        .finished(&[(item(0), RecordedStatus::Updated)])
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
                "an earlier write failed, so nothing more is written; resume the run to continue"
            ),
            "{error}"
        );
    }
    drop(journal);
    let mut journal = open(&path);
    assert_eq!(recorded(&mut journal.past, 2), [Some(Kind::Unknown), None]);
    journal.sent(&items([0])).expect("a record");
}

#[test]
fn a_reason_is_read_and_the_next_record_stands_at_the_end_all_the_same() {
    let (_directory, path) = place();
    let mut journal = open(&path);
    small_run(&mut journal).expect("records");
    // More than is read at once, so that reading does not end at the end.
    journal.sent(&items(100..10_000)).expect("records");
    drop(journal);
    let mut journal = open(&path);
    let look_up = |journal: &mut Journal, index| {
        let (_, recorded) = journal.look_up(index, item(index).fingerprint, Resend::default());
        recorded
    };
    assert_eq!(look_up(&mut journal, 0), Recorded::Updated);
    let Recorded::Rejected(reason) = look_up(&mut journal, 1) else {
        panic!("it was rejected")
    };
    assert_eq!(reason.message(), "the \"name\" is\ntoo long");
    let Recorded::Unknown(Some(reason)) = look_up(&mut journal, 2) else {
        panic!("it is unknown")
    };
    assert_eq!(reason.kind(), "timeout");
    assert_eq!(look_up(&mut journal, 4), Recorded::Unknown(None));
    assert_eq!(look_up(&mut journal, 5), Recorded::New);
    journal.sent(&items([9])).expect("a record");
    drop(journal);
    assert_eq!(
        known(&fs::read(&path).expect("the file")),
        AFTER_EACH_LINE[8]
    );
}

#[test]
fn what_is_unknown_stays_so_although_its_reason_cannot_be_read() {
    let (_directory, path) = place();
    small_run(&mut open(&path)).expect("records");
    let mut journal = open(&path);
    let file = fs::OpenOptions::new().write(true).open(&path);
    file.and_then(|file| file.set_len(0)).expect("it is cut");
    let (position, recorded) = journal.look_up(2, item(2).fingerprint, Resend::default());
    assert_eq!(recorded, Recorded::Unknown(None));
    assert!(position.was_unknown);
    assert!(journal.take_fault().is_some());
    assert!(
        journal.sent(&items([9])).is_err(),
        "nothing is written behind that"
    );
}

#[test]
fn a_journal_holds_no_content_of_the_items() {
    let line = r#"{"id":"66f6ed9576ddacf3149d5ea6","fieldData":{"name":"secret"}}"#;
    let update = crate::model::ItemUpdate::from_json(line).expect("an update");
    let position = Position {
        fingerprint: Fingerprint::new(update.key(), line),
        ..item(0)
    };
    let bytes = written(|journal| {
        journal.sent(&[position])?;
        journal.finished(&[(position, RecordedStatus::Updated)])
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
