//! How the cases of the rules about bulk runs are made.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::case::{At, Bad, Case, Interrupt, Leg, Position, Trouble, Words};
use crate::client::RateLimiter;
use crate::rule::edges_first;
use webflow_cms_reference::Fault;

/// The sizes of inputs at which batches begin and end.
pub(super) const EDGES: [usize; 8] = [0, 1, 99, 100, 101, 199, 200, 201];

/// How many positions an input has: one in two at an edge, and few otherwise.
pub(super) fn size(case: u64) -> BoxedStrategy<usize> {
    let edge = usize::try_from(case / 2).unwrap_or(0) % EDGES.len();
    match case % 2 {
        0 => Just(EDGES[edge]).boxed(),
        _ => (2..40_usize).boxed(),
    }
}

/// Updates of keys that come again and again, some of them long, and sometimes an error.
pub(super) fn input(size: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<Position>> {
    let slot = || {
        let pad = prop_oneof![6 => Just(0), 2 => 1..40_usize, 1 => 300..700_usize];
        let error = prop_oneof![60 => Just(false), 1 => Just(true)];
        (any::<u16>(), 0..4_usize, pad, error)
    };
    let slots = size.prop_flat_map(move |size| vec(slot(), size));
    (slots, 0..6_usize).prop_map(|(slots, width)| {
        let items = match width {
            0 => 2,
            1 => 5,
            2 => slots.len() / 4 + 1,
            _ => slots.len() * 4,
        };
        let slot = |(item, locale, pad, error)| match error {
            true => Position::Error,
            false => Position::Update {
                key: (usize::from(item) % items.max(1), locale),
                pad,
            },
        };
        slots.into_iter().map(slot).collect()
    })
}

/// Updates of so many different keys.
pub(super) fn distinct(
    size: impl Strategy<Value = usize>,
    longest: usize,
) -> impl Strategy<Value = Vec<Position>> {
    let slots = size.prop_flat_map(move |size| vec((0..4_usize, 0..=longest), size));
    slots.prop_map(|slots| {
        let slots = slots.into_iter().enumerate();
        let slot = |(item, (locale, pad))| Position::Update {
            // Neighbours are the same item in different locales.
            key: (item / 2, (locale / 2) * 2 + item % 2),
            pad,
        };
        slots.map(slot).collect()
    })
}

/// A few keys that something is wrong with: none, scattered, or neighbours.
fn bad() -> impl Strategy<Value = (Vec<(u16, Bad)>, usize)> {
    let what = select(vec![Bad::Value, Bad::Value, Bad::NoItem, Bad::NoVariant]);
    prop_oneof![
        3 => Just((Vec::new(), 1)),
        3 => (vec((any::<u16>(), what.clone()), 1..4), Just(1)),
        1 => (vec((any::<u16>(), what), 1), 2..8_usize),
    ]
}

fn with_bad(mut case: Case, (places, neighbours): (Vec<(u16, Bad)>, usize)) -> Case {
    let keys = case.keys();
    for (place, what) in places {
        let first = usize::from(place) % keys.len().max(1);
        let affected = keys.iter().skip(first).take(neighbours);
        case.bad.extend(affected.map(|key| (*key, what)));
    }
    case
}

/// What goes wrong with requests without speaking of what is in them.
pub(super) fn disturbance() -> impl Strategy<Value = Trouble> {
    let faults = vec![
        Fault::ResetBeforeReading,
        Fault::ResetBeforeActing,
        Fault::ResetAfterActing,
        Fault::ClosedInBody { after: 20 },
        Fault::ClosedInHead,
        Fault::SilenceBeforeActing,
        Fault::SilenceAfterActing,
        Fault::HeadOnly,
    ];
    let status = select(vec![500_u16, 502, 504, 408]);
    prop_oneof![
        2 => (0..4_u64).prop_map(|wait| Trouble::Status(429, Some(wait))),
        1 => Just(Trouble::Status(429, None)),
        1 => (1..4_u64).prop_map(|wait| Trouble::Status(503, Some(wait))),
        2 => status.prop_map(|status| Trouble::Status(status, None)),
        4 => select(faults).prop_map(Trouble::Fault),
    ]
}

pub(super) fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    let trouble = prop_oneof![
        12 => Just(Trouble::None),
        12 => disturbance(),
        3 => (1..=255_u8).prop_map(Trouble::Lacks),
        2 => select(Words::all()).prop_map(|words| Trouble::Refused(403, words)),
        1 => select(Words::all()).prop_map(|words| Trouble::Refused(401, words)),
    ];
    prop_oneof![1 => Just(Vec::new()), 3 => vec(trouble, 1..14)]
}

pub(super) fn at(most: usize) -> impl Strategy<Value = At> {
    prop_oneof![
        (0..=most).prop_map(At::Outcome),
        (1..60_usize).prop_map(At::Poll),
        (0..8_000_u64).prop_map(At::Milliseconds),
    ]
}

/// What comes before the last leg, by the number of the case: nothing, or runs that are dropped or cancelled or end as they
/// may.
fn legs(case: u64, most: usize) -> BoxedStrategy<Vec<Leg>> {
    let leg = |interrupt: BoxedStrategy<Option<(Interrupt, At)>>| {
        (troubles(), interrupt, any::<bool>()).prop_map(|(troubles, interrupt, resend)| Leg {
            troubles,
            interrupt,
            resend,
        })
    };
    let interrupt = || {
        let interrupt = select(vec![Interrupt::Drop, Interrupt::Drop, Interrupt::Cancel]);
        let interrupt = (interrupt, at(most)).prop_map(Some);
        prop_oneof![1 => Just(None), 3 => interrupt]
    };
    let last =
        prop_oneof![4 => Just(None), 1 => (Just(Interrupt::Cancel), at(most)).prop_map(Some)];
    let before = match case % 4 {
        0 | 1 => 0..1,
        2 => 1..2,
        _ => 1..3,
    };
    (vec(leg(interrupt().boxed()), before), leg(last.boxed()))
        .prop_map(|(mut legs, last)| {
            legs.push(last);
            legs
        })
        .boxed()
}

/// Any case at all on a service that refuses as a whole, or whose refusals are not taken for that.
pub(super) fn any_case(case: u64) -> BoxedStrategy<Case> {
    // Below the longest entries in half of them.
    let bytes = prop_oneof![
        4 => Just(None),
        1 => (150..600_usize).prop_map(Some),
        1 => (800..3_000_usize).prop_map(Some),
    ];
    let service = (
        prop_oneof![4 => Just(true), 1 => Just(false)],
        bytes.clone(),
        any::<bool>(),
        prop_oneof![1 => Just(0), 2 => any::<u64>()],
    );
    let client = (
        1..6_usize,
        bytes,
        prop_oneof![1 => 1..4_u32, 1 => Just(1_000)],
        prop_oneof![4 => Just(false), 1 => Just(true)],
        prop_oneof![1 => Just(false), 2 => Just(true)],
        1..4_u32,
        prop_oneof![2 => Just(true), 1 => Just(false)],
        select(vec![
            RateLimiter::Unlimited,
            RateLimiter::Fixed(120),
            RateLimiter::WithInitialLimit(60),
        ]),
    );
    let legs = (legs(case, 120), any::<bool>());
    (input(size(case)), bad(), service, client, legs)
        .prop_map(|(input, bad, service, client, (mut legs, journal))| {
            let (atomic, max_body, reversed, latency) = service;
            let (
                concurrency,
                max_batch_bytes,
                max_consecutive_failures,
                continue_after_unknown,
                after_error,
                ..,
            ) = client;
            let (.., attempts, again, rate_limiter) = client;
            if continue_after_unknown {
                // What is in doubt cannot be sent again after later updates of the same key.
                legs.iter_mut().for_each(|leg| leg.resend = false);
            }
            let case = Case {
                atomic,
                assume_atomic: atomic,
                max_body,
                reversed,
                latency,
                concurrency,
                max_batch_bytes,
                max_consecutive_failures,
                continue_after_unknown,
                continue_after_source_error: after_error,
                attempts,
                again,
                rate_limiter,
                journal: journal || legs.len() > 1,
                legs,
                ..Case::calm(input)
            };
            with_bad(case, bad)
        })
        .boxed()
}

/// A size at an edge of batches, three times of four.
pub(super) fn edge_size(case: u64) -> BoxedStrategy<usize> {
    edges_first(case, &EDGES, 2..250_usize)
}
