//! The account of bulk runs, and the order of an item's updates, in the corners where they were wrong once.

mod support;

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use support::{COLLECTION, builder, collection};
use webflow_cms::bulk::{NotAttempted, Run, Settlement, Unknown};
use webflow_cms::{Client, Clock, ItemId, ItemUpdate, RetryPolicy, SystemClock};
use webflow_cms_conformance::reference::{
    Fault, FaultyServer, Model, ReferenceServer, Reply, Variant,
};

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
async fn settled(run: Run) -> Vec<Settlement> {
    let mut outcomes: Vec<_> = run.collect().await;
    outcomes.sort_by_key(|outcome| outcome.index);
    let settlement = |outcome: webflow_cms::bulk::Outcome| outcome.settlement;
    outcomes.into_iter().map(settlement).collect()
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
    let again = RetryPolicy::new().backoff(Duration::from_millis(200), Duration::from_millis(200));
    let input = futures_util::stream::iter(input).then(async |update| {
        SystemClock.sleep(Duration::from_millis(10)).await;
        Ok::<_, String>(update)
    });
    let run = client
        .bulk(&collection())
        .max_batch_bytes(100)
        .retry(again)
        .run_stream(input);
    let settled = settled(run.expect("a run")).await;
    assert!(matches!(settled[2], Settlement::Rejected(_)), "{settled:?}");
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
    let bulk = client.bulk(&collection());
    server.inject([Fault::SilenceAfterActing]);
    let input = [update(0, 1), update(1, 1), update(0, 2)];
    let mut run = bulk
        .clone()
        .create_journal(&path)
        .run(input.clone())
        .expect("a run");
    let cut = within(Duration::from_millis(500), run.next()).await;
    assert!(cut.is_none(), "{cut:?}");
    drop(run);

    let bulk = bulk.resume_journal(&path).resend_in_doubt(true);
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
                Settlement::Unknown(Unknown::InDoubt),
                Settlement::Unknown(Unknown::InDoubt),
                Settlement::NotAttempted(_)
            ]
        ),
        "{not_sent:?}"
    );

    server.core().script((0..3).map(|_| Reply::new(400)));
    let refused = settled_by().await;
    assert!(
        matches!(
            refused.as_slice(),
            [
                Settlement::Unknown(Unknown::Failed(_)),
                Settlement::Unknown(Unknown::Failed(_)),
                Settlement::NotAttempted(_)
            ]
        ),
        "{refused:?}"
    );

    let updated = settled_by().await;
    let is_updated = |settlement: &Settlement| matches!(settlement, Settlement::Updated(_));
    assert!(updated.iter().all(is_updated), "{updated:?}");
}

#[tokio::test]
async fn a_refusal_that_may_have_changed_a_part_is_recorded_as_in_doubt() {
    let refusing = model(4).atomic(false).reject(COLLECTION, &id(2), None);
    let (server, client) = server(refusing).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client
        .bulk(&collection())
        .assume_atomic(false)
        .concurrency(1);
    let input: Vec<_> = (0..4).map(|number| update(number, number)).collect();
    let run = bulk
        .clone()
        .create_journal(&path)
        .max_batch_bytes(200)
        .run(input.clone());
    let settled_first = settled(run.expect("a run")).await;
    let is_refused =
        |settlement: &Settlement| matches!(settlement, Settlement::Unknown(Unknown::Refused(_)));
    assert!(
        settled_first.iter().take(3).all(is_refused),
        "{settled_first:?}"
    );
    assert!(
        matches!(settled_first[3], Settlement::Updated(_)),
        "{settled_first:?}"
    );
    let run = bulk.resume_journal(&path).run(input);
    let settled_then = settled(run.expect("a run")).await;
    let in_doubt =
        |settlement: &Settlement| matches!(settlement, Settlement::Unknown(Unknown::InDoubt));
    assert!(
        settled_then.iter().take(3).all(in_doubt),
        "{settled_then:?}"
    );
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn an_update_that_was_not_sent_keeps_its_place_before_later_ones_for_a_resumed_run() {
    let (server, client) = server(model(2)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client.bulk(&collection()).retry(RetryPolicy::never());
    let input = [update(0, 1), update(0, 2), update(1, 1), update(0, 3)];
    server.script([Reply::new(429)]);
    let run = bulk.clone().create_journal(&path).run(input.clone());
    let first = settled(run.expect("a run")).await;
    let held_back = |settlement: &Settlement| {
        matches!(
            settlement,
            Settlement::NotAttempted(NotAttempted::AfterNotSent)
        )
    };
    assert!(held_back(&first[1]) && held_back(&first[3]), "{first:?}");
    let run = bulk.resume_journal(&path).run(input);
    let second = settled(run.expect("a run")).await;
    let is_updated = |settlement: &Settlement| matches!(settlement, Settlement::Updated(_));
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
    let run = client.bulk(&collection()).run(input).expect("a run");
    let handle = run.handle();
    let cancel = async {
        SystemClock.sleep(wait).await;
        handle.cancel();
    };
    let ended = within(Duration::from_secs(20), run.report());
    let (ended, ()) = futures_util::future::join(ended, cancel).await;
    let report = ended.expect("it ends");
    assert_eq!(report.counts.not_attempted, 100, "{report}");
    assert_eq!(server.log().len(), 1);
}
