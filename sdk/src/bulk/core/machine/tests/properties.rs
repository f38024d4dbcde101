//! Properties of the machine for any order of events. [`Run`] asserts what holds at any moment.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::{Event, Given, Machine, Rules};
use super::support::{Run, after_a_timeout, forbidden, refusal, refused, rules, torn};
use crate::bulk::core::reason::Reason;
use crate::bulk::core::status::Recorded;
use crate::bulk::core::stop::StopReason;
use crate::error::Error;

/// An event of a run.
#[derive(Clone, Copy, Debug)]
enum Step {
    Give(usize, u8),
    GiveMany(usize),
    Invalid,
    SourceError(bool),
    End,
    Silent,
    Admit,
    Accept(Index),
    /// The response lacks some of the items.
    AcceptPart(Index, usize),
    /// The response of the service without a fault.
    Serve(u16, usize),
    Fail(Index, Failure),
    Abort(Index, bool),
    Cancel,
    /// A response to a request that was not sent.
    Stray(u64),
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    kind: u8,
    acted: bool,
}

impl Failure {
    fn error(self) -> Error {
        let error = match self.kind {
            0..=9 => {
                refused([400, 403, 404, 409, 422, 400, 400, 404, 400, 410][usize::from(self.kind)])
            }
            10 => refusal(400, "another refusal"),
            11 => refused(413),
            12 => refused(429),
            13 => refused(500),
            14 => refused(401),
            15 => Error::timed_out(),
            _ => return forbidden(),
        };
        match self.acted {
            true => after_a_timeout(error),
            false => error,
        }
    }
}

fn failure() -> impl Strategy<Value = Failure> {
    // Most failures do not stop the run.
    let kind = prop_oneof![30 => 0..14_u8, 1 => 14..17_u8];
    (kind, any::<bool>()).prop_map(|(kind, acted)| Failure { kind, acted })
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        12 => (0..12_usize, 0..8_u8).prop_map(|(key, recorded)| Step::Give(key, recorded)),
        4 => select(vec![1_usize, 99, 100, 101, 250]).prop_map(Step::GiveMany),
        1 => Just(Step::Invalid),
        1 => any::<bool>().prop_map(Step::SourceError),
        1 => Just(Step::End),
        3 => Just(Step::Silent),
        1 => Just(Step::Admit),
        12 => index().prop_map(Step::Accept),
        2 => (index(), 0..4_usize).prop_map(|(at, lacks)| Step::AcceptPart(at, lacks)),
        2 => (select(vec![400_u16, 403, 404]), 1..6_usize).prop_map(|(status, bad)| Step::Serve(status, bad)),
        12 => (index(), failure()).prop_map(|(at, failure)| Step::Fail(at, failure)),
        1 => (index(), any::<bool>()).prop_map(|(at, acted)| Step::Abort(at, acted)),
        1 => Just(Step::Cancel),
        1 => (0..5_u64).prop_map(Step::Stray),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let items = select(vec![1_usize, 2, 3, 7, 99, 100]);
    let flags = proptest::collection::vec(any::<bool>(), 5);
    let numbers = (
        select(vec![1_u32, 3, u32::MAX]),
        select(vec![1_u32, 20, u32::MAX]),
    );
    (items, 1..5_usize, flags, numbers).prop_map(|(items, concurrency, flags, numbers)| Rules {
        concurrency,
        assume_atomic: flags[0],
        max_consecutive_failures: numbers.0,
        // These two exclude each other.
        continue_after_unknown: flags[1] && !flags[2],
        resend_unknown: flags[2],
        continue_after_source_error: flags[3],
        resend_rejected: flags[4],
        isolation_limit: numbers.1,
        ..rules(items)
    })
}

fn recorded(number: u8) -> Recorded {
    match number {
        0 => Recorded::Updated,
        1 => Recorded::Rejected(Reason::new("bad_request", "no")),
        2 => Recorded::Rejected(Reason::new("bad_request", "no").with_may_have_acted(true)),
        3 => Recorded::Unknown(None),
        _ => Recorded::New,
    }
}

fn perform(run: &mut Run, step: Step) {
    let can_give = run.machine.source_end.is_none();
    let request = |run: &mut Run, at: Index| {
        let groups: Vec<_> = run.under_way.keys().copied().collect();
        let group = (!groups.is_empty()).then(|| *at.get(&groups))?;
        run.under_way.remove(&group)
    };
    match step {
        Step::Give(key, number) if can_give => run.give_recorded(key, recorded(number)),
        Step::GiveMany(count) if can_give => {
            // As the driver: it reads only while the machine wants more.
            for key in 0..count {
                if run.machine.wants_more() {
                    run.give(key % 150);
                }
            }
        }
        Step::Invalid if can_give => run.source(Given::Invalid {
            update: super::support::update(0),
            error: refused(413),
        }),
        Step::SourceError(is_last) if can_give => run.source(torn(is_last)),
        Step::End if can_give => run.end(),
        Step::Silent if run.machine.wants_more() => run.handle(Event::Silent),
        Step::Admit => run.handle(Event::Admitted),
        Step::Cancel => run.handle(Event::Stop(StopReason::Cancelled)),
        Step::Stray(group) if !run.under_way.contains_key(&group) => {
            run.respond(group, Err(refused(401)));
        }
        Step::Serve(status, bad) => run.serve(status, |key| key % 7 == bad),
        Step::Accept(at) => {
            if let Some(request) = request(run, at) {
                run.accept(&request);
            }
        }
        Step::AcceptPart(at, lacks) => {
            if let Some(request) = request(run, at) {
                run.accept_with(&request, |entry| entry % 4 != lacks);
            }
        }
        Step::Fail(at, failure) => {
            if let Some(request) = request(run, at) {
                run.fail(&request, failure.error());
            }
        }
        Step::Abort(at, acted) => {
            if let Some(request) = request(run, at) {
                run.abort(&request, acted);
            }
        }
        _ => {}
    }
}

proptest! {
    /// Whatever happens, a run that is driven to the end of its source ends, with one status for each item.
    #[test]
    fn every_item_that_is_taken_has_exactly_one_status(
        rules in any_rules(),
        has_accepted: bool,
        is_admitted: bool,
        steps in proptest::collection::vec(step(), 0..120),
        bad in 0..9_usize,
        status in select(vec![400_u16, 403, 404, 409, 413, 422]),
    ) {
        let mut run = Run::of(Machine::new(rules, has_accepted, is_admitted));
        for step in steps {
            perform(&mut run, step);
        }
        run.handle(Event::Admitted);
        run.serve(status, |key| key % 7 == bad);
        if run.machine.source_end.is_none() {
            run.end();
        }
        run.serve(status, |key| key % 7 == bad);
        run.assert_over();
        prop_assert_eq!(run.has_stopped, run.machine.stopped().is_some());
    }

    /// With a service that treats an item the same each time, good items are updated and bad ones rejected.
    #[test]
    fn what_a_consistent_service_refuses_is_rejected_and_nothing_else(
        items in select(vec![1_usize, 2, 3, 99, 100]),
        count in select(vec![1_usize, 2, 99, 100, 101, 250]),
        concurrency in 1..5_usize,
        status in select(vec![400_u16, 404, 409, 422]),
        bad in proptest::collection::btree_set(1..250_usize, 0..6),
    ) {
        let mut run = Run::new(Rules { concurrency, max_consecutive_failures: u32::MAX, ..rules(items) });
        for key in 0..count {
            while !run.machine.wants_more() {
                run.serve(status, |key| bad.contains(&key));
            }
            run.give(key);
        }
        run.end();
        run.serve(status, |key| bad.contains(&key));
        run.assert_over();
        prop_assert!(run.machine.stopped().is_none());
        for (word, key) in run.words().into_iter().zip(0..count) {
            let expected = if bad.contains(&key) { "rejected" } else { "updated" };
            prop_assert_eq!(word, expected, "{}", key);
        }
    }

    /// However long the input, at most four batches are read ahead of those in flight.
    #[test]
    fn no_more_is_read_ahead_than_four_batches(items in select(vec![1_usize, 3, 100]), keys in 1..200_usize) {
        let mut run = Run::new(rules(items));
        let mut key = 0;
        while run.machine.wants_more() {
            run.give(key % keys);
            key += 1;
        }
        prop_assert!(run.keys.len() <= 5 * items + 1, "{}", run.keys.len());
    }
}
