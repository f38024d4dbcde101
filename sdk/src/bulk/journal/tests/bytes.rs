//! Properties of the bytes: truncated, changed, missing and foreign ones.

use proptest::prelude::*;

use super::*;

fn line_breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn damaged_line(bytes: &[u8]) -> u64 {
    match replay(bytes).expect_err("damage") {
        JournalErrorKind::Damaged { line, .. } => line,
        other => panic!("{other}"),
    }
}

#[test]
fn a_journal_truncated_at_any_byte_knows_its_whole_lines_and_nothing_else() {
    let bytes = written(small_run);
    assert_eq!(line_breaks(&bytes), AFTER_EACH_LINE.len());
    for end in 0..=bytes.len() {
        let mut replay =
            replay(&bytes[..end]).unwrap_or_else(|kind| panic!("cut at {end}: {kind}"));
        match line_breaks(&bytes[..end]).checked_sub(1) {
            None => assert_eq!(replay.len, 0, "cut at {end}"),
            Some(line) => assert_eq!(
                recorded(&mut replay.past, 8),
                AFTER_EACH_LINE[line],
                "cut at {end}"
            ),
        }
    }
}

#[test]
fn a_journal_truncated_at_any_byte_can_be_resumed_and_then_read_to_its_end() {
    let bytes = written(small_run);
    let (_directory, path) = place();
    for end in 0..=bytes.len() {
        fs::write(&path, &bytes[..end]).expect("a file");
        let before = known(&bytes[..end]);
        let mut journal = open(&path);
        journal.sent(&items([9])).expect("a record");
        drop(journal);
        let whole = fs::read(&path).expect("the file");
        assert_eq!(known(&whole), before, "cut at {end}");
        let mut past = replay(&whole).expect("a journal").past;
        assert_eq!(recorded(&mut past, 10)[9], Some(Kind::Unknown));
    }
}

#[test]
fn a_changed_byte_is_an_error_wherever_it_is() {
    let bytes = written(small_run);
    for position in 0..bytes.len() {
        let byte = bytes[position];
        let flips = (0..8).map(|bit| byte ^ (1 << bit));
        for other in flips.chain(*b"\n\"}{0,\0") {
            let mut changed = bytes.clone();
            changed[position] = other;
            assert!(
                other == byte || replay(&changed).is_err(),
                "byte {position} became {other}"
            );
        }
    }
}

#[test]
fn a_changed_byte_in_front_of_a_torn_line_is_an_error_and_in_it_does_no_harm() {
    let bytes = written(small_run);
    let torn = &bytes[..bytes.len() - 30];
    let whole = torn.len() - lines(torn).last().map_or(0, |line| line.len());
    let whole_lines = known(torn);
    for position in 0..torn.len() {
        for other in [b'\n', b'}', torn[position] ^ 1, torn[position] ^ 0x80] {
            let mut changed = torn.to_vec();
            changed[position] = other;
            match replay(&changed) {
                Ok(mut replay) => {
                    assert!(position >= whole || other == torn[position], "{position}");
                    assert_eq!(recorded(&mut replay.past, 8), whole_lines, "{position}");
                }
                Err(kind) => {
                    assert!(position < whole || other == b'\n', "{position}: {kind}");
                }
            }
        }
    }
}

#[test]
fn a_line_that_is_missing_or_twice_or_elsewhere_is_an_error_with_its_number() {
    let bytes = written(small_run);
    let lines = lines(&bytes);
    for number in 1..lines.len() {
        let mut twice = lines.clone();
        twice.insert(number, lines[number]);
        assert_eq!(damaged_line(&twice.concat()), number as u64 + 2);
        // Without its last line, it is a journal that was truncated between two lines.
        if number + 1 < lines.len() {
            let mut missing = lines.clone();
            missing.remove(number);
            assert_eq!(damaged_line(&missing.concat()), number as u64 + 1);
            let mut swapped = lines.clone();
            swapped.swap(number, number + 1);
            assert_eq!(damaged_line(&swapped.concat()), number as u64 + 1);
        }
    }
}

#[test]
fn a_torn_line_with_others_behind_it_is_an_error_with_its_number() {
    let bytes = written(small_run);
    let mut lines = lines(&bytes);
    let torn = &lines[3][..20];
    lines[3] = torn;
    assert_eq!(damaged_line(&lines.concat()), 4);
    let torn_and_ended = [torn, b"\n"].concat();
    lines[3] = &torn_and_ended;
    assert_eq!(damaged_line(&lines.concat()), 4);
}

#[test]
fn an_endless_line_is_an_error_and_is_not_kept_in_memory() {
    let bytes = written(small_run);
    let endless = [&bytes, &vec![b'x'; format::MAX_LINE + 1][..]].concat();
    assert_eq!(damaged_line(&endless), 10);
    let foreign = vec![b'x'; format::MAX_LINE * 2];
    assert_eq!(
        replay(&foreign).expect_err("foreign"),
        JournalErrorKind::NotAJournal
    );
}

#[test]
fn the_longest_record_fits_a_line() {
    let far_apart: Vec<_> = (0..format::MAX_ITEMS as u64)
        .map(|number| item(u64::MAX - 1 - 2 * number))
        .collect();
    let text = "\u{1}".repeat(10_000);
    let reason = Reason::new(&text, &text);
    let bytes = written(|journal| {
        journal.sent(&far_apart)?;
        journal.unsent(&far_apart)?;
        journal.sent(&far_apart[..1])?;
        journal.finished(&[(far_apart[0], RecordedStatus::Unknown(reason.clone()))])
    });
    let longest = lines(&bytes).iter().map(|line| line.len()).max();
    assert!(longest < Some(format::MAX_LINE / 2), "{longest:?}");
    let past = replay(&bytes).expect("a journal").past;
    assert_eq!(past.count(Kind::New), far_apart.len() as u64 - 1);
}

#[test]
fn a_first_line_of_another_file_differs_from_an_incomplete_one() {
    for foreign in [
        "hello",
        "{\"id\":1}",
        "{\"webflow-cms\":\"other\"",
        "\n",
        "{}\n",
    ] {
        assert_eq!(
            replay(foreign.as_bytes()).expect_err("foreign"),
            JournalErrorKind::NotAJournal,
            "{foreign:?}"
        );
    }
    let bytes = written(|_| Ok(()));
    let header = bytes.strip_suffix(b"\n").expect("a line");
    assert_eq!(replay(header).expect("a torn line").len, 0);
    let other = String::from_utf8(bytes).expect("text");
    let other = other.replace("\"format\":3", "\"format\":12");
    assert_eq!(
        replay(other.as_bytes()).expect_err("another format"),
        JournalErrorKind::UnsupportedFormat {
            found: 12,
            supported: 3,
        }
    );
    let overflow = other.replace("\"format\":12", "\"format\":99999999999999999999");
    assert_eq!(damaged_line(overflow.as_bytes()), 1);
}

/// A journal that grows while it is read.
struct Growing<'a>(Vec<&'a [u8]>);

impl std::io::Read for Growing<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        match self.0.first_mut() {
            None => Ok(0),
            Some(part) => {
                let read = part.read(to)?;
                if read == 0 {
                    self.0.remove(0);
                }
                Ok(read)
            }
        }
    }
}

#[test]
fn a_journal_that_grows_while_it_is_read_is_known_up_to_its_torn_line() {
    let bytes = written(small_run);
    for at in 0..bytes.len() {
        let (before, behind) = bytes.split_at(at);
        let growing = std::io::BufReader::new(Growing(vec![before, behind]));
        let mut grown = Replay::read(growing).unwrap_or_else(|_| panic!("grown at {at}"));
        let lines = line_breaks(before);
        if lines > 0 && !before.ends_with(b"\n") {
            assert_eq!(recorded(&mut grown.past, 8), AFTER_EACH_LINE[lines - 1]);
        }
    }
}

/// Appends a line with the right checksum, whatever its text.
fn sealed(bytes: &[u8], text: &str) -> Vec<u8> {
    let mut seal = Seal::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        assert!(seal.check(line.strip_suffix(b"\n").unwrap_or(line)));
    }
    let mut lines = bytes.to_vec();
    seal.close(&mut lines, text.as_bytes());
    lines
}

#[test]
fn a_record_that_format_3_does_not_have_is_an_error_even_with_the_right_checksum() {
    let header = written(|_| Ok(()));
    let good = r#"{"sent":{"indices":[[3,3]],"fingerprints":"0123456789abcdef012345"}"#;
    assert!(replay(&sealed(&header, good)).is_ok());
    for text in [
        "",
        "{",
        "[[[0,0]]",
        r#"{"sent":[[0,0]]"#,
        r#"{"sent":{"indices":[[0,0]]}"#,
        r#"{"sent":{"indices":[[0,1]],"fingerprints":"0123456789abcdef012345"}"#,
        r#"{"sent":{"indices":[[0,0]],"fingerprints":"0123456789abcdef0123450123456789abcdef012345"}"#,
        r#"{"sent":{"indices":[[0,0]],"fingerprints":"0123456789abcdef01234"}"#,
        r#"{"sent":{"indices":[[0,18446744073709551615]],"fingerprints":"0123456789abcdef012345"}"#,
        r#"{"sent":{"indices":[[-1,0]],"fingerprints":"0123456789abcdef012345"}"#,
        r#"{"sent":{"indices":[[0,0]],"fingerprints":"0123456789abcdef012345","after":[[1,1]]}"#,
        r#"{"unsent":[[0,18446744073709551615]]"#,
        r#"{"updated":0"#,
        r#"{"updated":[[0,0]]"#,
        r#"{"updated":[[0,0]],"unsent":[[0,0]]"#,
        r#"{"rejected":{"index":0,"fingerprint":"0123456789abcdef012345"}"#,
        r#"{"rejected":{"index":0,"fingerprint":"0123456789abcdef01234G","reason":{"kind":"a","message":"b"}}"#,
        r#"{"paused":0"#,
        r#"{"run":1"#,
        r#"{"run":3"#,
        r#"{"run":18446744073709551615"#,
    ] {
        assert_eq!(damaged_line(&sealed(&header, text)), 2, "{text}");
    }
}

#[test]
fn a_journal_of_format_3_is_read_and_written_for_ever() {
    let golden = include_bytes!("format-3.jsonl");
    assert_eq!(known(golden), AFTER_EACH_LINE[8]);
    assert_eq!(replay(golden).expect("a journal").len, golden.len() as u64);

    // The first line contains the version that wrote it, which changes.
    let today = written(small_run);
    let without_seal = |line: &[u8]| line.split_at(line.len() - 19).0.to_vec();
    let text = |bytes| {
        lines(bytes)[1..]
            .iter()
            .map(|line| without_seal(line))
            .collect::<Vec<_>>()
    };
    assert_eq!(text(&today), text(golden));
}

#[test]
fn a_checksum_is_the_crc_32_of_everything_before_it() {
    let golden = include_bytes!("format-3.jsonl");
    let mut start = 0;
    for line in lines(golden) {
        let end = start + line.len();
        let crc = crc32fast::hash(&golden[..end - 19]);
        let seal = format!(",\"crc\":\"{crc:08x}\"}}\n");
        assert_eq!(&golden[end - 19..end], seal.as_bytes());
        start = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), header: bool, sealing: bool) {
        let mut file = if header { written(|_| Ok(())) } else { Vec::new() };
        if header && sealing {
            file = sealed(&file, &String::from_utf8_lossy(&bytes).replace('\n', ""));
        }
        file.extend_from_slice(&bytes);
        let _ = replay(&file);
    }

    #[test]
    fn no_line_of_known_members_makes_reading_panic(
        members in proptest::collection::vec((
            prop::sample::select(vec!["sent", "unsent", "updated", "rejected", "unknown", "run", "fingerprint", "reason"]),
            prop::sample::select(vec!["0", "18446744073709551615", "[[0,0]]", "[[18446744073709551615,0]]", "[]",
                "[[0,18446744073709551615]]", "\"0123456789abcdef012345\"", "\"\"",
                "{\"indices\":[[0,0]],\"fingerprints\":\"0123456789abcdef012345\"}", "null"]),
        ), 0..4),
    ) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let file = sealed(&written(|_| Ok(())), &format!("{{{}", members.join(",")));
        let _ = replay(&file);
    }
}
