//! What a subscriber of `tracing` sees of a call: each try as OpenTelemetry names it, each wait, and no secret.

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::select;
use support::{COLLECTION, SdkTime, builder_in, collection, lamp, one, world};
use tracing::field::{Empty, Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::span::Current;
use webflow_cms::observe::{AttemptEnded, AttemptStarted, Observer};
use webflow_cms::raw::types::ItemUpdateList;
use webflow_cms::{Batch, Client, RateLimiter, RetryPolicy};
use webflow_cms_reference::World;
use webflow_cms_reference::{Fault, Reply, Step};

const SECOND: Duration = Duration::from_secs(1);
const PATH: &str = "/v2/collections/{collection_id}/items";

type Fields = BTreeMap<&'static str, String>;

/// A span or an event.
#[derive(Clone, Debug)]
struct Seen {
    metadata: &'static Metadata<'static>,
    fields: Fields,
}

impl Seen {
    fn is_own(&self) -> bool {
        self.metadata.target().starts_with("webflow_cms")
    }
}

/// Records all spans and events, of all crates.
#[derive(Clone, Default)]
struct Recorder {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// The spans that were entered and not left, outermost first.
    entered: Arc<Mutex<Vec<Id>>>,
    /// Sees nothing of these.
    blind_to: &'static str,
}

impl Recorder {
    fn push(&self, metadata: &'static Metadata<'static>, fields: Fields) -> Id {
        let mut seen = self.seen.lock().expect("no panic");
        seen.push(Seen { metadata, fields });
        Id::from_u64(u64::try_from(seen.len()).expect("a small number"))
    }

    fn all(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }

    fn attempts(&self) -> Vec<Fields> {
        let all = self.all().into_iter();
        let spans = all.filter(|seen| seen.is_own() && seen.metadata.is_span());
        spans
            .map(|Seen { metadata, fields }| {
                assert_eq!(metadata.name(), "http.client.request");
                assert_eq!(*metadata.level(), Level::INFO);
                fields
            })
            .collect()
    }

    /// Does something in the sight of this recorder.
    fn during<T>(&self, what: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(self.clone(), what)
    }
}

fn position(span: &Id) -> usize {
    usize::try_from(span.into_u64()).expect("a small number") - 1
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.blind_to.is_empty() || !metadata.target().starts_with(self.blind_to)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Into(&mut fields));
        self.push(span.metadata(), fields)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut seen = self.seen.lock().expect("no panic");
        values.record(&mut Into(&mut seen[position(span)].fields));
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Into(&mut fields));
        self.push(event.metadata(), fields);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, span: &Id) {
        self.entered.lock().expect("no panic").push(span.clone());
    }

    fn exit(&self, _: &Id) {
        self.entered.lock().expect("no panic").pop();
    }

    fn current_span(&self) -> Current {
        let entered = self.entered.lock().expect("no panic");
        entered.last().map_or_else(Current::none, |span| {
            let seen = self.seen.lock().expect("no panic");
            Current::new(span.clone(), seen[position(span)].metadata)
        })
    }
}

struct Into<'a>(&'a mut Fields);

impl Visit for Into<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

fn client(world: &World) -> Client {
    let builder = builder_in(world)
        .rate_limiter(RateLimiter::unlimited())
        .attempt_timeout(9 * SECOND);
    builder.build().expect("a client")
}

/// One call to its end, without a word about what came of it.
fn call(world: &World, client: &Client) {
    let (collection, batch) = (collection(), one());
    let call = client.update(collection, batch.clone()).send();
    let _ = world.run(world.time().caller(call)).expect("time passes");
}

fn fields<const N: usize>(fields: [(&'static str, &str); N]) -> Fields {
    let owned = |(name, value): (&'static str, &str)| (name, value.to_owned());
    fields.map(owned).into()
}

#[test]
fn each_attempt_is_a_span_with_the_names_of_opentelemetry() {
    let (world, recorder) = (world(), Recorder::default());
    world.script([Step::Reply(Reply::new(500)), Step::Model]);
    let client = client(&world);
    let (collection, batch) = (collection(), one());
    let request = ItemUpdateList { items: Vec::new() };
    recorder.during(|| {
        let call = client
            .update(collection, batch.clone())
            .skip_invalid_files(true);
        let call = world.time().caller(call.send());
        world.run(call).expect("time passes").expect("an update");
        let raw = client.raw();
        let call = raw.update_items(COLLECTION, Some(false), &request);
        let _ = world.run(world.time().caller(call)).expect("time passes");
    });

    let log = world.log();
    let base_url = world.base_url();
    let (server, port) = base_url
        .trim_start_matches("http://")
        .trim_end_matches("/v2")
        .split_once(':')
        .expect("a port");
    let common = |position: usize| {
        let exchange = &log[position];
        let query = exchange.query.as_deref().expect("a query");
        let url = format!("http://{server}:{port}{}?{query}", exchange.path);
        fields([
            ("otel.kind", "client"),
            ("otel.name", &format!("PATCH {PATH}")),
            ("http.request.method", "PATCH"),
            ("http.request.body.size", &exchange.body.len().to_string()),
            ("url.full", &url),
            ("url.template", PATH),
            ("server.address", server),
            ("server.port", port),
        ])
    };
    let with = |position, more: &[(&'static str, &str)]| {
        let mut fields = common(position);
        fields.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        fields
    };
    let expected = [
        with(
            0,
            &[
                ("http.response.status_code", "500"),
                ("error.type", "500"),
                ("otel.status_code", "ERROR"),
            ],
        ),
        with(
            1,
            &[
                ("http.response.status_code", "200"),
                ("http.request.resend_count", "1"),
            ],
        ),
        with(
            2,
            &[
                ("http.response.status_code", "400"),
                ("error.type", "400"),
                ("otel.status_code", "ERROR"),
            ],
        ),
    ];
    assert_eq!(recorder.attempts(), expected);
}

#[test]
fn the_span_of_an_attempt_without_a_complete_response_has_the_kind_of_the_error() {
    let world = world();
    let client = client(&world).with_retry(RetryPolicy::disabled());
    for (fault, kind, status) in [
        (Fault::SilenceAfterActing, "timeout", None),
        (Fault::HeadOnly, "timeout", Some("200")),
        (Fault::ResetBeforeReading, "connection_closed", None),
        (
            Fault::ClosedInBody { after: 3 },
            "connection_closed",
            Some("200"),
        ),
        (Fault::Garbage(b"no".to_vec()), "transport", None),
    ] {
        let recorder = Recorder::default();
        world.faults([fault.clone()]);
        recorder.during(|| call(&world, &client));
        let [span] = &*recorder.attempts() else {
            panic!("one attempt")
        };
        let field = |name| span.get(name).map(String::as_str);
        assert_eq!(field("error.type"), Some(kind), "{fault:?}");
        assert_eq!(field("otel.status_code"), Some("ERROR"), "{fault:?}");
        assert_eq!(field("http.response.status_code"), status, "{fault:?}");
    }
}

#[test]
fn the_span_of_a_dropped_attempt_is_cancelled() {
    let (world, recorder) = (world(), Recorder::default());
    let client = client(&world);
    world.faults([Fault::SilenceAfterActing]);
    let (collection, batch, time) = (collection(), one(), world.time());
    recorder
        .during(|| {
            let call = pin!(time.caller(client.update(collection, batch.clone()).send()));
            let pause = pin!(time.pause(SECOND));
            world.run(async { drop(select(call, pause).await) })
        })
        .expect("time passes");
    let [span] = &*recorder.attempts() else {
        panic!("one attempt")
    };
    assert_eq!(span["error.type"], "cancelled");
    assert_eq!(span["otel.status_code"], "ERROR");
}

#[test]
fn each_wait_is_an_event_with_its_cause() {
    let (world, recorder) = (world(), Recorder::default());
    world.script([Reply::new(500), Reply::new(429).header("retry-after", "7")]);
    let rate_limiter = RateLimiter::fixed(60).expect("a rate limiter");
    let builder = builder_in(&world)
        .rate_limiter(rate_limiter)
        .randomness(|| 0.0);
    let client = builder.build().expect("a client");
    recorder.during(|| {
        call(&world, &client);
        call(&world, &client);
    });
    let all = recorder.all().into_iter();
    let events = all.filter(|seen| seen.is_own() && seen.metadata.is_event());
    let waits: Vec<_> = events
        .map(|event| {
            assert_eq!(*event.metadata.level(), Level::DEBUG);
            assert_eq!(event.fields["message"], "waiting");
            (
                event.fields["cause"].clone(),
                event.fields["expected"].clone(),
            )
        })
        .collect();
    let waited = |cause: &str, time: &str| (cause.to_owned(), time.to_owned());
    assert_eq!(
        waits,
        [
            waited("backoff", "500ms"),
            waited("rate-limit", "512.5ms"),
            waited("retry-after", "7s"),
            waited("rate-limit", "1.0125s"),
        ]
    );
}

#[test]
fn no_trace_has_the_token_or_the_content_of_an_item() {
    const SECRET: &str = "sesame-opens";
    let (world, recorder) = (world(), Recorder::default());
    let token = world.server().token();
    let repeating = |status| {
        let body = serde_json::json!({"message": format!("{token} {SECRET}"), "code": token});
        let reply = Reply::new(status).json(&body);
        ["x-echo", "retry-after", "x-ratelimit-limit", "location"]
            .into_iter()
            .fold(reply, |reply, name| reply.header(name, &token))
    };
    world.script([500, 429, 302, 400, 200].map(repeating));
    world.script([400, 200].map(repeating));
    let (client, collection) = (client(&world), collection());
    let update = lamp().field("name", SECRET).expect("a field");
    let batch = Batch::new([update]).expect("a batch");
    let request = ItemUpdateList { items: Vec::new() };
    recorder.during(|| {
        for _ in 0..3 {
            let call = client.update(collection, batch.clone()).send();
            let _ = world.run(world.time().caller(call)).expect("time passes");
        }
        for _ in 0..2 {
            let raw = client.raw();
            let call = raw.update_items(COLLECTION, None, &request);
            let _ = world.run(world.time().caller(call)).expect("time passes");
        }
        world.faults([Fault::Garbage(token.clone().into_bytes())]);
        call(&world, &client);
    });
    assert!(world.log().len() >= 8, "the calls were retried");
    let all = recorder.all();
    assert!(
        all.iter().any(|seen| !seen.is_own()),
        "other crates trace too"
    );
    for seen in all {
        let shown = format!("{seen:?}");
        assert!(
            !shown.contains(&token) && !shown.contains(SECRET),
            "{shown}"
        );
    }
}

#[test]
fn a_span_of_the_caller_is_unchanged() {
    let world = world();
    let client = client(&world);
    for blind_to in ["", "webflow_cms"] {
        let recorder = Recorder {
            blind_to,
            ..Recorder::default()
        };
        recorder.during(|| {
            let span = tracing::info_span!(
                target: "shop",
                "publish",
                otel.name = Empty,
                http.request.method = Empty,
                http.response.status_code = Empty,
                url.full = Empty,
            );
            span.in_scope(|| call(&world, &client));
        });
        let all = recorder.all();
        let own = all.iter().find(|seen| seen.metadata.target() == "shop");
        assert_eq!(own.expect("a span").fields, Fields::new(), "{blind_to:?}");
    }
}

/// Panics whatever it hears, after the time has.
#[derive(Debug)]
struct Panicking(SdkTime);

impl Observer for Panicking {
    fn attempt_started(&self, started: &AttemptStarted) {
        self.0.attempt_started(started);
        panic!("no room");
    }

    fn attempt_ended(&self, ended: &AttemptEnded) {
        self.0.attempt_ended(ended);
    }
}

#[test]
fn a_panic_of_an_observer_is_an_event() {
    let world = world();
    let builder = builder_in(&world).rate_limiter(RateLimiter::unlimited());
    let client = builder.observer(Panicking(SdkTime(world.time()))).build();
    let (client, collection, batch) = (client.expect("a client"), collection(), one());
    let recorder = Recorder::default();
    let call = world
        .time()
        .caller(client.update(collection, batch.clone()).send());
    let updated = recorder.during(|| world.run(call).expect("time passes"));
    updated.expect("the request goes on");
    let all = recorder.all();
    let errors = all
        .iter()
        .filter(|seen| *seen.metadata.level() == Level::ERROR);
    let texts: Vec<_> = errors.map(|seen| format!("{:?}", seen.fields)).collect();
    assert!(
        matches!(&texts[..], [text] if text.contains("no room") && text.contains("observer")),
        "{texts:?}"
    );
}

#[tokio::test]
async fn a_source_that_blocks_its_thread_is_an_event_once() {
    let client = support::builder("http://127.0.0.1:1/v2", "b7c1d0e2f3a4").build();
    let bulk = client.expect("a client").bulk(collection());
    let updates = one().into_updates().into_iter().cycle().take(3);
    let run = bulk.run(updates.inspect(|_| std::thread::sleep(SECOND * 3 / 20)));
    let run = run.expect("a run");
    let recorder = Recorder {
        blind_to: "hyper",
        ..Recorder::default()
    };
    let _guard = tracing::subscriber::set_default(recorder.clone());
    run.finish().await;
    let all = recorder.all().into_iter();
    let warnings = all.filter(|seen| seen.is_own() && *seen.metadata.level() == Level::WARN);
    let texts: Vec<_> = warnings.map(|seen| format!("{:?}", seen.fields)).collect();
    assert!(
        matches!(&texts[..], [text] if text.contains("blocks its thread")),
        "{texts:?}"
    );
}
