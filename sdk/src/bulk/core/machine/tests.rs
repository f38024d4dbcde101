//! The transitions of the machine: the commands that follow each event.

mod properties;
mod support;

use std::time::Duration;

use self::support::{Run, after_a_timeout, forbidden, refusal, refused, rules, torn, update};
use super::{Event, Given, Machine, Rules};
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::{ItemStatus, Recorded, Unknown};
use crate::bulk::core::stop::{SourceEnd, StopReason};
use crate::error::Error;

/// A run after updates of these keys and the end of its source.
fn given(rules: Rules, keys: impl IntoIterator<Item = usize>) -> Run {
    let mut run = Run::new(rules);
    keys.into_iter().for_each(|key| run.give(key));
    run.end();
    run
}

fn failed_once(rules: Rules, keys: impl IntoIterator<Item = usize>, error: Error) -> Run {
    let mut run = given(rules, keys);
    let request = run.first();
    run.fail(&request, error);
    run
}

fn cancel(run: &mut Run) {
    run.handle(Event::Stop(StopReason::Cancelled));
}

fn why(run: &Run) -> &StopReason {
    run.machine.stopped().expect("it has stopped")
}

#[test]
fn a_batch_leaves_when_it_is_full() {
    let mut run = Run::new(rules(3));
    run.give(0);
    run.give(1);
    assert!(run.under_way.is_empty());
    run.give(2);
    assert_eq!(run.sizes, [3]);
}

#[test]
fn a_batch_that_is_not_full_leaves_when_the_source_ends_or_is_silent() {
    for ends in [true, false] {
        let mut run = Run::new(rules(3));
        run.give(0);
        assert_eq!(run.machine.patience(), Some(Duration::from_secs(5)));
        match ends {
            true => run.end(),
            false => run.handle(Event::Silent),
        }
        assert_eq!(run.sizes, [1]);
        assert_eq!(run.machine.patience(), None);
    }
}

#[test]
fn an_update_after_a_silence_waits_for_a_full_batch_again() {
    let mut run = Run::new(rules(3));
    run.handle(Event::Silent);
    run.give(0);
    assert!(run.under_way.is_empty());
}

#[test]
fn nothing_is_sent_before_the_journal_is_admitted() {
    let mut run = Run::of(Machine::new(rules(1), true, false));
    run.give(0);
    assert!(run.under_way.is_empty() && !run.machine.is_admitted());
    run.handle(Event::Admitted);
    assert_eq!(run.sizes, [1]);
}

#[test]
fn what_earlier_runs_have_recorded_is_not_sent() {
    let reason = || Reason::new("bad_request", "no");
    let mut run = Run::new(rules(1));
    run.give_recorded(0, Recorded::Updated);
    run.give_recorded(1, Recorded::Rejected(reason()));
    run.give_recorded(2, Recorded::Unknown(None));
    // It could be overwritten by a late request of the earlier run.
    run.give(2);
    run.end();
    run.assert_over();
    assert_eq!(
        run.words(),
        ["updated before", "rejected before", "unknown", "held back"]
    );
    assert!(run.sizes.is_empty());
}

#[test]
fn what_earlier_runs_have_recorded_is_resent_if_that_is_set() {
    let reason = Reason::new("bad_request", "no").with_may_have_acted(true);
    let mut run = Run::new(Rules {
        resend_unknown: true,
        resend_rejected: true,
        ..rules(2)
    });
    run.give_recorded(0, Recorded::Rejected(reason));
    run.give_recorded(1, Recorded::Unknown(None));
    run.serve(400, |key| key == 0);
    // A request of the earlier run may have changed it, whatever the refusal of this one.
    assert!(matches!(&run.statuses[&0], ItemStatus::Rejected(error) if error.may_have_acted()));
    assert_eq!(run.words(), ["rejected", "updated"]);
}

#[test]
fn an_update_that_no_request_can_hold_is_rejected_without_being_sent() {
    let large = Rules {
        limits: crate::bulk::core::plan::Limits {
            items: 1,
            bytes: 30,
        },
        ..rules(1)
    };
    let mut run = Run::new(large);
    let error = run.machine.line(&update(0)).expect_err("it is too large");
    run.source(Given::Invalid {
        update: update(0),
        error,
    });
    run.end();
    run.assert_over();
    assert_eq!(run.words(), ["rejected"]);
}

#[test]
fn an_error_of_the_source_ends_it_unless_the_run_reads_on() {
    for (continues, is_last, ends) in [
        (false, false, true),
        (true, false, false),
        (true, true, true),
    ] {
        let mut run = Run::new(Rules {
            continue_after_source_error: continues,
            ..rules(3)
        });
        run.give(0);
        run.source(torn(is_last));
        assert_eq!(run.machine.wants_more(), !ends);
        assert_eq!(run.has_left_source, ends);
        let end = run.machine.source_end();
        assert_eq!(matches!(end, SourceEnd::Failed { index: 1, .. }), ends);
        if !ends {
            run.end();
        }
        run.serve(400, |_| false);
        run.assert_over();
        assert_eq!(run.words(), ["updated", "source"]);
    }
}

#[test]
fn one_request_is_under_way_until_the_service_has_accepted_one() {
    let mut run = given(rules(1), 0..10);
    assert_eq!(run.under_way.len(), 1);
    let request = run.first();
    run.accept(&request);
    assert_eq!(run.under_way.len(), 4);
}

#[test]
fn items_that_the_response_lacks_are_unknown_and_hold_later_ones_back() {
    let mut run = given(rules(2), [0, 1, 1]);
    let request = run.first();
    run.accept_with(&request, |entry| entry == 0);
    run.assert_over();
    assert_eq!(run.words(), ["updated", "unknown", "held back"]);
}

#[test]
fn later_updates_are_sent_after_an_unknown_one_if_that_is_set() {
    let go_on = Rules {
        continue_after_unknown: true,
        ..rules(1)
    };
    let mut run = failed_once(go_on, [0, 0], refused(500));
    run.serve(400, |_| false);
    assert_eq!(run.words(), ["unknown", "updated"]);
}

#[test]
fn the_item_at_fault_is_found_and_the_others_are_updated() {
    let mut run = given(rules(100), 0..100);
    run.serve(400, |key| key == 41);
    run.assert_over();
    assert_eq!(run.sizes.first(), Some(&100));
    assert!(run.sizes.len() <= 12, "{:?}", run.sizes);
    let rejected: Vec<_> = run
        .words()
        .into_iter()
        .map(|word| word == "rejected")
        .collect();
    assert!(
        rejected
            .iter()
            .enumerate()
            .all(|(key, is)| *is == (key == 41))
    );
}

#[test]
fn an_error_that_names_an_item_has_the_others_sent_first() {
    let mut run = given(rules(100), 0..100);
    let request = run.first();
    let id = update(41).key().id;
    run.fail(&request, refusal(400, &format!("item {id} is invalid")));
    assert_eq!(run.sizes, [100, 99]);
    run.serve(400, |key| key == 41);
    assert_eq!(
        run.words()
            .iter()
            .filter(|word| **word == "rejected")
            .count(),
        1
    );
    assert_eq!(run.sizes.len(), 2);
}

#[test]
fn an_item_is_refused_twice_alone_before_it_is_rejected_for_a_status_of_the_whole() {
    for (status, times) in [(400, 1), (403, 2)] {
        let mut run = Run::of(Machine::new(rules(1), true, true));
        run.give(0);
        run.end();
        run.serve(status, |_| true);
        run.assert_over();
        assert_eq!(
            (run.words(), run.sizes.len()),
            (vec!["rejected"], times),
            "{status}"
        );
    }
}

#[test]
fn a_refusal_after_an_attempt_that_may_have_acted_keeps_that_mark() {
    let run = failed_once(rules(1), [0], after_a_timeout(refused(400)));
    run.assert_over();
    assert!(matches!(&run.statuses[&0], ItemStatus::Rejected(error) if error.may_have_acted()));

    // The run stops before it is known whether the refusals are about items.
    let mut run = failed_once(rules(2), [0, 1], after_a_timeout(refused(400)));
    cancel(&mut run);
    let request = run.first();
    run.abort(&request, false);
    run.assert_over();
    assert_eq!(run.words(), ["unknown", "unknown"]);
}

#[test]
fn a_request_that_is_too_large_is_halved() {
    let mut run = failed_once(rules(100), 0..100, refused(413));
    assert_eq!(run.sizes, [100, 50]);
    run.serve(400, |_| false);
    run.assert_over();
    assert_eq!(run.sizes, [100, 50, 50]);
}

#[test]
fn an_item_that_is_too_large_alone_is_rejected() {
    let mut run = given(rules(2), [0, 1]);
    run.serve(413, |key| key == 1);
    run.assert_over();
    assert_eq!(run.words(), ["updated", "rejected"]);
}

#[test]
fn a_token_that_is_not_accepted_stops_the_run() {
    let run = failed_once(rules(1), 0..3, refused(401));
    run.assert_over();
    assert!(matches!(why(&run), StopReason::Unauthorized(_)));
    assert_eq!(run.words(), ["stopped"; 3]);
    // An earlier attempt may have acted.
    let run = failed_once(rules(1), 0..2, after_a_timeout(refused(401)));
    assert_eq!(run.words(), ["unknown", "stopped"]);
    assert!(matches!(why(&run), StopReason::Unauthorized(_)));
}

#[test]
fn an_item_that_could_not_be_sent_holds_later_ones_back() {
    let mut run = failed_once(rules(1), [0, 0, 1], refused(429));
    run.serve(400, |_| false);
    run.assert_over();
    assert_eq!(run.words(), ["not sent", "held back", "updated"]);
}

#[test]
fn a_request_without_a_response_leaves_its_items_unknown() {
    let mut run = failed_once(rules(1), [0, 0, 1], refused(500));
    run.serve(400, |_| false);
    run.assert_over();
    assert_eq!(run.words(), ["unknown", "held back", "updated"]);
}

#[test]
fn a_refused_batch_is_unknown_unless_it_is_assumed_to_have_changed_nothing() {
    let partial = Rules {
        assume_atomic: false,
        ..rules(2)
    };
    let run = failed_once(partial, [0, 1], refused(400));
    run.assert_over();
    let is_refused =
        |status: &ItemStatus| matches!(status, ItemStatus::Unknown(Unknown::Refused(_)));
    assert!(run.statuses.values().all(is_refused));
    // An item that was alone is at fault itself.
    let run = failed_once(partial, [0], refused(400));
    assert_eq!(run.words(), ["rejected"]);
}

#[test]
fn a_run_in_which_everything_is_refused_with_one_error_stops_after_twelve_requests() {
    let mut run = given(rules(100), 0..1_000);
    run.serve(404, |_| true);
    run.assert_over();
    assert!(matches!(
        why(&run),
        StopReason::RepeatedRefusal {
            items: 3..,
            requests: 12,
            ..
        }
    ));
    assert_eq!(run.sizes.len(), 12);
    assert_eq!(run.words(), vec!["stopped"; 1_000]);
}

#[test]
fn a_firewall_that_lets_nothing_through_rejects_no_item_at_the_end_of_the_source() {
    let mut run = given(rules(1), [0, 1]);
    run.serve(403, |_| true);
    run.assert_over();
    assert!(matches!(why(&run), StopReason::RepeatedRefusal { .. }));
    assert_eq!(run.words(), ["stopped"; 2]);
}

#[test]
fn consecutive_batches_without_an_update_stop_the_run() {
    let mut run = given(rules(100), 0..500);
    for _ in 0..3 {
        assert!(run.machine.stopped().is_none());
        let request = run.first();
        run.fail(&request, refused(429));
    }
    run.assert_over();
    assert!(matches!(
        why(&run),
        StopReason::ConsecutiveFailures {
            batches: 3,
            items: 300,
            ..
        }
    ));
}

#[test]
fn one_success_between_failures_counts_from_the_start_again() {
    let mut run = given(rules(100), 0..700);
    for failures in [2, 2] {
        for _ in 0..failures {
            let request = run.first();
            run.fail(&request, refused(429));
        }
        let request = run.first();
        run.accept(&request);
    }
    assert!(run.machine.stopped().is_none());
}

#[test]
fn a_run_stops_when_isolation_takes_more_requests_than_are_granted() {
    let mut run = Run::new(Rules {
        isolation_limit: 20,
        ..rules(100)
    });
    for key in 0..1_000 {
        while !run.machine.wants_more() && !run.has_stopped {
            run.serve(400, |key| key % 2 == 0);
        }
        run.give(key);
    }
    run.end();
    run.serve(400, |key| key % 2 == 0);
    run.assert_over();
    assert!(matches!(why(&run), StopReason::TooManyRejected { .. }));
}

#[test]
fn a_run_that_is_cancelled_waits_for_what_is_under_way_and_sends_nothing_more() {
    let mut run = given(rules(1), [0, 1]);
    cancel(&mut run);
    assert!(!run.machine.is_over());
    let request = run.first();
    run.accept(&request);
    run.assert_over();
    assert_eq!(run.words(), ["updated", "cancelled"]);
}

#[test]
fn an_aborted_request_is_unknown_only_if_an_attempt_may_have_acted() {
    for (may_have_acted, word) in [(true, "unknown"), (false, "cancelled")] {
        let mut run = given(rules(1), [0]);
        cancel(&mut run);
        let request = run.first();
        run.abort(&request, may_have_acted);
        run.assert_over();
        assert_eq!(run.words(), [word]);
    }
}

#[test]
fn a_request_that_is_aborted_or_kept_from_leaving_stops_the_run() {
    let mut run = given(rules(1), [0, 1]);
    let request = run.first();
    run.abort(&request, false);
    run.assert_over();
    assert!(matches!(why(&run), StopReason::Cancelled));
    let run = failed_once(rules(1), [0, 1], forbidden());
    run.assert_over();
    assert_eq!(run.words(), ["cancelled"; 2]);
}

#[test]
fn the_first_reason_to_stop_counts() {
    let mut run = given(rules(1), [0, 1]);
    cancel(&mut run);
    let request = run.first();
    run.fail(&request, refused(401));
    assert!(matches!(why(&run), StopReason::Cancelled));
}

#[test]
fn a_stopped_run_reads_its_source_only_to_account_for_it() {
    let mut run = Run::new(rules(1));
    cancel(&mut run);
    assert_eq!(run.machine.patience(), Some(Duration::from_secs(1)));
    run.give(0);
    run.give_recorded(1, Recorded::Updated);
    assert!(run.machine.wants_more());
    run.handle(Event::Silent);
    assert!(run.has_left_source && !run.machine.wants_more());
    assert!(matches!(run.machine.source_end(), SourceEnd::Abandoned));
    run.assert_over();
    assert_eq!(run.words(), ["cancelled", "updated before"]);
}

#[test]
fn a_stopped_run_leaves_a_source_that_drips_or_does_not_end() {
    let mut run = Run::new(rules(1));
    cancel(&mut run);
    for number in 1..=12 {
        assert!(run.machine.wants_more(), "after {number} items");
        let waited = Duration::from_millis(900);
        let given = torn(false);
        run.machine.rules.continue_after_source_error = true;
        run.handle(Event::Given { given, waited });
    }
    assert!(!run.machine.wants_more());

    let mut run = Run::new(rules(1));
    cancel(&mut run);
    let mut taken = 0;
    while run.machine.wants_more() {
        run.give(taken % 100);
        taken += 1;
    }
    assert_eq!(taken, 100_000);
}

#[test]
fn an_event_of_a_request_that_is_not_under_way_changes_nothing() {
    let mut run = given(rules(2), [0, 1, 2]);
    let request = run.first();
    run.accept(&request);
    run.respond(request.group, Err(refused(401)));
    run.respond(99, Err(refused(401)));
    run.abort(&request, false);
    assert!(run.machine.stopped().is_none());
    run.serve(400, |_| false);
    run.assert_over();
    assert_eq!(run.words(), ["updated"; 3]);
}

#[test]
fn the_totals_count_what_was_taken_sent_and_searched() {
    let mut run = given(rules(2), [0, 1, 2]);
    run.serve(400, |key| key == 1);
    let totals = run.machine.totals();
    assert_eq!((totals.taken, totals.sent_items), (3, 3));
    let first = 2;
    assert_eq!(totals.isolation_requests, run.sizes.len() as u64 - first);
}
