//! Properties of the record of an item after any history.

use proptest::prelude::*;

use super::*;

const ITEMS: u64 = 5;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Sent,
    Unsent,
    Updated,
    Rejected,
    Unknown,
    /// The run ends, and another one begins.
    Resumed,
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop::sample::select(vec![
        Step::Sent,
        Step::Sent,
        Step::Unsent,
        Step::Updated,
        Step::Rejected,
        Step::Unknown,
        Step::Resumed,
    ]);
    (0..ITEMS, step)
}

/// The record of an item, derived from its own steps alone. `Err` if the last step is a contradiction.
fn oracle(steps: &[Step]) -> Result<Option<Kind>, ()> {
    let (mut known, mut open, mut was_unknown) = (None, 0, false);
    for step in steps {
        match step {
            Step::Resumed => {
                let has_status = matches!(known, Some(Kind::Updated | Kind::Rejected));
                if !has_status && (open > 0 || was_unknown) {
                    known = Some(Kind::Unknown);
                }
                was_unknown = known == Some(Kind::Unknown);
                open = 0;
            }
            _ if matches!(known, Some(Kind::Updated | Kind::Rejected)) => return Err(()),
            Step::Sent => {
                open += 1;
                known = Some(Kind::Unknown);
            }
            Step::Unsent | Step::Updated if open == 0 => return Err(()),
            Step::Unsent => {
                open -= 1;
                if open == 0 && !was_unknown {
                    known = Some(Kind::New);
                }
            }
            Step::Unknown if open == 0 && known.is_none_or(|known| known == Kind::New) => {
                return Err(());
            }
            Step::Unknown => {
                known = Some(Kind::Unknown);
                (open, was_unknown) = (0, true);
            }
            Step::Updated => known = Some(Kind::Updated),
            Step::Rejected => known = Some(Kind::Rejected),
        }
    }
    Ok(known)
}

fn take(journal: &mut Journal, item: Position, step: Step) -> Result<(), JournalError> {
    let reason = Reason::new(&format!("{step:?}"), &item.index.to_string());
    match step {
        Step::Sent => journal.sent(&[item]),
        Step::Unsent => journal.unsent(&[item]),
        Step::Updated => journal.finished(&[(item, RecordedStatus::Updated)]),
        Step::Rejected => journal.finished(&[(item, RecordedStatus::Rejected(reason.clone()))]),
        Step::Unknown => journal.finished(&[(item, RecordedStatus::Unknown(reason.clone()))]),
        Step::Resumed => Ok(()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_known_to_the_run_that_resumes_it(
        history in proptest::collection::vec(step(), 0..40),
    ) {
        let (_directory, path) = place();
        let mut journal = open(&path);
        let mut steps = vec![Vec::new(); ITEMS as usize];
        let mut was_unknown = [false; ITEMS as usize];
        for (index, step) in history {
            let position = Position { was_unknown: was_unknown[index as usize], ..item(index) };
            if step == Step::Resumed {
                drop(journal);
                journal = open(&path);
                for (steps, was_unknown) in steps.iter_mut().zip(&mut was_unknown) {
                    steps.push(Step::Resumed);
                    *was_unknown = oracle(steps) == Ok(Some(Kind::Unknown));
                }
                continue;
            }
            // A run does not touch an item with a status.
            let known = oracle(&steps[index as usize]).expect("a history");
            let is_unknown = steps[index as usize].iter().rev().find(|step| **step != Step::Sent);
            if matches!(known, Some(Kind::Updated | Kind::Rejected)) || is_unknown == Some(&Step::Unknown) {
                continue;
            }
            let steps = &mut steps[index as usize];
            steps.push(step);
            if oracle(steps).is_err() {
                steps.pop();
                let error = take(&mut journal, position, step).expect_err("a contradiction");
                let contradiction = matches!(error.kind(), JournalErrorKind::Contradiction { .. });
                prop_assert!(contradiction, "{:?}", error);
                let error = take(&mut journal, item(ITEMS), Step::Sent).expect_err("it is broken");
                prop_assert_eq!(error.kind(), &JournalErrorKind::Broken);
                break;
            }
            take(&mut journal, position, step).expect("a record");
        }
        drop(journal);
        let mut journal = JournalReader::open(&path).expect("a journal");
        let tally = journal.counts();
        let mut counted = JournalCounts::default();
        for (index, steps) in steps.iter().enumerate() {
            let expected = oracle(steps).expect("a history");
            let last = steps.iter().rev().find(|step| {
                matches!(step, Step::Updated | Step::Rejected | Step::Unknown)
            });
            let reason = last.map(|step| format!("{step:?}"));
            let said = |reason: &Reason| Some(reason.kind().to_owned());
            match (expected, journal.claim(item(index as u64).fingerprint, Resend::default()).expect("no failure")) {
                (None | Some(Kind::New), Recorded::New) => {}
                (Some(Kind::Updated), Recorded::Updated) => counted.updated += 1,
                (Some(Kind::Rejected), Recorded::Rejected(why)) => {
                    counted.rejected += 1;
                    prop_assert_eq!(said(&why), reason);
                }
                (Some(Kind::Unknown), Recorded::Unknown(why)) => {
                    counted.unknown += 1;
                    prop_assert_eq!(why.as_ref().and_then(said), reason);
                }
                (expected, found) => {
                    prop_assert!(false, "item {}: {:?} is {:?}, not {:?}", index, steps, found, expected);
                }
            }
        }
        prop_assert_eq!(tally, counted);
    }

    #[test]
    fn any_record_is_read_as_it_was_written(
        numbers in proptest::collection::vec((any::<u64>(), any::<u32>(), 0..3_u32), 1..format::MAX_ITEMS),
        message in any::<String>(),
        status in any::<Option<u16>>(),
        kind in 0..6,
    ) {
        let items: Vec<_> = numbers
            .iter()
            .map(|&(index, content, after)| Position {
                index,
                fingerprint: Fingerprint::from_numbers(index as u32, content),
                after,
                was_unknown: false,
            })
            .collect();
        let mut reason = serde_json::json!({"kind": "a", "code": message, "message": message, "details": [message]});
        if let Some(status) = status {
            reason["status"] = status.into();
        }
        let reason: Reason = serde_json::from_value(reason).expect("a reason");
        let reason = format::ItemReason {
            index: items[0].index,
            fingerprint: items[0].fingerprint,
            after: items[0].after,
            reason: Cow::Owned(reason),
        };
        let record = match kind {
            0 => Record::Sent(format::Sent::new(&items)),
            1 => Record::Unsent(spans(&items)),
            2 => Record::Updated(spans(&items)),
            3 => Record::Rejected(reason),
            4 => Record::Unknown(reason),
            _ => Record::Run(items[0].index),
        };
        let mut line = Vec::new();
        format::write(&mut line, &mut Seal::default(), &record).expect("JSON");
        let line = line.strip_suffix(b"\n").expect("a line");
        prop_assert!(!line.contains(&b'\n'));
        prop_assert!(Seal::default().check(line));
        let read = format::read(line);
        prop_assert_eq!(read.as_ref(), Some(&record));
        if let Some(Record::Sent(sent)) = read {
            prop_assert_eq!(sent.positions(), Some(items));
        }
    }
}

#[test]
fn an_unknown_item_stays_unknown_when_a_later_request_changed_nothing() {
    let bytes = written(|journal| {
        journal.sent(&items([0]))?;
        journal.sent(&items([0]))?;
        journal.unsent(&items([0]))
    });
    assert_eq!(known(&bytes)[0], Some(Kind::Unknown));
}

#[test]
fn more_requests_than_can_be_counted_stay_unknown() {
    let bytes = written(|journal| {
        for _ in 0..1000 {
            journal.sent(&items([0]))?;
        }
        (0..1000).try_for_each(|_| journal.unsent(&items([0])))
    });
    assert_eq!(known(&bytes)[0], Some(Kind::Unknown));
}

#[test]
fn what_was_reverted_is_forgotten_by_its_run_and_not_by_the_journal() {
    let many = 10_000;
    let (_directory, path) = place();
    let mut journal = open(&path);
    for start in (0..many).step_by(100) {
        journal.sent(&items(start..start + 100)).expect("a record");
        journal
            .unsent(&items(start..start + 100))
            .expect("a record");
    }
    assert!(journal.in_flight.len() <= 5_000);
    drop(journal);
    let mut journal = open(&path);
    let known = recorded(&mut journal.past, many);
    assert!(known.iter().all(|known| *known == Some(Kind::New)));
}

#[test]
fn neighbours_are_written_as_one_span() {
    assert_eq!(format::spans([]), []);
    assert_eq!(format::spans([0, 1, 2, 4, 3, 4]), [(0, 2), (4, 4), (3, 4)]);
    assert_eq!(format::spans([u64::MAX, 0]), [(u64::MAX, u64::MAX), (0, 0)]);
}
