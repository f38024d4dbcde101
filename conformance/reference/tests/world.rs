//! A world runs case after case and keeps nothing of them.

use std::net::TcpStream;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join_all, select};
use reqwest::Client;
use webflow_cms_reference::{Counts, Fault, Limiter, Model, Reply, Settings, Variant, World};

const SECOND: Duration = Duration::from_secs(1);
const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const ITEM: &str = "66f6ed9576ddacf3149d5ea6";

fn model() -> Model {
    Model::new().insert(COLLECTION, ITEM, None, Variant::named("Lamp", "lamp"))
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Sends one request. Returns the status of the response and the time of its arrival.
async fn update(world: &World, client: &Client) -> (Option<u16>, Duration) {
    let time = world.time();
    let request = client
        .patch(format!(
            "{}/collections/{COLLECTION}/items",
            world.base_url()
        ))
        .bearer_auth(world.server().token())
        .header("content-type", "application/json")
        .body(format!(
            r#"{{"items":[{{"id":"{ITEM}","fieldData":{{"name":"Star lamp"}}}}]}}"#
        ));
    let outcome = time
        .caller(async {
            let _attempt = time.attempt();
            let response = request.send().await?;
            let status = response.status();
            response.bytes().await.map(|_| status)
        })
        .await;
    (outcome.ok().map(|status| status.as_u16()), time.elapsed())
}

#[test]
fn a_hundred_requests_are_answered_by_the_limit_and_by_latency() {
    let world = World::new(Settings::default()).unwrap();
    world.reset(model()).unwrap();
    world.limit(Limiter::sliding_window(60));
    world.latency(|number| (Duration::from_millis(number as u64), SECOND));
    let client = client();
    let calls = join_all((0..100).map(|_| update(&world, &client)));
    let mut responses = world.run(calls).unwrap();
    responses.sort_by_key(|(_, at)| *at);
    let expected = (0..100).map(|number| {
        let status = if number < 60 { 200 } else { 429 };
        (Some(status), SECOND + Duration::from_millis(number))
    });
    assert_eq!(responses, expected.collect::<Vec<_>>());
    assert_eq!(world.time().counts(), Counts::default());
}

#[test]
fn a_case_leaves_nothing_to_the_next() {
    let world = World::new(Settings::default()).unwrap();
    for _ in 0..3 {
        world.reset(model()).unwrap();
        assert_eq!(world.time().elapsed(), Duration::ZERO);
        assert_eq!(world.time().counts(), Counts::default());
        assert!(world.log().is_empty());
        let client = client();
        let first = world.run(update(&world, &client)).unwrap();
        assert_eq!(first, (Some(200), Duration::ZERO));

        world.limit(Limiter::sliding_window(1));
        world.script([Reply::new(500), Reply::new(500)]);
        world.faults([
            Fault::SilenceAfterActing,
            Fault::HeadOnly,
            Fault::ClosedInHead,
        ]);
        world.latency(|_| (2 * SECOND, Duration::ZERO));
        let time = world.time();
        let unfinished = join_all((0..2).map(|_| update(&world, &client)));
        let or_dropped = async {
            select(pin!(unfinished), pin!(time.pause(SECOND))).await;
        };
        world.run(or_dropped).unwrap();
        assert_eq!(world.server().pending_faults(), 1);
    }
}

#[test]
fn no_connection_outlives_its_case() {
    let world = World::new(Settings::default()).unwrap();
    world.reset(model()).unwrap();
    let (server, client) = (world.server(), client());
    server.otherwise(Fault::SilenceAfterActing);
    let time = world.time();
    world
        .run(async {
            let unfinished = join_all((0..5).map(|_| update(&world, &client)));
            let looked = async {
                time.pause(SECOND).await;
                assert_eq!(server.connections(), 5);
            };
            select(pin!(unfinished), pin!(looked)).await;
        })
        .unwrap();
    let address = server.base_url().replace("http://", "").replace("/v2", "");
    let open = TcpStream::connect(&address).unwrap();
    world.reset(model()).unwrap();
    assert_eq!(server.connections(), 0);
    assert!(
        TcpStream::connect(&address).is_err(),
        "nobody listens any more"
    );
    assert_ne!(world.base_url(), server.base_url());
    drop(open);
}

#[test]
fn settings_are_again_what_the_world_was_made_with() {
    let world = World::new(Settings {
        pagination: false,
        limiter: Some(Limiter::sliding_window(1)),
        ..Settings::default()
    })
    .unwrap();
    for _ in 0..2 {
        world.reset(model()).unwrap();
        let client = client();
        let responses = [(); 2].map(|()| world.run(update(&world, &client)).unwrap().0);
        assert_eq!(responses, [Some(200), Some(429)]);
        world.configure(|settings| settings.limiter = None);
    }
    assert!(!world.server().core().settings().pagination);
}
