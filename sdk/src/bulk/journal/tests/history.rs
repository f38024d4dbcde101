//! Laws of what is known of an item after any history.

use proptest::prelude::*;

use super::*;

const ITEMS: u64 = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Sent,
    Unsent,
    Updated,
    Rejected,
    Unknown,
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop::sample::select(vec![
        Step::Sent,
        Step::Sent,
        Step::Unsent,
        Step::Updated,
        Step::Rejected,
        Step::Unknown,
    ]);
    (0..ITEMS, step)
}

/// What is known after the steps of one item, told from all of them at once; none if one of them cannot be.
fn oracle(steps: &[Step]) -> Option<Recorded> {
    let (last, before) = match steps.split_last() {
        None => return Some(Recorded::Fresh),
        Some((last, before)) => (last, before),
    };
    let known = oracle(before)?;
    if matches!(known, Recorded::Updated | Recorded::Rejected) {
        return None;
    }
    let open: i32 = before
        .iter()
        .rev()
        .take_while(|step| !matches!(step, Step::Unknown))
        .map(|step| match step {
            Step::Sent => 1,
            Step::Unsent => -1,
            _ => 0,
        })
        .sum();
    let was_unknown = before.iter().any(|step| matches!(step, Step::Unknown));
    match last {
        Step::Sent => Some(Recorded::InDoubt),
        Step::Unsent if open == 0 => None,
        Step::Unsent if open == 1 && !was_unknown => Some(Recorded::Fresh),
        Step::Unsent => Some(Recorded::InDoubt),
        Step::Updated => (open > 0).then_some(Recorded::Updated),
        Step::Unknown => (open > 0 || was_unknown).then_some(Recorded::InDoubt),
        Step::Rejected => Some(Recorded::Rejected),
    }
}

fn take(journal: &mut Journal, index: u64, step: Step) -> Result<(), JournalError> {
    let reason = Reason::new(&format!("{step:?}"), &index.to_string());
    let position = [item(index)];
    match step {
        Step::Sent => journal.sent(&position),
        Step::Unsent => journal.unsent(&position),
        Step::Updated => journal.settled([(item(index), Settled::Updated)]),
        Step::Rejected => journal.settled([(item(index), Settled::Rejected(&reason))]),
        Step::Unknown => journal.settled([(item(index), Settled::Unknown(&reason))]),
    }
}

fn count(known: &[Recorded], wanted: Recorded) -> u64 {
    known.iter().filter(|known| **known == wanted).count() as u64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_known_again_by_whoever_resumes_it(
        history in proptest::collection::vec((step(), any::<bool>()), 0..40),
    ) {
        let (_directory, path) = place();
        let mut journal = Journal::create(&path, &parameters()).expect("a journal");
        let mut steps = vec![Vec::new(); ITEMS as usize];
        for ((index, step), resumes) in history {
            let steps = &mut steps[index as usize];
            steps.push(step);
            if oracle(steps).is_none() {
                steps.pop();
                let error = take(&mut journal, index, step).expect_err("a contradiction");
                let contradiction = matches!(error.kind(), JournalErrorKind::Contradiction { .. });
                prop_assert!(contradiction, "{:?}", error);
                let error = take(&mut journal, ITEMS, Step::Sent).expect_err("it is broken");
                prop_assert_eq!(error.kind(), &JournalErrorKind::Broken);
            } else {
                take(&mut journal, index, step).expect("a record");
            }
            if resumes || journal.is_broken {
                drop(journal);
                journal = Journal::resume(&path, &parameters()).expect("a journal");
            }
        }
        let known = recorded(&journal.state, ITEMS);
        for (index, steps) in steps.iter().enumerate() {
            prop_assert_eq!(Some(known[index]), oracle(steps), "item {}: {:?}", index, steps);
            let reason = journal.reason(index as u64).expect("no failure");
            let settled = steps.iter().rev().find(|step| !matches!(step, Step::Sent | Step::Unsent));
            let expected = settled.filter(|step| !matches!(step, Step::Updated)).map(|step| format!("{step:?}"));
            prop_assert_eq!(reason.map(|reason| reason.kind().to_owned()), expected);
        }
        prop_assert_eq!(journal.tally(), Tally {
            updated: count(&known, Recorded::Updated),
            rejected: count(&known, Recorded::Rejected),
            in_doubt: count(&known, Recorded::InDoubt),
        });
        let end = steps.iter().rposition(|steps| !steps.is_empty()).map_or(0, |last| last as u64 + 1);
        prop_assert_eq!(journal.state.end(), end);
    }

    #[test]
    fn what_a_run_has_settled_itself_is_known_without_its_digests(
        order in Just((0..600).collect::<Vec<u64>>()).prop_shuffle(),
        earlier in 0..600_u64,
        seed in any::<u64>(),
    ) {
        let (_directory, path) = place();
        let reason = Reason::new("bad_request", "it is too long");
        let is_bad = |index: u64| (seed.rotate_left(index as u32) ^ index).is_multiple_of(3);
        let settle = |journal: &mut Journal, indices: &[u64]| {
            journal.sent(&items(indices.iter().copied())).expect("a record");
            let settled = indices.iter().map(|&index| match is_bad(index) {
                true => (item(index), Settled::Rejected(&reason)),
                false => (item(index), Settled::Updated),
            });
            journal.settled(settled).expect("a record");
        };
        let mut journal = Journal::create(&path, &parameters()).expect("a journal");
        let (first, second): (Vec<_>, Vec<_>) = order.iter().copied().partition(|index| *index < earlier);
        settle(&mut journal, &first);
        drop(journal);
        let mut journal = Journal::resume(&path, &parameters()).expect("a journal");
        for index in first {
            let other = Position { index, digest: Digest::default() };
            prop_assert_eq!(journal.state.recorded(other), None);
        }
        for indices in second.chunks(7) {
            settle(&mut journal, indices);
        }
        // Digests lie together by 128. In one such block the two runs meet, and one is not full.
        let digests = journal.state.digests() as u64;
        prop_assert!(earlier <= digests && digests <= earlier + 2 * 128, "{} are kept", digests);
        let known = recorded(&journal.state, 600);
        for index in 0..600 {
            let expected = if is_bad(index) { Recorded::Rejected } else { Recorded::Updated };
            prop_assert_eq!(known[index as usize], expected, "item {}", index);
        }
        prop_assert_eq!(journal.state.end(), 600);
        prop_assert_eq!(journal.tally().updated + journal.tally().rejected, 600);
        let again = order[order.len() - 1];
        let error = journal.sent(&items([again])).expect_err("it is settled");
        let contradiction = matches!(error.kind(), JournalErrorKind::Contradiction { .. });
        prop_assert!(contradiction, "{:?}", error);
    }

    #[test]
    fn any_record_is_read_as_it_was_written(
        numbers in proptest::collection::vec(any::<u64>(), 1..format::MAX_ITEMS),
        message in any::<String>(),
        status in any::<Option<u16>>(),
        kind in 0..5,
    ) {
        let items: Vec<_> = numbers.iter().map(|&index| item(index)).collect();
        let mut reason = serde_json::json!({"kind": "a", "code": message, "message": message, "details": [message]});
        if let Some(status) = status {
            reason["status"] = status.into();
        }
        let reason: Reason = serde_json::from_value(reason).expect("a reason");
        let record = match kind {
            0 => Record::Sent(items),
            1 => Record::Unsent(format::runs(numbers)),
            2 => Record::Settled(items[0], Verdict::Updated, None),
            3 => Record::Settled(items[0], Verdict::Rejected, Some(Cow::Owned(reason))),
            _ => Record::Settled(items[0], Verdict::Unknown, Some(Cow::Owned(reason))),
        };
        let mut line = Vec::new();
        format::write(&mut line, &mut Seal::default(), &record).expect("JSON");
        let line = line.strip_suffix(b"\n").expect("a line");
        prop_assert!(!line.contains(&b'\n'));
        prop_assert!(Seal::default().check(line));
        prop_assert_eq!(format::read(line), Some(record));
    }
}

#[test]
fn an_item_that_was_in_doubt_still_is_when_a_later_request_has_changed_nothing() {
    let bytes = written(|journal| {
        journal.sent(&items([0]))?;
        journal.sent(&items([0]))?;
        journal.unsent(&items([0]))
    });
    let state = replay(&bytes).expect("a journal").state;
    assert_eq!(recorded(&state, 1), [Recorded::InDoubt]);
}

#[test]
fn more_requests_than_can_be_counted_stay_in_doubt() {
    let mut state = State::default();
    for _ in 0..1000 {
        state
            .apply(&Record::Sent(items([0])), 0)
            .expect("a request");
    }
    for _ in 0..1000 {
        state
            .apply(&Record::Unsent(vec![(0, 0)]), 0)
            .expect("it was sent");
    }
    assert_eq!(recorded(&state, 1), [Recorded::InDoubt]);
}

#[test]
fn an_item_with_another_digest_is_another_input_and_is_named() {
    let other = Position {
        index: 1,
        digest: Digest::default(),
    };
    let bytes = written(|journal| journal.sent(&items([0, 1, 2])));
    let state = replay(&bytes).expect("a journal").state;
    assert_eq!(state.recorded(other), None);
    let unknown = Position { index: 3, ..other };
    assert_eq!(state.recorded(unknown), Some(Recorded::Fresh));
    let (_directory, path) = place();
    fs::write(&path, bytes).expect("a file");
    let mut journal = Journal::resume(&path, &parameters()).expect("a journal");
    let error = journal.sent(&[other]).expect_err("another input");
    assert!(
        error
            .to_string()
            .ends_with("item 1 cannot be recorded so: it is recorded with another digest"),
        "{error}"
    );
}

#[test]
fn neighbours_are_written_as_one_run() {
    assert_eq!(format::runs([]), []);
    assert_eq!(format::runs([0, 1, 2, 4, 3, 4]), [(0, 2), (4, 4), (3, 4)]);
    assert_eq!(format::runs([u64::MAX, 0]), [(u64::MAX, u64::MAX), (0, 0)]);
}
