//! The attempts and waits of a call with the default settings of a client.

mod support;

use std::iter::repeat_n;
use std::time::Duration;

use support::{builder_in, collection, lamp, one, world};
use webflow_cms::error::RetryStopped;
use webflow_cms::{Client, Error, ErrorKind, RetryPolicy, UpdateResponse};
use webflow_cms_reference::World;
use webflow_cms_reference::{Fault, Reply};

const SECOND: Duration = Duration::from_secs(1);

fn client(world: &World) -> Client {
    builder_in(world).build().expect("a client")
}

/// Runs one call to its end.
fn call(world: &World, client: &Client) -> Result<UpdateResponse, Error> {
    let (collection, batch) = (collection(), one());
    let call = client.update(collection, batch.clone()).send();
    world.run(world.time().caller(call)).expect("time passes")
}

/// Returns the arrival times of the requests.
fn arrivals(world: &World) -> Vec<Duration> {
    world.log().iter().map(|exchange| exchange.at).collect()
}

#[test]
fn an_accepted_batch_is_sent_once_and_reported_as_accepted() {
    let ends = [
        (
            Fault::ClosedInBody { after: 3 },
            ErrorKind::ConnectionClosed,
        ),
        (
            Fault::ClosedInChunkedBody { after: 3 },
            ErrorKind::ConnectionClosed,
        ),
        (Fault::HeadOnly, ErrorKind::Timeout),
        (Fault::Drip { pause: SECOND }, ErrorKind::Timeout),
    ];
    for (fault, kind) in ends {
        let world = world();
        world.faults([fault.clone()]);
        let error = call(&world, &client(&world)).expect_err("an incomplete response");
        assert_eq!(error.kind(), kind, "{fault:?}");
        assert_eq!(arrivals(&world).len(), 1, "{fault:?}");
        assert!(error.was_accepted() && error.may_have_acted() && !error.is_retryable());
        assert_eq!(error.retry_stopped(), Some(RetryStopped::NotRetryable));
        let text = error.to_string();
        assert!(
            text.starts_with("the service accepted the request"),
            "{text}"
        );
    }
}

#[test]
fn a_response_without_a_status_or_with_an_error_status_is_retried() {
    let world = world();
    world.faults([Fault::ClosedInHead]);
    call(&world, &client(&world)).expect("an update");
    assert_eq!(arrivals(&world).len(), 2);

    world.script([Reply::new(503).body("try later")]);
    world.faults([Fault::ClosedInBody { after: 3 }]);
    call(&world, &client(&world)).expect("an update");
    assert_eq!(arrivals(&world).len(), 4);
}

#[test]
fn a_429_waits_as_long_as_any_of_its_headers_requests_or_for_the_window() {
    for (header, wait) in [
        (None, 60),
        (Some(("retry-after", "7")), 7),
        (Some(("retry-after-ms", "9000")), 9),
        (Some(("x-ratelimit-reset", "20")), 20),
        (Some(("x-ratelimit-reset", "0")), 0),
    ] {
        let world = world();
        let reply = Reply::new(429);
        world.script([match header {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }]);
        call(&world, &client(&world)).expect("an update");
        let [first, again] = *arrivals(&world) else {
            panic!("two requests")
        };
        // The back-off and the interval of the rate limiter are about a second each.
        let (least, most) = (SECOND * wait, SECOND * (wait + 2));
        let waited = again - first;
        assert!(least <= waited && waited <= most, "{header:?}: {waited:?}");
    }
}

#[test]
fn other_calls_wait_for_the_window_after_a_429_that_requests_no_wait() {
    let world = world();
    world.script([Reply::new(429)]);
    let client = client(&world);
    let once = client.with_retry(RetryPolicy::disabled());
    call(&world, &once).expect_err("too many requests");
    call(&world, &client).expect("an update");
    let [first, other] = *arrivals(&world) else {
        panic!("two requests")
    };
    assert!(other - first >= 60 * SECOND);
}

#[test]
fn a_call_to_a_silent_service_ends_after_three_attempt_timeouts() {
    let world = world();
    world.faults(repeat_n(Fault::SilenceAfterActing, 9));
    let error = call(&world, &client(&world)).expect_err("silence");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.retry_stopped(), Some(RetryStopped::TimeoutExceeded));
    assert_eq!(arrivals(&world).len(), 3);
    let took = world.time().elapsed();
    assert!((180 * SECOND..185 * SECOND).contains(&took), "{took:?}");
    let text = error.to_string();
    assert!(
        text.contains("the operation timeout, 180 s, leaves no time"),
        "{text}"
    );
}

#[test]
fn requested_waits_do_not_count_against_the_default_operation_timeout() {
    let world = world();
    world.script(repeat_n(Reply::new(429).header("retry-after", "200"), 4));
    let patient = RetryPolicy::new().max_retry_after(200 * SECOND);
    let client = client(&world).with_retry(patient);
    let response = call(&world, &client).expect("an update");
    assert_eq!(response.attempts(), 5);
    assert!(world.time().elapsed() >= 800 * SECOND);
}

#[test]
fn the_error_of_a_too_long_wait_has_both_times() {
    let world = world();
    world.script([Reply::new(429).header("retry-after", "3600")]);
    let client = client(&world);
    let error = call(&world, &client).expect_err("too long a wait");
    assert_eq!(
        error.to_string(),
        "too many requests (status 429); the service requests a wait of 3600 s, longer than max_retry_after, 120 s"
    );
    let error = call(&world, &client).expect_err("still too long");
    assert_eq!(error.kind(), ErrorKind::NotSent);
    assert_eq!(
        error.to_string(),
        "the request was not sent; the service requests a wait of 3600 s, longer than max_retry_after, 120 s"
    );
    assert_eq!(arrivals(&world).len(), 1);
}

#[test]
fn a_bulk_update_has_no_default_operation_timeout() {
    let world = world();
    world.faults(repeat_n(Fault::SilenceAfterActing, 9));
    let client = client(&world);
    let run = client
        .bulk(collection())
        .run([lamp().draft(true)])
        .expect("a run");
    let report = world.run(run.finish()).expect("time passes");
    assert!(report.is_complete(), "{report}");
    assert_eq!(arrivals(&world).len(), 10);
}
