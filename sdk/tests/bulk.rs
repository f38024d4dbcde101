//! Bulk runs, end to end.

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::{COLLECTION, builder, collection};
use webflow_cms::bulk::{ItemStatus, NotAttempted, Unknown};
use webflow_cms::observe::WaitCause;
use webflow_cms::{Client, ItemId, ItemUpdate, RateLimiter, RetryPolicy};
use webflow_cms_reference::{FaultyServer, Model, ReferenceServer, Reply, Step, Variant};

fn id(number: usize) -> String {
    format!("66f6ed95{number:016x}")
}

fn updates(count: usize) -> Vec<ItemUpdate> {
    let update = |number| {
        let id = ItemId::new(id(number)).expect("an id");
        ItemUpdate::new(id).field("mark", number).expect("a field")
    };
    (0..count).map(update).collect()
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

fn assert_marked(server: &ReferenceServer, number: usize, marked: bool) {
    let model = server.model();
    let variant = model
        .variant(COLLECTION, &id(number), None)
        .expect("it is there");
    assert_eq!(
        variant.field_data.contains_key("mark"),
        marked,
        "item {number}"
    );
}

#[tokio::test]
async fn any_number_of_items_goes_out_in_as_few_requests_as_there_can_be() {
    for count in [0, 1, 99, 100, 101, 199, 200, 201] {
        let (server, client) = server(model(count)).await;
        let run = client
            .bulk(collection())
            .run(updates(count))
            .expect("a run");
        let report = run.finish().await;
        assert!(report.is_complete(), "{report}");
        assert_eq!(report.counts.updated, count as u64);
        assert_eq!(server.log().len(), count.div_ceil(100));
        (0..count).for_each(|number| assert_marked(&server, number, true));
    }
}

#[tokio::test]
async fn bad_items_are_found_and_all_others_updated() {
    let bad = [3, 57, 130];
    let model = bad.iter().fold(model(200), |model, number| {
        model.reject(COLLECTION, &id(*number), None)
    });
    let (server, client) = server(model).await;
    let mut run = client.bulk(collection()).run(updates(200)).expect("a run");
    let mut seen = [false; 200];
    while let Some(outcome) = run.next().await {
        let number = usize::try_from(outcome.index).expect("small");
        assert!(
            !std::mem::replace(&mut seen[number], true),
            "item {number} comes twice"
        );
        if bad.contains(&number) {
            let ItemStatus::Rejected(error) = &outcome.status else {
                panic!("{outcome:?}");
            };
            assert_eq!(error.code(), Some("validation_error"));
            let line = outcome.dead_letter().expect("a line").expect("a line");
            assert_eq!(ItemUpdate::from_json(&line).ok(), outcome.update);
        } else {
            assert!(outcome.is_updated(), "{outcome:?}");
        }
        assert_marked(&server, number, !bad.contains(&number));
    }
    assert!(seen.iter().all(|seen| *seen));
    assert!(server.log().len() < 40, "{} requests", server.log().len());
}

#[tokio::test]
async fn an_item_that_does_not_come_back_is_unknown_and_its_later_update_not_attempted() {
    let (server, client) = server(model(3)).await;
    server.script([Step::model_then(|answer| {
        answer.edit_items(|items| {
            items.remove(1);
        })
    })]);
    let mut input = updates(3);
    input.push(input[1].clone());
    let run = client.bulk(collection()).run(input).expect("a run");
    let outcomes: Vec<_> = futures_util::StreamExt::collect(run).await;
    let settled = |index: u64| {
        let outcome = outcomes.iter().find(|outcome| outcome.index == index);
        &outcome.expect("it has an outcome").status
    };
    assert_eq!(outcomes.len(), 4);
    assert!(matches!(settled(0), ItemStatus::Updated(_)));
    assert!(matches!(
        settled(1),
        ItemStatus::Unknown(Unknown::NotReturned)
    ));
    let later = settled(3);
    assert!(
        matches!(later, ItemStatus::NotAttempted(NotAttempted::AfterUnknown)),
        "{later:?}"
    );
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn a_token_that_is_not_accepted_ends_the_run_and_all_items_come_out() {
    let (server, client) = server(model(350)).await;
    server.script((0..8).map(|_| Reply::documented(401).expect("documented")));
    let run = client.bulk(collection()).run(updates(350)).expect("a run");
    let report = run.finish().await;
    assert_eq!(report.counts.not_attempted, 350);
    let stopped = report.stop_reason.expect("it has stopped");
    assert!(stopped.to_string().contains("token"), "{stopped}");
    assert!(server.log().len() <= 4);
}

#[tokio::test]
async fn a_run_that_is_cancelled_accounts_for_every_item() {
    let server = FaultyServer::serve(ReferenceServer::builder().model(model(1_000)).build())
        .await
        .expect("a port");
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    let mut run = client
        .bulk(collection())
        .concurrency(2)
        .run(updates(1_000))
        .expect("a run");
    let handle = run.handle();
    let mut outcomes = Vec::new();
    while let Some(outcome) = run.next().await {
        outcomes.push(outcome);
        if outcomes.len() == 150 {
            handle.cancel();
        }
    }
    let counts = handle.progress().counts;
    assert_eq!(outcomes.len(), 1_000);
    assert_eq!(counts.total(), 1_000);
    assert!(counts.updated < 1_000 && counts.unknown == 0, "{counts:?}");
    let sent: usize = server.log().iter().map(|exchange| exchange.applied).sum();
    assert_eq!(counts.updated, sent as u64);
}

#[tokio::test]
async fn a_run_that_is_dropped_is_resumed_from_its_journal() {
    let (server, client) = server(model(500)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.journal");
    let bulk = client.bulk(collection()).concurrency(1);
    let mut run = bulk
        .clone()
        .journal(&path)
        .run(updates(500))
        .expect("a run");
    for _ in 0..230 {
        run.next().await.expect("an outcome");
    }
    drop(run);
    let before = server.log().len();
    let run = bulk
        .clone()
        .journal(&path)
        .run(updates(500))
        .expect("a run");
    let report = run.finish().await;
    assert_eq!(report.counts.total(), 500);
    assert!(report.counts.already_updated >= 230, "{report}");
    assert_eq!(
        report.counts.updated + report.counts.already_updated,
        500,
        "{report}"
    );
    assert!(server.log().len() - before <= 3);

    let held = bulk.clone().journal(&path).run(updates(1));
    let held = held.expect("a run");
    let error = bulk
        .journal(&path)
        .run(updates(1))
        .expect_err("it is in use");
    drop(held);
    assert_eq!(error.kind(), webflow_cms::ErrorKind::Journal);
    assert!(error.to_string().contains("journal"), "{error}");
}

#[tokio::test]
async fn an_error_of_the_source_takes_a_place_and_is_told() {
    let (_server, client) = server(model(3)).await;
    for (go_on, updated) in [(false, 1), (true, 2)] {
        let input: Vec<Result<_, &str>> = vec![
            Ok(updates(3).remove(0)),
            Err("line 2 is cut"),
            Ok(updates(3).remove(2)),
        ];
        let run = client
            .bulk(collection())
            .continue_after_source_error(go_on)
            .try_run_stream(futures_util::stream::iter(input))
            .expect("a run");
        let outcomes: Vec<_> = futures_util::StreamExt::collect(run).await;
        let told = outcomes
            .iter()
            .find(|outcome| outcome.index == 1)
            .expect("told");
        let ItemStatus::NotAttempted(NotAttempted::Source(error)) = &told.status else {
            panic!("{told:?}");
        };
        assert_eq!(error.to_string(), "line 2 is cut");
        let count = outcomes
            .iter()
            .filter(|outcome| outcome.is_updated())
            .count();
        assert_eq!(count, updated);
    }
}

#[tokio::test]
async fn a_source_or_a_caller_that_panics_loses_no_item() {
    let (server, client) = server(model(300)).await;
    let input = updates(300)
        .into_iter()
        .inspect(|update| assert!(!update.key().id.as_str().ends_with("c8"), "number 200"));
    let run = client.bulk(collection()).run(input).expect("a run");
    let report = run.finish().await;
    assert_eq!(
        (report.counts.updated, report.counts.not_attempted),
        (200, 1),
        "{report}"
    );
    assert_eq!(server.log().len(), 2);

    let seen = Arc::new(std::sync::Mutex::new(0));
    let counter = seen.clone();
    let run = client.bulk(collection()).run(updates(300)).expect("a run");
    let handle = run.handle();
    let ended = tokio::spawn(run.for_each(move |_| {
        *counter.lock().expect("not poisoned yet") += 1;
        panic!("a caller's fault");
    }))
    .await;
    assert!(ended.expect_err("a panic").is_panic());
    assert_eq!(handle.progress().counts.total(), 300);
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_would_take_and_sends_nothing() {
    let (server, client) = server(model(250)).await;
    let mut input: Vec<Result<_, &str>> = updates(250).into_iter().map(Ok).collect();
    input.push(Err("cut"));
    let plan = client
        .bulk(collection())
        .dry_run(input)
        .await
        .expect("a plan");
    assert_eq!((plan.items, plan.requests, plan.errors), (251, 3, 1));
    assert_eq!(plan.first_errors, [(250, "cut".into())]);
    assert!(server.log().is_empty());
    let run = client.bulk(collection()).run(updates(250)).expect("a run");
    assert_eq!(run.finish().await.statistics.bytes_sent, plan.bytes);
}

#[tokio::test]
async fn a_dry_run_estimates_the_time_that_the_rate_limit_takes() {
    let two_a_minute = RateLimiter::with_initial_limit(2).expect("above 0");
    for (rate_limiter, seconds) in [
        (RateLimiter::new(), 0.0),
        (two_a_minute.clone(), 60.0),
        (two_a_minute.spread(), 60.75),
    ] {
        let client = builder("http://127.0.0.1", "a-token")
            .rate_limiter(rate_limiter)
            .build()
            .expect("a client");
        let input = updates(250).into_iter().map(Ok::<_, &str>);
        let plan = client
            .bulk(collection())
            .dry_run(input)
            .await
            .expect("a plan");
        assert_eq!(plan.duration, Duration::from_secs_f64(seconds));
    }
}

#[tokio::test]
async fn an_update_that_is_too_large_lets_no_later_one_overtake_an_earlier_one() {
    let server = FaultyServer::serve(ReferenceServer::builder().model(model(200)).build())
        .await
        .expect("a port");
    // Whoever is sent beside the first request acts before it.
    let slow = |number| match number {
        0 => (Duration::from_millis(100), Duration::ZERO),
        _ => (Duration::ZERO, Duration::ZERO),
    };
    server.latency(slow);
    let client = builder(&server.base_url(), &server.token())
        .build()
        .expect("a client");
    let marked = |mark: &str| {
        let item = ItemUpdate::new(ItemId::new(id(0)).expect("an id"));
        item.field("mark", mark).expect("a field")
    };
    let mut input = updates(200);
    input[0] = marked("first");
    input.insert(100, marked(&"x".repeat(20_000)));
    input.insert(101, marked("last"));
    let run = client
        .bulk(collection())
        .max_batch_bytes(15_000)
        .run(input)
        .expect("a run");
    let report = run.finish().await;
    let counts = (report.counts.updated, report.counts.rejected);
    assert_eq!(counts, (201, 1), "{report}");
    let model = server.model();
    let item = model
        .variant(COLLECTION, &id(0), None)
        .expect("it is there");
    assert_eq!(item.field_data["mark"], "last");
}

#[tokio::test]
async fn a_refusal_after_a_failure_settles_the_item_with_the_doubt_told_beside_it() {
    let model = model(200).reject(COLLECTION, &id(50), None);
    let (server, client) = server(model).await;
    server.script([Reply::new(500)]);
    let again = RetryPolicy::new()
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .expect("a policy");
    let run = client
        .bulk(collection())
        .concurrency(1)
        .retry(again)
        .run(updates(200))
        .expect("a run");
    let outcomes: Vec<_> = futures_util::StreamExt::collect(run).await;
    assert_eq!(outcomes.len(), 200);
    for outcome in outcomes {
        let number = usize::try_from(outcome.index).expect("small");
        if number == 50 {
            let ItemStatus::Rejected(error) = &outcome.status else {
                panic!("{outcome:?}");
            };
            assert_eq!(error.code(), Some("validation_error"));
            assert!(error.may_have_acted());
            let statuses = error.failed_attempts().iter().map(|attempt| attempt.status);
            let statuses: Vec<_> = statuses.flatten().map(|status| status.as_u16()).collect();
            assert_eq!(statuses[..2], [500, 400], "{error}");
            assert!(
                outcome
                    .dead_letter()
                    .expect("a line")
                    .is_some_and(|line| { line.contains("\"mayHaveActed\":true") })
            );
        } else {
            assert!(outcome.is_updated(), "{outcome:?}");
        }
        assert_marked(&server, number, number != 50);
    }
}

#[tokio::test]
async fn a_run_that_comes_to_nothing_says_why() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base_url = format!("http://{}/v2", listener.local_addr().expect("an address"));
    drop(listener);
    let client = builder(&base_url, "b7c1d0e2f3a4")
        .build()
        .expect("a client");
    let run = client
        .bulk(collection())
        .concurrency(1)
        .run(updates(1_000))
        .expect("a run");
    let report = run.finish().await;
    assert_eq!(report.counts.not_attempted, 1_000);
    assert_eq!(report.statistics.requests, 3);
    let told = report.stop_reason.expect("it has stopped").to_string();
    assert!(told.contains("no connection to the service"), "{told}");
    let not_sent = |outcome: &webflow_cms::bulk::Outcome| {
        matches!(
            outcome.status,
            ItemStatus::NotAttempted(NotAttempted::NotSent(_))
        )
    };
    assert!(
        report.first_problems.iter().all(not_sent),
        "why it stopped is told once"
    );
}

#[tokio::test]
async fn a_handle_tells_what_the_run_waits_for_while_it_waits() {
    let (server, client) = server(model(200)).await;
    server.script([
        Step::Model,
        Reply::new(429).header("retry-after", "60").into(),
    ]);
    let run = client
        .bulk(collection())
        .concurrency(1)
        .retry(RetryPolicy::new())
        .run(updates(200))
        .expect("a run");
    let handle = run.handle();
    let mut changes = handle.watch();
    let report = tokio::spawn(run.finish());
    let waits = changes
        .wait_for(|progress| progress.waiting.is_some())
        .await;
    let progress = *waits.expect("the run goes on");
    assert_eq!(
        progress.waiting.map(|(cause, _)| cause),
        Some(WaitCause::RetryAfter)
    );
    assert_eq!((progress.requests, progress.counts.updated), (2, 100));
    handle.cancel();
    let report = report.await.expect("no panic");
    assert_eq!(
        (report.counts.updated, report.counts.not_attempted),
        (100, 100),
        "{report}"
    );
}
