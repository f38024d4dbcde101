//! Cancelled runs.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::client::RateLimiter;
use crate::rule::{Rule, property};
use crate::rules::bulk::fixture::case::{At, Case, Interrupt, Leg, Tail, Trouble};
use crate::rules::bulk::fixture::play::{TIMEOUT, play};
use crate::rules::bulk::fixture::wire::Sent;
use crate::rules::bulk::fixture::{generate, invariants};
use crate::rules::fixture::edges::among;
use crate::rules::fixture::timed::{SECOND, within};

pub(super) fn rules() -> Vec<Rule> {
    vec![cancel_reports_every_item(), cancel_always_ends()]
}

fn cancel_reports_every_item() -> Rule {
    const EDGES: [&str; 4] = [
        "between outcomes",
        "at a poll",
        "at a time",
        "while a wait is on",
    ];
    Rule::new(
        "bulk/cancel-reports-every-item",
        "once a run is cancelled no request is sent, and all items are reported within the attempt timeout",
        "this suite: a caller must know when its call ends",
        &EDGES,
        property(
            |case| {
                let at = match case % 4 {
                    0 => (0..200_usize).prop_map(At::Outcome).boxed(),
                    1 => (0..80_usize).prop_map(At::Poll).boxed(),
                    _ => (0..15_000_u64).prop_map(At::Milliseconds).boxed(),
                };
                let long = (5..100_u64).prop_map(|wait| Trouble::Status(429, Some(wait)));
                let troubles = vec(
                    prop_oneof![3 => Just(Trouble::None), 1 => generate::disturbance(), 1 => long],
                    0..8,
                );
                let rate_limiter = select(vec![
                    RateLimiter::Unlimited,
                    RateLimiter::Fixed(20),
                    RateLimiter::WithInitialLimit(60),
                ]);
                let input = generate::input(prop_oneof![2 => 20..60_usize, 1 => 200..400_usize]);
                let bytes = prop_oneof![1 => Just(None), 2 => (300..2_000_usize).prop_map(Some)];
                (
                    input,
                    at,
                    troubles,
                    rate_limiter,
                    bytes,
                    any::<u64>(),
                    any::<bool>(),
                )
                    .prop_map(
                        |(input, at, troubles, rate_limiter, max_batch_bytes, latency, journal)| {
                            Case {
                                rate_limiter,
                                max_batch_bytes,
                                latency,
                                journal,
                                legs: vec![Leg {
                                    troubles,
                                    interrupt: Some((Interrupt::Cancel, at)),
                                    resend: false,
                                }],
                                ..Case::calm(input)
                            }
                        },
                    )
                    .boxed()
            },
            |case| {
                let leg = &case.legs[0];
                let waits = |trouble: &Trouble| matches!(trouble, Trouble::Status(429, Some(wait)) if *wait >= 5);
                let touched = [
                    matches!(leg.interrupt, Some((_, At::Outcome(_)))),
                    matches!(leg.interrupt, Some((_, At::Poll(_)))),
                    matches!(leg.interrupt, Some((_, At::Milliseconds(_)))),
                    leg.troubles.iter().any(waits),
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                if let Some(leg) = played.legs.first()
                    && let Some(interrupt) = leg.interrupted_at
                {
                    if let Some(late) = played.sent.iter().find(|sent| sent.at > interrupt) {
                        return Err(format!("cancelled at {interrupt:?}, sent at {:?}", late.at));
                    }
                    within("the end", leg.ended, interrupt, interrupt + TIMEOUT)?;
                }
                invariants::agree(case, &played)
            },
        ),
    )
}

/// Maximum silence of the source of a cancelled run.
const SILENCE: Duration = SECOND;

/// Maximum total silence of the source of a cancelled run, the last one included.
const SILENCE_IN_ALL: Duration = Duration::from_secs(11);

fn cancel_always_ends() -> Rule {
    const EDGES: [&str; 5] = [
        "silent at once",
        "silent later",
        "dripping",
        "a pause",
        "faults",
    ];
    Rule::new(
        "bulk/cancel-always-ends",
        "a cancelled run ends within a second if its source is silent, within 11 seconds if the source keeps \
         yielding, and within the attempt timeout of requests in flight",
        "this suite: a caller must know when its call ends",
        &EDGES,
        property(
            |case| {
                let tail = match case % 4 {
                    0 | 1 => Just(Tail::Silent).boxed(),
                    2 => (1..1_000_u64).prop_map(Tail::Drips).boxed(),
                    _ => Just(Tail::Ends).boxed(),
                };
                let size = match case % 4 {
                    0 => Just(0).boxed(),
                    _ => prop_oneof![3 => 1..40_usize, 1 => 100..140_usize].boxed(),
                };
                let lull = match case % 4 {
                    3 => vec((any::<u16>(), 2_000..10_000_000_u64), 1..3).boxed(),
                    _ => vec((any::<u16>(), 1..2_000_u64), 0..2).boxed(),
                };
                let troubles = vec(
                    prop_oneof![3 => Just(Trouble::None), 1 => generate::disturbance()],
                    0..6,
                );
                let at = prop_oneof![
                    (0..40_usize).prop_map(At::Outcome),
                    (0..20_000_u64).prop_map(At::Milliseconds),
                ];
                (
                    generate::input(size),
                    tail,
                    lull,
                    troubles,
                    at,
                    any::<u64>(),
                    any::<bool>(),
                )
                    .prop_map(|(input, tail, lulls, troubles, at, latency, journal)| {
                        let size = input.len();
                        let place = |place: u16| usize::from(place) % (size + 1);
                        let lulls = lulls.into_iter().map(|(at, lull)| (place(at), lull));
                        // No more than the entries of the input come out, so no higher number is waited for.
                        let at = match at {
                            At::Outcome(outcomes) => At::Outcome(outcomes.min(size)),
                            at => at,
                        };
                        Case {
                            lulls: lulls.collect(),
                            tail,
                            latency,
                            journal,
                            legs: vec![Leg {
                                troubles,
                                interrupt: Some((Interrupt::Cancel, at)),
                                resend: false,
                            }],
                            ..Case::calm(input)
                        }
                    })
                    .boxed()
            },
            |case| {
                let touched = [
                    case.tail == Tail::Silent && case.input.is_empty(),
                    case.tail == Tail::Silent && !case.input.is_empty(),
                    matches!(case.tail, Tail::Drips(_)),
                    !case.lulls.is_empty(),
                    case.legs[0]
                        .troubles
                        .iter()
                        .any(|trouble| *trouble != Trouble::None),
                ];
                among(&EDGES, &touched)
            },
            |harness, case| {
                let played = play(harness, case)?;
                if let Some(leg) = played.legs.first()
                    && let Some(interrupt) = leg.interrupted_at
                {
                    let source = match case.tail {
                        Tail::Drips(_) => SILENCE_IN_ALL,
                        _ => SILENCE,
                    };
                    let has_response =
                        |sent: &Sent| sent.acted_at.is_some_and(|at| at + SECOND < interrupt);
                    let most = match played.sent.iter().all(has_response) {
                        true => source,
                        false => source.max(TIMEOUT),
                    };
                    within("the end", leg.ended, interrupt, interrupt + most)?;
                }
                invariants::agree(case, &played)
            },
        ),
    )
}
