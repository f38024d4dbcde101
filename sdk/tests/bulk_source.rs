//! Sources of bulk runs: silent, endless, shorter than told, with errors in them, and read without a run.

mod support;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use support::{COLLECTION, builder, builder_in, collection, world};
use webflow_cms::bulk::{Bulk, ItemStatus, JsonLines, Outcome, Report, SourceEnd, StopReason};
use webflow_cms::{ItemId, ItemUpdate};
use webflow_cms_reference::World;
use webflow_cms_reference::{
    Fault, FaultyServer, Model, ReferenceServer, UndocumentedBody, Variant,
};

type Updates = Pin<Box<dyn Stream<Item = Result<ItemUpdate, &'static str>> + Send>>;

fn id(number: usize) -> String {
    format!("66f6ed95{number:016x}")
}

fn update(number: usize) -> Result<ItemUpdate, &'static str> {
    let id = ItemId::new(id(number)).expect("an id");
    Ok(ItemUpdate::new(id).field("mark", &number).expect("a field"))
}

fn updates(count: usize) -> Updates {
    Box::pin(stream::iter((0..count).map(update)))
}

fn endless() -> Updates {
    Box::pin(stream::iter((0..).map(|number| update(number % 400))))
}

fn silent_after(count: usize) -> Updates {
    Box::pin(updates(count).chain(stream::pending()))
}

fn site(count: usize) -> World {
    let world = world();
    let model = (0..count).fold(Model::new(), |model, number| {
        model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
    });
    world.reset(model).expect("a port");
    world
}

fn bulk(world: &World) -> Bulk {
    let client = builder_in(world).build().expect("a client");
    client.bulk(collection())
}

fn report(world: &World, bulk: Bulk, source: Updates) -> Report {
    let run = bulk.run_stream(source).expect("a run");
    world.run(run.finish()).expect("it ends")
}

#[test]
fn a_batch_that_is_not_full_leaves_after_five_seconds_of_silence() {
    let world = site(150);
    let mut run = bulk(&world).run_stream(silent_after(150)).expect("a run");
    let updated = world.run(async {
        let mut updated = 0;
        while updated < 150 {
            updated += usize::from(run.next().await.expect("an outcome").is_updated());
        }
    });
    updated.expect("all are sent");
    let log = world.server().log();
    let sizes: Vec<_> = log.iter().map(|exchange| exchange.applied).collect();
    assert_eq!(sizes, [100, 50]);
    let waited = log[1].at.saturating_sub(log[0].at);
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(6)).contains(&waited),
        "{waited:?}"
    );

    run.handle().cancel();
    let report = world.run(run.finish()).expect("a cancel ends it");
    assert!(
        matches!(report.source_end, SourceEnd::Abandoned),
        "{report}"
    );
    assert_eq!((report.items, report.counts.updated), (150, 150));
    assert!(!report.is_complete(), "who knows what else there was");
}

/// A producer that waits for what came of its items before it gives the next ones: after a batch that is not full, and
/// after one that is.
#[test]
fn a_rejection_is_told_although_the_source_is_silent() {
    for count in [1, 100] {
        let world = world();
        let last = id(count - 1);
        let model = (0..count).fold(Model::new(), |model, number| {
            model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
        });
        // Of such a status nothing is inferred: the item is sent alone, after all others. A run that never had a success
        // does not take a 403 for the item's.
        let status = if count == 1 { 404 } else { 403 };
        let page = UndocumentedBody::BlockPage.reply_with(status);
        let model = model.reject_with(COLLECTION, &last, None, page);
        world.reset(model).expect("a port");
        let mut run = bulk(&world).run_stream(silent_after(count)).expect("a run");
        let outcomes = world.run(async {
            let mut outcomes = Vec::new();
            while outcomes.len() < count {
                outcomes.push(run.next().await.expect("an outcome"));
            }
            outcomes
        });
        let outcomes = outcomes.expect("they are not waited for ever");
        let is_rejected = |outcome: &&Outcome| matches!(outcome.status, ItemStatus::Rejected(_));
        assert_eq!(outcomes.iter().filter(is_rejected).count(), 1);
    }
}

#[test]
fn an_input_that_cannot_be_read_on_is_told_whatever_is_set() {
    let world = site(10);
    let rows = (0..10).map(|number| {
        update(number)
            .expect("an update")
            .to_json()
            .expect("a line")
    });
    let rows = rows.collect::<Vec<_>>().join("\n");
    let (head, _) = rows.split_at(rows.len() / 3);
    let torn = std::io::BufReader::new(std::io::Read::chain(head.as_bytes(), Failing));
    let run = bulk(&world)
        .continue_after_source_error(true)
        .try_run(JsonLines::new(torn).collect::<Vec<_>>());
    let report = world.run(run.expect("a run").finish()).expect("it ends");
    assert!(
        matches!(report.source_end, SourceEnd::Failed { .. }),
        "{report}"
    );
    assert_eq!(report.not_in_input, 0);

    let panicking = bulk(&world)
        .continue_after_source_error(true)
        .try_run((0..3).map(|number| match number {
            2 => panic!("no more"),
            _ => update(number),
        }));
    let report = world
        .run(panicking.expect("a run").finish())
        .expect("it ends");
    assert!(
        matches!(report.source_end, SourceEnd::Failed { index: 2, .. }),
        "{report}"
    );
}

struct Failing;

impl std::io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("the disk is gone"))
    }
}

#[test]
fn a_cancel_ends_a_run_whose_source_is_silent() {
    for taken in [0, 150] {
        let world = site(400);
        let run = bulk(&world).run_stream(silent_after(taken)).expect("a run");
        run.handle().cancel();
        let report = world.run(run.finish()).expect("it ends");
        assert_cancelled(&report);
        assert_eq!(report.items, taken as u64);
        assert!(world.server().log().is_empty());
    }
}

/// It ends although it never waits, and lets others have their turn meanwhile.
#[tokio::test]
async fn a_cancel_ends_a_run_whose_source_is_endless() {
    let client = builder("http://127.0.0.1:1/v2", "b7c1d0e2f3a4");
    let bulk = client.build().expect("a client").bulk(collection());
    let run = bulk.run_stream(endless()).expect("a run");
    run.handle().cancel();
    let has_run = Arc::new(AtomicBool::new(false));
    let seen = has_run.clone();
    let driving = run.for_each(|outcome| {
        let has_run = seen.load(Ordering::Relaxed);
        assert!(has_run || outcome.index < 10_000, "it starves its thread");
    });
    let report = tokio::select! {
        biased;
        report = driving => report,
        () = other(&has_run) => unreachable!("it never ends"),
    };
    assert_cancelled(&report);
    assert_eq!(report.items, 100_000);
    assert!(has_run.load(Ordering::Relaxed));
}

fn assert_cancelled(report: &Report) {
    let is_cancelled = matches!(report.stop_reason, Some(StopReason::Cancelled));
    assert!(is_cancelled && !report.is_complete(), "{report}");
    assert!(
        matches!(report.source_end, SourceEnd::Abandoned),
        "{report}"
    );
    assert_eq!(report.counts.not_attempted, report.items);
    assert!(
        report.to_string().contains("not read to its end"),
        "{report}"
    );
}

/// Something else on the same thread.
async fn other(has_run: &AtomicBool) {
    has_run.store(true, Ordering::Relaxed);
    std::future::pending::<()>().await;
}

#[test]
fn a_report_says_where_the_source_ended_and_why() {
    let input = || -> Updates {
        let input = [update(0), Err("line 2 is cut"), update(2), update(3)];
        Box::pin(stream::iter(input))
    };
    let world = site(4);
    let stopped = report(&world, bulk(&world), input());
    let SourceEnd::Failed { index, error } = &stopped.source_end else {
        panic!("{stopped}");
    };
    assert_eq!((*index, error.to_string().as_str()), (1, "line 2 is cut"));
    assert_eq!((stopped.items, stopped.counts.updated), (2, 1));
    assert!(!stopped.is_complete());
    let text = stopped.to_string();
    assert!(
        text.contains("failed at row 2 and was not read further: line 2 is cut"),
        "{text}"
    );

    let on = report(
        &world,
        bulk(&world).continue_after_source_error(true),
        input(),
    );
    assert!(matches!(on.source_end, SourceEnd::Ended), "{on}");
    assert_eq!(
        (on.items, on.counts.updated, on.counts.not_attempted),
        (4, 3, 1)
    );
    assert!(
        on.to_string()
            .contains("row 2: not attempted: the source failed: line 2 is cut"),
        "{on}"
    );
}

#[test]
fn a_run_is_complete_only_if_as_many_were_read_as_were_expected() {
    let world = site(4);
    for (there, expected, is_complete) in [
        (3, None, true),
        (3, Some(3), true),
        (0, Some(1), false),
        (2, Some(3), false),
        (4, Some(3), false),
    ] {
        let bulk = match expected {
            Some(expected) => bulk(&world).expected_items(expected),
            None => bulk(&world),
        };
        let report = report(&world, bulk, updates(there));
        assert_eq!(report.counts.updated, there as u64);
        assert_eq!(report.is_complete(), is_complete, "{report}");
        let text = format!(
            "{there} items were read, but {} were expected",
            expected.unwrap_or(0)
        );
        assert_eq!(report.to_string().contains(&text), !is_complete, "{report}");
    }
}

#[test]
fn what_was_taken_with_next_is_in_the_report_too() {
    let world = site(1);
    let client = builder_in(&world).build().expect("a client");
    let input = Box::pin(stream::iter([Err("cut"), update(0)])) as Updates;
    let bulk = client.bulk(collection()).continue_after_source_error(true);
    let mut run = bulk.run_stream(input).expect("a run");
    let first = world
        .run(run.next())
        .expect("it goes on")
        .expect("an outcome");
    assert_eq!(first.index, 0);
    let report = world.run(run.finish()).expect("it ends");
    let others: Vec<_> = report
        .first_problems
        .iter()
        .map(|outcome| outcome.index)
        .collect();
    assert_eq!(others, [0]);
}

#[test]
fn a_dry_run_reads_past_errors_and_writes_nothing() {
    let world = site(3);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let input = || {
        Box::pin(stream::iter([
            update(0),
            Err("cut"),
            update(1),
            Err("torn"),
            update(2),
        ])) as Updates
    };
    let plan = || {
        let plan = bulk(&world).journal(&path).dry_run(input());
        world.run(plan).expect("it ends").expect("a plan")
    };
    let planned = plan();
    assert_eq!((planned.items, planned.requests, planned.errors), (5, 1, 2));
    assert_eq!(
        planned.first_errors,
        [(1, "cut".into()), (3, "torn".into())]
    );
    assert!(!path.exists());

    let bulk = bulk(&world)
        .journal(&path)
        .continue_after_source_error(true);
    assert_eq!(report(&world, bulk, input()).counts.updated, 3);
    let whole = std::fs::read(&path).expect("a journal");
    for torn in [&whole[..], &whole[..whole.len() - 7], &whole[..30], b""] {
        std::fs::write(&path, torn).expect("a file");
        let _ = plan();
        assert_eq!(std::fs::read(&path).expect("a journal"), torn);
    }
    std::fs::write(&path, &whole).expect("a file");
    assert_eq!((plan().skipped, plan().requests), (3, 0));
    assert_eq!(world.server().log().len(), 1, "the run's own request");
}

/// What is under way is unknown, and nothing panics.
#[test]
fn a_run_that_is_polled_on_another_runtime_ends_with_an_account() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let (servers, first, second) = (runtime(), runtime(), runtime());
    let core = ReferenceServer::builder().build();
    let server = servers.block_on(FaultyServer::serve(core)).expect("a port");
    server.otherwise(Fault::SilenceBeforeActing);
    let client = builder(&server.base_url(), &server.token()).build();
    let bulk = client.expect("a client").bulk(collection());
    let mut run = bulk.run_stream(updates(250)).expect("a run");
    first.block_on(async {
        // A request is under way when the server has read it.
        tokio::select! {
            outcome = run.next() => panic!("{outcome:?}"),
            () = until_read(&server) => {}
        }
    });
    drop(first);
    let report = second.block_on(run.finish());
    let counts = (report.counts.unknown, report.counts.not_attempted);
    assert_eq!((counts, report.items), ((100, 150), 250), "{report}");
    assert!(report.to_string().contains("runtime"), "{report}");
}

async fn until_read(server: &FaultyServer) {
    while server.log().is_empty() {
        tokio::task::yield_now().await;
    }
}
