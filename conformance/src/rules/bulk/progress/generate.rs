//! Generators of scenarios.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use webflow_cms_reference::PrimaryEcho;

use crate::client::RateLimiter;
use crate::rules::bulk::fixture::case::{Interrupt, Key};
use crate::rules::bulk::fixture::generate;
use crate::rules::bulk::progress::scenario::{Edit, PlannedRun, Scenario, Site, flaws};

/// A key of a number of items. Some keys are of items that do not exist.
fn key(items: usize, rare: u32) -> impl Strategy<Value = Key> {
    let item = prop_oneof![
        rare => 0..items.max(1),
        1 => 5_000..5_003_usize,
        1 => 10_000..10_003_usize,
    ];
    (item, 0..4_usize)
}

/// The defect of a row. Most rows have none.
fn flaw(rare: u32) -> impl Strategy<Value = Option<usize>> {
    let flaw = (0..flaws().len()).prop_map(Some);
    prop_oneof![rare => Just(None), 1 => flaw]
}

fn rows(size: BoxedStrategy<usize>) -> impl Strategy<Value = Vec<Option<(Key, Option<usize>)>>> {
    let shape = (
        size,
        0..4_usize,
        prop_oneof![2 => Just(12_u32), 1 => Just(40), 1 => Just(1_000)],
    );
    shape.prop_flat_map(|(size, width, rare)| {
        let items = match width {
            0 => 2,
            1 => 5,
            2 => size / 3 + 1,
            _ => size * 2,
        };
        let row = (key(items, 2 * rare), flaw(rare)).prop_map(Some);
        vec(prop_oneof![60 => row, 1 => Just(None)], size)
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let place = any::<u16>;
    prop_oneof![
        6 => any::<u64>().prop_map(Edit::Correct),
        3 => (place(), flaw(6)).prop_map(|(place, flaw)| Edit::Change(place, flaw)),
        2 => place().prop_map(Edit::Drop),
        2 => (place(), key(40, 12), flaw(8)).prop_map(|(place, key, flaw)| Edit::Add(place, key, flaw)),
        1 => (place(), place()).prop_map(|(place, to)| Edit::Repeat(place, to)),
        2 => (place(), place()).prop_map(|(place, to)| Edit::Move(place, to)),
        1 => place().prop_map(Edit::Spoil),
    ]
}

fn planned(size: usize) -> impl Strategy<Value = PlannedRun> {
    let interrupt = (
        select(vec![Interrupt::Drop, Interrupt::Drop, Interrupt::Cancel]),
        generate::at(size),
    );
    let interrupt = prop_oneof![1 => Just(None), 1 => interrupt.prop_map(Some)];
    (
        vec(edit(), 0..5),
        generate::troubles(),
        interrupt,
        any::<bool>(),
    )
        .prop_map(|(edits, troubles, interrupt, resend)| PlannedRun {
            edits,
            troubles,
            interrupt,
            resend,
        })
}

fn site() -> impl Strategy<Value = Site> {
    let echo = select(vec![
        PrimaryEcho::Echoed,
        PrimaryEcho::Absent,
        PrimaryEcho::Null,
    ]);
    let often = || prop_oneof![3 => Just(true), 1 => Just(false)];
    (any::<bool>(), echo, often(), often(), any::<bool>()).prop_map(
        |(is_localized, echo, is_unnamed, is_atomic, is_reversed)| Site {
            is_localized,
            echo,
            is_named: !is_unnamed,
            is_atomic,
            is_reversed,
        },
    )
}

/// The number of rows, mostly small, since the interplay of rows matters.
fn size(case: u64) -> BoxedStrategy<usize> {
    match case % 4 {
        0 => select(vec![1_usize, 99, 100, 101, 199, 201]).boxed(),
        1 => (1..12_usize).boxed(),
        _ => (2..50_usize).boxed(),
    }
}

pub(crate) fn scenario(case: u64) -> BoxedStrategy<Scenario> {
    let client = (
        1..6_usize,
        prop_oneof![1 => Just(None), 1 => (400..1_500_usize).prop_map(Some)],
        1..4_u32,
        prop_oneof![2 => Just(true), 1 => Just(false)],
        select(vec![
            RateLimiter::Unlimited,
            RateLimiter::Fixed(120),
            RateLimiter::WithInitialLimit(60),
        ]),
        prop_oneof![1 => 1..4_u32, 1 => Just(1_000)],
        prop_oneof![2 => Just(true), 1 => Just(false)],
    );
    let runs = 1 + usize::try_from(case % 4).unwrap_or(0);
    (
        rows(size(case)),
        site(),
        prop_oneof![1 => Just(0), 2 => any::<u64>()],
        client,
        vec(planned(60), runs),
        any::<u64>(),
    )
        .prop_map(|(rows, site, latency, client, runs, corrections)| {
            let (
                concurrency,
                max_batch_bytes,
                attempts,
                retry_ambiguous,
                rate_limiter,
                max_consecutive_failures,
                continue_after_source_error,
            ) = client;
            Scenario {
                site,
                rows,
                latency,
                concurrency,
                max_batch_bytes,
                attempts,
                retry_ambiguous,
                rate_limiter,
                max_consecutive_failures,
                continue_after_source_error,
                runs,
                corrections,
            }
        })
        .boxed()
}
