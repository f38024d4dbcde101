//! Properties of the input: which updates of an earlier input are recognized.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// An update: its item and its content.
type Update = (u32, u32);

fn fingerprint((item, content): Update) -> Fingerprint {
    Fingerprint::from_numbers(item, content)
}

/// Runs an input in which every update succeeds. Returns the positions of the updates that were sent.
fn run(path: &Path, input: &[Update], max_consecutive_failures: usize) -> Vec<usize> {
    let mut journal = open(path);
    let mut sent = Vec::new();
    for (index, update) in input.iter().enumerate() {
        let (position, recorded) =
            journal.look_up(index as u64, fingerprint(*update), Resend::default());
        if recorded == Recorded::New && sent.len() < max_consecutive_failures {
            journal.sent(&[position]).expect("a record");
            journal
                .finished(&[(position, RecordedStatus::Updated)])
                .expect("a record");
            sent.push(index);
        }
    }
    sent
}

/// The content of each item after updates in order.
fn holds(before: &[Update], updates: impl IntoIterator<Item = Update>) -> Vec<Update> {
    let mut holds: BTreeMap<u32, u32> = before.iter().copied().collect();
    holds.extend(updates);
    holds.into_iter().collect()
}

#[test]
fn the_same_input_is_sent_once() {
    let (_directory, path) = place();
    let input = [(1, 1), (2, 1), (1, 2), (1, 1), (2, 1)];
    assert_eq!(run(&path, &input, 3), [0, 1, 2]);
    assert_eq!(run(&path, &input, 9), [3, 4]);
    assert_eq!(run(&path, &input, 9), [0; 0]);
}

#[test]
fn a_corrected_update_is_sent_and_the_updates_behind_it_are_resent() {
    let (_directory, path) = place();
    assert_eq!(run(&path, &[(1, 1), (2, 1), (1, 3), (3, 1)], 9).len(), 4);
    assert_eq!(run(&path, &[(1, 2), (2, 1), (1, 3), (3, 1)], 9), [0, 2]);
    assert_eq!(run(&path, &[(1, 2), (2, 1), (1, 3), (3, 1)], 9), [0; 0]);
}

#[test]
fn updates_can_be_dropped_added_and_moved_between_others() {
    let (_directory, path) = place();
    assert_eq!(run(&path, &[(1, 1), (2, 1), (3, 1)], 9).len(), 3);
    assert_eq!(run(&path, &[(3, 1), (4, 1), (1, 1)], 9), [1]);
    let journal = JournalReader::open(&path).expect("a journal");
    assert_eq!(journal.counts().updated, 4);
}

#[test]
fn a_value_that_comes_back_is_resent() {
    let (_directory, path) = place();
    for input in [[(1, 10)], [(1, 12)], [(1, 10)]] {
        assert_eq!(run(&path, &input, 9), [0]);
    }
}

#[test]
fn what_is_not_in_the_input_any_more_is_counted() {
    let (_directory, path) = place();
    run(&path, &[(1, 1), (2, 1), (2, 2), (3, 1)], 9);
    let mut journal = open(&path);
    for (index, update) in [(2, 1), (3, 2)].into_iter().enumerate() {
        journal.look_up(index as u64, fingerprint(update), Resend::default());
    }
    // The first item, and the second update of the second one; that of the third one is replaced.
    assert_eq!(journal.not_in_input(), 2);
}

#[test]
fn an_input_of_which_nothing_is_known_is_another_one() {
    let (_directory, path) = place();
    run(&path, &[(1, 1), (2, 1)], 9);
    let looked_up = |updates: &[Update]| {
        let mut journal = open(&path);
        for (index, update) in updates.iter().enumerate() {
            journal.look_up(index as u64, fingerprint(*update), Resend::default());
        }
        (journal.is_judged(), journal.judge().is_ok())
    };
    let strangers: Vec<Update> = (10..110).map(|item| (item, 1)).collect();
    assert_eq!(looked_up(&[]), (false, true));
    assert_eq!(looked_up(&strangers[..99]), (false, false));
    assert_eq!(looked_up(&strangers), (true, false));
    assert_eq!(
        looked_up(&[&strangers[..99], &[(2, 7)]].concat()),
        (true, true)
    );
    let (_directory, path) = place();
    let mut empty = open(&path);
    empty.look_up(0, fingerprint((1, 1)), Resend::default());
    assert!(empty.is_judged() && empty.judge().is_ok());
}

fn inputs() -> impl Strategy<Value = Vec<(Vec<Update>, usize)>> {
    vec((vec((0..4_u32, 0..3_u32), 0..12), 0..12_usize), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_inputs_follow_each_other_the_last_one_is_what_the_service_holds(inputs in inputs()) {
        let (_directory, path) = place();
        let mut service = Vec::new();
        for (input, max_consecutive_failures) in &inputs {
            let sent = run(&path, input, *max_consecutive_failures);
            service = holds(&service, sent.into_iter().map(|index| input[index]));
        }
        let (last, _) = inputs.last().expect("there is one");
        // Updates that were dropped from the end of an item's are not undone, so they are there again.
        let mut whole = last.clone();
        let mut journal = open(&path);
        for (index, update) in last.iter().enumerate() {
            journal.look_up(index as u64, fingerprint(*update), Resend::default());
        }
        let dropped = journal.not_in_input();
        drop(journal);
        let sent = run(&path, last, usize::MAX);
        let holding = holds(&service, sent.iter().map(|index| last[*index]));
        if dropped == 0 {
            prop_assert_eq!(&holding, &holds(&holding, whole.drain(..)));
        }
        let again = run(&path, last, usize::MAX);
        prop_assert_eq!(again, vec![0_usize; 0], "a complete run leaves nothing to be sent");
    }
}

#[test]
fn of_updates_that_are_alike_each_knows_for_itself_whether_it_may_have_been_made() {
    let (_directory, path) = place();
    let refused = Reason::new("bad_request", "no");
    let mut journal = open(&path);
    for (index, may_have_acted) in [(0, true), (1, false)] {
        let found = journal.look_up(index, fingerprint((1, 1)), Resend::default());
        let (position, _) = found;
        journal.sent(&[position]).expect("a record");
        let reason = refused.clone().with_may_have_acted(may_have_acted);
        let rejected = (position, RecordedStatus::Rejected(reason.clone()));
        journal.finished(&[rejected]).expect("a record");
    }
    drop(journal);
    let mut journal = open(&path);
    for (index, may_have_acted) in [(0, true), (1, false)] {
        let found = journal.look_up(index, fingerprint((1, 1)), Resend::default());
        let (_, recorded) = found;
        let reason = refused.clone().with_may_have_acted(may_have_acted);
        assert_eq!(recorded, Recorded::Rejected(reason), "{index}");
    }
}
