//! Properties of isolation: its results, and the number of requests.

use proptest::prelude::*;
use proptest::sample::select;

use super::trial::{Random, Summary, bound, hardest, requests, run, scattered, with_odds};
use super::{Isolation, Odds};

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    good: Vec<usize>,
    bad: Vec<usize>,
    unresolved: Vec<usize>,
    requests: usize,
}

/// Searches for at most `limit` requests. `names` returns the positions that the error of a refused group names.
fn search(bad: &[bool], limit: usize, mut names: impl FnMut(&[usize]) -> Vec<usize>) -> Found {
    let mut isolation = Isolation::new(bad.len(), Odds::default());
    let mut found = Found {
        good: Vec::new(),
        bad: Vec::new(),
        unresolved: Vec::new(),
        requests: 0,
    };
    while let Some(group) = isolation.group().filter(|_| found.requests < limit) {
        assert!(group.is_sorted_by(|one, next| one < next), "{group:?}");
        found.requests += 1;
        let resolved = if group.iter().any(|position| bad[*position]) {
            let named = names(group);
            isolation.refused(&named)
        } else {
            isolation.accepted(true)
        };
        found.good.extend(resolved.good);
        found.bad.extend(resolved.bad);
    }
    found.unresolved = isolation.into_unresolved();
    assert!(found.unresolved.is_sorted(), "{:?}", found.unresolved);
    found
}

/// Each position is resolved once and correctly.
fn assert_right(bad: &[bool], found: &Found) {
    assert!(
        found.good.iter().all(|position| !bad[*position]),
        "{found:?}"
    );
    assert!(found.bad.iter().all(|position| bad[*position]), "{found:?}");
    let mut all: Vec<_> = [&found.good[..], &found.bad, &found.unresolved].concat();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..bad.len()), "{found:?}");
}

fn no_names(_: &[usize]) -> Vec<usize> {
    Vec::new()
}

/// A service that names the first bad entry of a refused group.
fn first_bad(bad: &[bool]) -> impl FnMut(&[usize]) -> Vec<usize> {
    |group| {
        let first = group.iter().find(|position| bad[**position]);
        first.copied().into_iter().collect()
    }
}

fn patterns() -> impl Strategy<Value = Vec<bool>> {
    let len = prop_oneof![select(vec![1_usize, 2, 3, 99, 100]), 1..=100_usize];
    (len, 0..=100_u32).prop_flat_map(|(len, share)| {
        proptest::collection::vec(proptest::bool::weighted(f64::from(share) / 100.0), len)
    })
}

proptest! {
    /// All bad entries are found, and no other.
    #[test]
    fn every_position_is_resolved_once_and_correctly(bad in patterns()) {
        let found = search(&bad, usize::MAX, no_names);
        assert_right(&bad, &found);
        prop_assert!(found.unresolved.is_empty());
    }

    /// Names may help or hinder, but the result depends on the responses only.
    #[test]
    fn names_do_not_change_the_result(bad in patterns(), names in proptest::collection::vec(0..110_usize, 0..40)) {
        let mut left = names.into_iter();
        let found = search(&bad, usize::MAX, |group| {
            left.by_ref().take(group.len() % 4).collect()
        });
        assert_right(&bad, &found);
        prop_assert!(found.unresolved.is_empty());
    }

    /// A search that is abandoned returns the rest, so that nothing is lost.
    #[test]
    fn unresolved_positions_are_returned_at_any_point(bad in patterns(), limit in 0..60_usize, named: bool) {
        let mut names = first_bad(&bad);
        let found = search(&bad, limit, |group| if named { names(group) } else { Vec::new() });
        assert_right(&bad, &found);
    }

    /// The search ends although the responses contradict each other, as after a correction in the meantime.
    #[test]
    fn contradictory_responses_end_a_search_too(
        len in 0..=100_usize,
        answers in proptest::collection::vec((any::<bool>(), 0..100_usize), 1..50),
    ) {
        let mut isolation = Isolation::new(len, Odds::default());
        let mut resolved = 0;
        let mut requests = 0;
        for (accepted, named) in answers.iter().cycle() {
            if isolation.group().is_none() {
                break;
            }
            let response = if *accepted { isolation.accepted(true) } else { isolation.refused(&[*named]) };
            resolved += response.good.len() + response.bad.iter().len();
            requests += 1;
            prop_assert!(requests <= 2 * len, "still at {:?}", isolation);
        }
        prop_assert_eq!(resolved, len);
    }

    /// It takes one request for the other entries and one for the named entry alone. The rest takes as many as without
    /// that entry in the batch, except for one more refusal. Later names are ignored.
    #[test]
    fn a_wrong_name_costs_at_the_most_two_requests((bad, wrong) in patterns().prop_flat_map(|bad| {
        let len = bad.len();
        (Just(bad), 0..=len)
    })) {
        let mut others = bad;
        let mut bad = others.clone();
        bad.insert(wrong, false);
        if !others.contains(&true) {
            others[0] = true;
            bad[usize::from(wrong == 0)] = true;
        }
        let mut names = Some(wrong).into_iter().chain(0..);
        let found = search(&bad, usize::MAX, |_| names.next().into_iter().collect());
        assert_right(&bad, &found);
        let more = found.requests - requests(&others);
        prop_assert!((1..=2).contains(&more), "{} more", more);
    }
}

#[test]
fn a_right_name_of_the_only_bad_entry_makes_two_requests() {
    for len in [2, 3, 99, 100] {
        for position in 0..len {
            let bad = run(len, position, 1);
            let found = search(&bad, usize::MAX, |_| vec![position]);
            assert_right(&bad, &found);
            assert_eq!(found.requests, 2, "{position} of {len}");
        }
    }
}

#[test]
fn right_names_one_a_time_make_two_requests_each() {
    let mut random = Random(1);
    for count in 1..=25 {
        let bad = scattered(&mut random, 100, count);
        let found = search(&bad, usize::MAX, first_bad(&bad));
        assert_right(&bad, &found);
        assert_eq!(found.requests, 2 * count);
    }
}

#[test]
fn right_names_all_at_once_make_one_request_each_and_two_more() {
    let mut random = Random(2);
    for count in 2..=100 {
        let bad = scattered(&mut random, 100, count);
        let found = search(&bad, usize::MAX, |group| {
            group
                .iter()
                .copied()
                .filter(|position| bad[*position])
                .collect()
        });
        assert_right(&bad, &found);
        let others = usize::from(count < 100);
        assert_eq!(found.requests, 1 + others + count, "{count}");
    }
}

#[test]
fn names_that_are_right_too_often_do_not_lead_through_a_bad_batch() {
    let mut random = Random(3);
    for count in 26..=100 {
        let bad = scattered(&mut random, 100, count);
        let found = search(&bad, usize::MAX, first_bad(&bad));
        assert_right(&bad, &found);
        assert!(found.requests <= 160, "{count}: {}", found.requests);
    }
}

#[test]
fn a_batch_of_one_is_bad_once_it_is_refused() {
    let mut isolation = Isolation::new(1, Odds::default());
    assert_eq!(isolation.refused(&[0]).bad, Some(0));
    assert_eq!(isolation.group(), None);
}

#[test]
fn a_batch_without_bad_entries_is_one_request() {
    assert_eq!(requests(&[false; 100]), 1);
}

#[test]
fn scattered_bad_entries_cost_at_most_a_quarter_more_than_any_plan_needs() {
    let mut random = Random(4);
    for count in 1..=5 {
        let runs = (0..1_000).map(|_| requests(&scattered(&mut random, 100, count)));
        let Summary { mean, p99, .. } = Summary::of(runs);
        let bound = bound(100, count);
        assert!(mean <= bound, "{count}: {mean}");
        assert!(p99 as f64 <= bound + 5.0, "{count}: {p99}");
    }
}

#[test]
fn bad_neighbours_are_followed_to_their_end() {
    for (count, limit) in [(2, 15.0), (5, 18.0), (10, 23.0), (20, 33.0)] {
        let runs = (0..=100 - count).map(|start| requests(&run(100, start, count)));
        let Summary { mean, worst, .. } = Summary::of(runs);
        assert!(mean <= limit, "{count}: {mean}");
        assert!(worst <= 26 + count, "{count}: {worst}");
    }
}

#[test]
fn a_batch_that_is_all_bad_is_sent_almost_one_by_one() {
    let requests = requests(&[true; 100]);
    assert!(requests <= 108, "{requests}");
}

#[test]
fn no_pattern_costs_more_than_a_request_and_a_half_an_entry() {
    let mut random = Random(5);
    let limit = |bad: Vec<bool>| {
        let requests = requests(&bad);
        assert!(requests <= 150, "{requests}: {bad:?}");
    };
    for period in 2..=50 {
        for width in 1..period {
            limit((0..100).map(|place| place % period < width).collect());
        }
    }
    for count in 1..=100 {
        limit(scattered(&mut random, 100, count));
        limit(run(100, 100 - count, count));
        limit(run(100, 0, count));
    }
    // The hardest pattern that long searches have found.
    let hard = [
        false, true, true, false, false, true, false, false, false, true, true, false, false, false,
    ];
    let start: Vec<_> = hard.into_iter().cycle().take(100).collect();
    let (worst, bad) = hardest(&mut random, start, 300);
    assert!(worst <= 150, "{worst}: {bad:?}");
}

/// The odds after a number of batches of 100 with a number of bad entries.
fn learned(bad: &[usize]) -> Odds {
    let mut random = Random(7);
    bad.iter().fold(Odds::default(), |odds, count| {
        let pattern = scattered(&mut random, 100, *count);
        let mut isolation = Isolation::new(100, odds);
        while let Some(group) = isolation.group() {
            if group.iter().any(|position| pattern[*position]) {
                isolation.refused(&[]);
            } else {
                isolation.accepted(true);
            }
        }
        isolation.odds()
    })
}

#[test]
fn a_batch_is_sent_whole_unless_the_ones_before_it_were_mostly_bad() {
    let first = |odds| Isolation::new(100, odds).group().map(<[_]>::len);
    for odds in [
        learned(&[]),
        learned(&[0; 20]),
        learned(&[1; 20]),
        learned(&[100, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(first(odds), Some(100), "{odds:?}");
    }
    for odds in [learned(&[10; 10]), learned(&[60; 3])] {
        assert!(first(odds) < Some(50), "{odds:?}");
    }
}

#[test]
fn what_was_learned_of_earlier_batches_saves_requests_where_many_are_bad() {
    let mut random = Random(3);
    let patterns: Vec<_> = (0..200).map(|_| scattered(&mut random, 100, 10)).collect();
    let mean = |odds| {
        let requests = patterns.iter().map(|pattern| with_odds(pattern, odds));
        Summary::of(requests).mean
    };
    let (unaware, aware) = (mean(Odds::default()), mean(learned(&[10; 10])));
    assert!(aware + 2.0 < unaware, "{aware} and {unaware}");
}

#[test]
fn an_entry_that_is_sent_alone_is_resolved_alone_and_the_rest_is_still_found() {
    let mut random = Random(5);
    for bad in 0..20 {
        let pattern = scattered(&mut random, 30, bad);
        let mut isolation = Isolation::new(30, Odds::default());
        let (mut good, mut found) = (Vec::new(), Vec::new());
        let mut turn = 0;
        while isolation.group().is_some() {
            if turn % 3 == 1 {
                isolation.ask_alone(turn);
                assert_eq!(isolation.group().map(<[_]>::len), Some(1));
            }
            turn += 1;
            let group = isolation.group().expect("a group").to_vec();
            let resolved = if group.iter().any(|position| pattern[*position]) {
                isolation.refused(&[])
            } else {
                isolation.accepted(true)
            };
            good.extend(resolved.good);
            found.extend(resolved.bad);
        }
        assert!(
            found.iter().all(|place| pattern[*place]) && good.iter().all(|place| !pattern[*place])
        );
        assert_eq!(good.len() + found.len(), 30);
    }
}

#[test]
fn entries_that_are_sent_alone_are_not_only_bad_neighbours() {
    for (len, bad) in [(48, 29), (100, 60), (20, 12)] {
        for start in 0..=len - bad {
            let pattern = run(len, start, bad);
            let mut isolation = Isolation::new(len, Odds::default());
            isolation.refused(&[]);
            let is_good = |number| {
                isolation.ask_alone(number);
                let place = isolation.group().expect("a group")[0];
                isolation.refused(&[]);
                !pattern[place]
            };
            assert!((0..6).any(is_good), "{bad} of {len} from {start}");
        }
    }
}

#[test]
fn where_nothing_is_inferred_every_bad_entry_was_refused_alone() {
    let mut random = Random(11);
    for bad in 1..10 {
        let pattern = scattered(&mut random, 20, bad);
        let mut isolation = Isolation::new(20, Odds::default());
        let mut found = 0;
        while let Some(group) = isolation.group().map(<[_]>::to_vec) {
            if group.iter().any(|position| pattern[*position]) {
                let resolved = isolation.refused(&[]);
                assert!(resolved.bad.is_none() || group.len() == 1);
                found += usize::from(resolved.bad.is_some());
            } else {
                assert_eq!(isolation.accepted(false).bad, None);
            }
        }
        assert_eq!(found, bad);
    }
}

#[test]
fn a_batch_that_was_refused_once_for_a_passing_reason_has_no_bad_entry() {
    for len in 1..=100 {
        let mut isolation = Isolation::new(len, Odds::default());
        let resolved = isolation.refused(&[]);
        let mut bad: Vec<_> = resolved.bad.into_iter().collect();
        while isolation.group().is_some() {
            bad.extend(isolation.accepted(true).bad);
        }
        // An entry that was sent alone is bad itself.
        assert_eq!(bad.is_empty(), len > 1, "{len}: {bad:?}");
    }
}
