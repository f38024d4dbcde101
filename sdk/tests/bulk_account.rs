//! The account of bulk runs, and the order of an item's updates, in the corners where they were wrong once.

mod support;

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use support::{COLLECTION, builder, collection};
use webflow_cms::bulk::{ItemStatus, NotAttempted, Run, Unknown};
use webflow_cms::time::{Clock, SystemClock};
use webflow_cms::{Client, ItemId, ItemUpdate, RetryPolicy};
use webflow_cms_reference::{Fault, FaultyServer, Model, ReferenceServer, Reply, Variant};

fn id(number: usize) -> String {
    format!("66f6ed95{number:016x}")
}

fn update(number: usize, mark: impl Into<serde_json::Value>) -> ItemUpdate {
    let id = ItemId::new(id(number)).expect("an id");
    let mark = mark.into();
    ItemUpdate::new(id).field("mark", &mark).expect("a field")
}

fn model(count: usize) -> Model {
    (0..count).fold(Model::new(), |model, number| {
        model.insert(COLLECTION, &id(number), None, Variant::named("a", "a"))
    })
}

async fn server(model: Model) -> (ReferenceServer, Client) {
    let server = ReferenceServer::builder().model(model).start().await;
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    (server, client)
}

/// What came of each item, in the order of the source.
async fn settled(run: Run) -> Vec<ItemStatus> {
    let mut outcomes: Vec<_> = run.collect().await;
    outcomes.sort_by_key(|outcome| outcome.index);
    let status = |outcome: webflow_cms::bulk::Outcome| outcome.status;
    outcomes.into_iter().map(status).collect()
}

/// What a future gives, unless it takes longer.
async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    match select(pin!(future), SystemClock.sleep(time)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// What was sent for an item, in the order in which it came.
fn marks_of(server: &ReferenceServer, number: usize) -> Vec<String> {
    let mut marks = Vec::new();
    for exchange in server.log() {
        let json = exchange.json.expect("JSON");
        let items = json["items"].as_array().expect("a list").iter();
        let items = items.filter(|item| item["id"] == id(number));
        marks.extend(items.map(|item| item["fieldData"]["mark"].to_string()));
    }
    marks
}

#[tokio::test]
async fn an_update_that_no_request_can_hold_does_not_let_a_later_one_go_ahead() {
    let (server, client) = server(model(2)).await;
    server.script([Reply::new(500)]);
    // With the second one the first batch is full, so it leaves before the rest is read.
    let input = [
        update(0, 1),
        update(1, 1),
        update(0, "x".repeat(200)),
        update(0, 3),
    ];
    let again = RetryPolicy::new()
        .backoff(Duration::from_millis(200), Duration::from_millis(200))
        .expect("a policy");
    let input = futures_util::stream::iter(input).then(async |update| {
        SystemClock.sleep(Duration::from_millis(10)).await;
        Ok::<_, String>(update)
    });
    let run = client
        .bulk(collection())
        .max_batch_bytes(100)
        .retry(again)
        .try_run_stream(input);
    let settled = settled(run.expect("a run")).await;
    assert!(matches!(settled[2], ItemStatus::Rejected(_)), "{settled:?}");
    assert_eq!(marks_of(&server, 0), ["1", "1", "3"]);
}

#[tokio::test]
async fn what_an_earlier_run_may_have_changed_is_never_called_unchanged() {
    let core = ReferenceServer::builder().model(model(2)).build();
    let server = FaultyServer::serve(core).await.expect("a port");
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client.bulk(collection());
    server.inject([Fault::SilenceAfterActing]);
    let input = [update(0, 1), update(1, 1), update(0, 2)];
    let mut run = bulk
        .clone()
        .journal(&path)
        .run(input.clone())
        .expect("a run");
    let cut = within(Duration::from_millis(500), run.next()).await;
    assert!(cut.is_none(), "{cut:?}");
    drop(run);

    let bulk = bulk.journal(&path).resend_unknown(true);
    server.core().script([Reply::new(401)]);
    let settled_by = async || {
        let run = bulk.clone().run(input.clone());
        settled(run.expect("a run")).await
    };
    let not_sent = settled_by().await;
    assert!(
        matches!(
            not_sent.as_slice(),
            [
                ItemStatus::Unknown(Unknown::EarlierRequest),
                ItemStatus::Unknown(Unknown::EarlierRequest),
                ItemStatus::NotAttempted(_)
            ]
        ),
        "{not_sent:?}"
    );

    server.core().script((0..3).map(|_| Reply::new(400)));
    let refused = settled_by().await;
    let is_marked = |status: &ItemStatus| matches!(status, ItemStatus::Rejected(error) if error.may_have_acted());
    assert!(refused[..2].iter().all(is_marked), "{refused:?}");
    assert!(matches!(refused[2], ItemStatus::Updated(_)), "{refused:?}");

    let again = settled_by().await;
    let is_marked = |status: &ItemStatus| matches!(status, ItemStatus::AlreadyRejected(reason) if reason.may_have_acted());
    assert!(again[..2].iter().all(is_marked), "{again:?}");
    assert!(matches!(again[2], ItemStatus::AlreadyUpdated), "{again:?}");
}

#[tokio::test]
async fn a_refusal_that_may_have_changed_a_part_is_recorded_as_unknown() {
    let refusing = model(4).atomic(false).reject(COLLECTION, &id(2), None);
    let (server, client) = server(refusing).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client
        .bulk(collection())
        .assume_atomic(false)
        .concurrency(1);
    let input: Vec<_> = (0..4).map(|number| update(number, number)).collect();
    let run = bulk
        .clone()
        .journal(&path)
        .max_batch_bytes(200)
        .run(input.clone());
    let settled_first = settled(run.expect("a run")).await;
    let is_refused =
        |status: &ItemStatus| matches!(status, ItemStatus::Unknown(Unknown::Refused(_)));
    assert!(
        settled_first.iter().take(3).all(is_refused),
        "{settled_first:?}"
    );
    assert!(
        matches!(settled_first[3], ItemStatus::Updated(_)),
        "{settled_first:?}"
    );
    let run = bulk.journal(&path).run(input);
    let settled_then = settled(run.expect("a run")).await;
    let is_unknown =
        |status: &ItemStatus| matches!(status, ItemStatus::Unknown(Unknown::EarlierRequest));
    assert!(
        settled_then.iter().take(3).all(is_unknown),
        "{settled_then:?}"
    );
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn an_update_that_was_not_sent_keeps_its_place_before_later_ones_for_a_resumed_run() {
    let (server, client) = server(model(2)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client.bulk(collection()).retry(RetryPolicy::disabled());
    let input = [update(0, 1), update(0, 2), update(1, 1), update(0, 3)];
    server.script([Reply::new(429)]);
    let run = bulk.clone().journal(&path).run(input.clone());
    let first = settled(run.expect("a run")).await;
    let held_back = |status: &ItemStatus| {
        matches!(status, ItemStatus::NotAttempted(NotAttempted::AfterNotSent))
    };
    assert!(held_back(&first[1]) && held_back(&first[3]), "{first:?}");
    let run = bulk.journal(&path).run(input);
    let second = settled(run.expect("a run")).await;
    let is_updated = |status: &ItemStatus| matches!(status, ItemStatus::Updated(_));
    assert!(second.iter().all(is_updated), "{second:?}");
    assert_eq!(marks_of(&server, 0), ["1", "1", "2", "3"]);
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_although_a_request_turns_out_too_large() {
    let core = ReferenceServer::builder().model(model(100)).build();
    core.configure(|settings| settings.max_body = Some(1_000));
    let server = FaultyServer::serve(core).await.expect("a port");
    let wait = Duration::from_millis(200);
    server.latency(move |_| (wait, wait));
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    let input: Vec<_> = (0..100).map(|number| update(number, 1)).collect();
    let run = client.bulk(collection()).run(input).expect("a run");
    let handle = run.handle();
    let cancel = async {
        SystemClock.sleep(wait).await;
        handle.cancel();
    };
    let ended = within(Duration::from_secs(20), run.finish());
    let (ended, ()) = futures_util::future::join(ended, cancel).await;
    let report = ended.expect("it ends");
    assert_eq!(report.counts.not_attempted, 100, "{report}");
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn an_item_that_was_refused_alone_comes_out_though_the_request_after_it_fails() {
    let (server, client) = server(model(2)).await;
    server.script([Reply::new(400), Reply::new(400), Reply::new(500)]);
    let run = client
        .bulk(collection())
        .retry(RetryPolicy::disabled())
        .run([update(0, 1), update(1, 2)])
        .expect("a run");
    let settled = within(Duration::from_secs(10), settled(run)).await;
    let settled = settled.expect("an end");
    assert!(
        matches!(
            settled.as_slice(),
            [
                ItemStatus::Rejected(_),
                ItemStatus::Unknown(Unknown::Failed(_))
            ]
        ),
        "{settled:?}"
    );
    assert_eq!(marks_of(&server, 0).len() + marks_of(&server, 1).len(), 4);
}

#[tokio::test]
async fn a_refusal_that_settles_nothing_since_the_run_stops_leaves_the_doubt_of_its_attempts() {
    let (server, client) = server(model(2)).await;
    let statuses = [400, 500, 400, 401];
    server.script(statuses.map(Reply::new));
    let again = RetryPolicy::new()
        .backoff(Duration::from_millis(10), Duration::from_millis(10))
        .expect("a policy");
    let run = client
        .bulk(collection())
        .retry(again)
        .run([update(0, 1), update(1, 2)])
        .expect("a run");
    let settled = settled(run).await;
    assert!(
        matches!(
            settled.as_slice(),
            [
                ItemStatus::Unknown(Unknown::EarlierRequest),
                ItemStatus::NotAttempted(NotAttempted::Stopped(_))
            ]
        ),
        "{settled:?}"
    );
}

/// A batch whose last refusal ends the run, after an attempt that may have acted.
#[tokio::test]
async fn the_doubt_of_a_batch_that_ends_the_run_is_kept() {
    let (server, _) = server(model(102)).await;
    let again = RetryPolicy::new()
        .max_attempts(2)
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .expect("a policy");
    let client = builder(&server.base_url(), &server.token()).retry(again.clone());
    let client = client.build().expect("a client");
    let refusal = |text: &str| {
        let body = serde_json::json!({"code": "validation_error", "message": text});
        Reply::new(400).json(&body)
    };
    server.script([
        Reply::new(500),
        Reply::new(500),
        refusal("alpha"),
        Reply::new(500),
        refusal("beta"),
    ]);
    // The last two go each in a batch of its own, and end the run together.
    let input = (0..102).map(|number| match number {
        ..100 => update(number, 1),
        _ => update(number, "x".repeat(6_000)),
    });
    let run = client
        .bulk(collection())
        .retry(again)
        .max_consecutive_failures(2)
        .max_batch_bytes(10_000)
        .run(input);
    let settled = settled(run.expect("a run")).await;
    assert_eq!(settled.len(), 102);
    let acted: Vec<_> = server
        .log()
        .iter()
        .map(|exchange| exchange.body.clone())
        .collect();
    for (number, status) in settled.iter().enumerate() {
        let was_in = |body: &bytes::Bytes| String::from_utf8_lossy(body).contains(&id(number));
        let may_be_changed = acted.iter().take(2).chain(acted.get(3)).any(was_in);
        let is_not_attempted = matches!(status, ItemStatus::NotAttempted(_));
        assert!(
            !(may_be_changed && is_not_attempted),
            "item {number}: {status}"
        );
    }
}

/// The item of a refused batch that is left over is sent alone: a refusal in passing makes nothing rejected.
#[tokio::test]
async fn one_refusal_of_a_whole_batch_in_passing_rejects_nothing() {
    for status in [400, 403, 404, 409, 422] {
        let (server, client) = server(model(100)).await;
        server.script([Reply::new(status)]);
        let run = client
            .bulk(collection())
            .run((0..100).map(|number| update(number, 1)));
        let report = run.expect("a run").finish().await;
        assert!(report.is_complete(), "{status}: {report}");
    }
}

#[tokio::test]
async fn a_rejected_update_is_resent_only_if_that_is_set() {
    let refusing = model(3).reject(COLLECTION, &id(1), None);
    let (server, client) = server(refusing).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bulk = client
        .bulk(collection())
        .journal(folder.path().join("run.journal"));
    let run = |bulk: webflow_cms::bulk::Bulk| {
        let run = bulk.run((0..3).map(|number| update(number, 1)));
        run.expect("a run").finish()
    };
    assert_eq!(run(bulk.clone()).await.counts.rejected, 1);
    // Somebody mends it on the site.
    server.reset(model(3));
    let report = run(bulk.clone()).await;
    assert_eq!((report.counts.rejected, report.statistics.requests), (1, 0));
    let report = run(bulk.clone().resend_rejected(true)).await;
    assert_eq!(
        (report.counts.updated, report.counts.already_updated),
        (1, 2)
    );
    assert_eq!(run(bulk).await.counts.already_updated, 3);
}

#[tokio::test]
async fn an_item_is_not_rejected_for_what_was_refused_in_passing() {
    const ITEMS: usize = 100;
    // One of these is asked alone while two others are suspected for nothing.
    for bad in 15..30 {
        let (server, client) = server(model(ITEMS).reject(COLLECTION, &id(bad), None)).await;
        server.script([403; 6].map(Reply::new));
        let updates = (0..ITEMS).map(|number| update(number, 1));
        let updates: Vec<_> = updates.collect();
        let run = client.bulk(collection()).run(updates).expect("a run");
        for (number, status) in settled(run).await.into_iter().enumerate() {
            let is_right = match status {
                ItemStatus::Rejected(_) => number == bad,
                ItemStatus::Updated(_) => number != bad,
                _ => false,
            };
            assert!(is_right, "{bad} is bad, and {number} is {status:?}");
        }
    }
}

/// Whatever the run is at, also in the middle of a write to its journal.
#[tokio::test]
async fn a_run_that_is_dropped_anywhere_leaves_its_journal_to_the_next_one_at_once() {
    let (_server, client) = server(model(3)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bulk = client.bulk(collection()).resend_unknown(true);
    let bulk = bulk.journal(folder.path().join("run.journal"));
    for polls in 0..60 {
        let updates = || (0..3).map(move |number| update(number, polls));
        let mut run = bulk.clone().run(updates()).expect("a run");
        let mut left = polls;
        let polled = std::future::poll_fn(|context| {
            while left > 0 {
                left -= 1;
                if run.poll_next_unpin(context).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        });
        polled.await;
        drop(run);
        let next = bulk.clone().run(updates()).expect("the journal is free");
        let report = next.finish().await;
        assert!(report.is_complete(), "after {polls} polls: {report}");
    }
}

#[tokio::test]
async fn a_report_says_how_many_problems_it_does_not_show_and_that_a_source_was_empty() {
    const BAD: usize = 23;
    let rejected = |model: Model, number| model.reject(COLLECTION, &id(number), None);
    let model = (0..BAD).fold(model(30), rejected);
    let (_server, client) = server(model).await;
    let run = client
        .bulk(collection())
        .run((0..30).map(|number| update(number, 1)));
    let report = run.expect("a run").finish().await;
    assert_eq!((report.counts.updated, report.counts.rejected), (7, 23));
    assert_eq!((report.first_problems.len(), report.more_problems), (20, 3));
    assert!(report.to_string().ends_with("\nand 3 more"), "{report}");

    let run = client.bulk(collection()).run(Vec::new()).expect("a run");
    let report = run.finish().await;
    assert!(report.is_complete());
    assert!(
        report.to_string().contains("the source was empty"),
        "{report}"
    );
}
