//! Bulk runs that are killed, and resumed from their journal.
#![cfg(unix)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{COLLECTION, builder, collection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use webflow_cms::bulk::{Bulk, ItemStatus, Outcome};
use webflow_cms::{ItemId, ItemUpdate, RetryPolicy};
use webflow_cms_reference::{
    Exchange, Fault, FaultyServer, Model, ReferenceServer, Reply, Step, Variant,
};

/// Tells the test that it is the process to be killed: the server's base URL, its token, and the journal.
const VICTIM: &str = "WEBFLOW_CMS_BULK_VICTIM";
const NAME: &str = "a_run_that_is_killed_again_and_again_comes_to_what_it_would_have_come_to";

/// How many kills there are; 10 unless set.
const KILLS: &str = "WEBFLOW_CMS_KILLS";

const UPDATES: u64 = 700;

/// Which item the update at a place of the input is about: every tenth is about one that has just been updated.
fn item_of(index: u64) -> u64 {
    if index % 10 == 9 { index - 6 } else { index }
}

fn is_bad(index: u64) -> bool {
    item_of(index) % 103 == 41
}

fn id(number: u64) -> String {
    format!("66f6ed95{number:016x}")
}

/// The updates say of themselves where in the input they are, so that the log of the wire can be read.
fn updates(count: u64) -> impl Iterator<Item = ItemUpdate> {
    (0..count).map(|index| {
        let id = ItemId::new(id(item_of(index))).expect("an id");
        ItemUpdate::new(id).field("mark", &index).expect("a field")
    })
}

fn model(count: u64) -> Model {
    (0..count).fold(Model::new(), |model, index| {
        let id = id(item_of(index));
        let model = model.insert(COLLECTION, &id, None, Variant::named("a", "a"));
        if is_bad(index) {
            model.reject(COLLECTION, &id, None)
        } else {
            model
        }
    })
}

async fn serve(count: u64) -> FaultyServer {
    let core = ReferenceServer::builder().model(model(count)).build();
    FaultyServer::serve(core).await.expect("a port")
}

fn bulk(base_url: &str, token: &str) -> Bulk {
    let milliseconds = Duration::from_millis;
    let client = builder(base_url, token)
        .retry(
            RetryPolicy::new()
                .backoff(milliseconds(2), milliseconds(20))
                .expect("a policy"),
        )
        .build()
        .expect("a client");
    client.bulk(collection()).resend_unknown(true)
}

/// The places of the input that a request is about.
fn marks(exchange: &Exchange) -> Vec<u64> {
    let items = exchange.json.as_ref().and_then(|body| body.get("items"));
    let items = items.and_then(Value::as_array).expect("a list of items");
    let mark = |item: &Value| item["fieldData"]["mark"].as_u64().expect("a mark");
    items.iter().map(mark).collect()
}

fn assert_same_content(one: &Model, other: &Model) {
    let others: BTreeMap<_, _> = other.variants().collect();
    assert_eq!(one.variants().count(), others.len());
    for (key, variant) in one.variants() {
        assert!(variant.same_content(others[&key]), "{key:?}: {variant:?}");
    }
}

/// What a journal says, read without the crate.
#[derive(Default)]
struct Account {
    /// How often each item was sent.
    sent: BTreeMap<u64, u64>,
    open: BTreeMap<u64, u64>,
    unknown: BTreeSet<u64>,
    /// Whether it is updated; if not, it was rejected.
    settled: BTreeMap<u64, bool>,
}

impl Account {
    fn read(path: &Path) -> Self {
        let mut account = Self::default();
        let text = fs::read(path).unwrap_or_default();
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        for line in text[..whole].split(|byte| *byte == b'\n').skip(1) {
            account.line(&serde_json::from_slice(line).expect("a line of JSON"));
        }
        account
    }

    fn line(&mut self, line: &Value) {
        let indices = |value: &Value| {
            let spans: Vec<(u64, u64)> = serde_json::from_value(value.clone()).unwrap_or_default();
            spans.into_iter().flat_map(|(first, last)| first..=last)
        };
        for index in indices(&line["sent"]["indices"]) {
            *self.sent.entry(index).or_default() += 1;
            *self.open.entry(index).or_default() += 1;
        }
        for index in indices(&line["unsent"]) {
            *self.open.get_mut(&index).expect("it was sent") -= 1;
        }
        if let Some(index) = line["unknown"]["index"].as_u64() {
            self.unknown.insert(index);
        }
        let rejected = line["rejected"]["index"]
            .as_u64()
            .map(|index| (index, false));
        let updated = indices(&line["updated"]).map(|index| (index, true));
        for (index, updated) in updated.chain(rejected) {
            let before = self.settled.insert(index, updated);
            assert_eq!(before, None, "item {index} has a second status");
        }
    }

    fn is_unknown(&self, index: u64) -> bool {
        let open = self.open.get(&index).is_some_and(|open| *open > 0);
        !self.settled.contains_key(&index) && (open || self.unknown.contains(&index))
    }
}

/// The run that is killed: says the status of each item as it is known.
async fn victim(told: &str) {
    let [base_url, token, path] = told.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}");
    };
    let bulk = bulk(base_url, token).journal(path);
    let mut run = bulk.run(updates(UPDATES)).expect("a run");
    while let Some(outcome) = run.next().await {
        println!("\nsaid {} {}", outcome.index, word(&outcome));
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome.status {
        ItemStatus::Updated(_) => "updated",
        ItemStatus::AlreadyUpdated => "updated-before",
        ItemStatus::Rejected(_) => "rejected",
        ItemStatus::AlreadyRejected(_) => "rejected-before",
        _ => "open",
    }
}

/// What a run has said of the items, which it has said once of each at the most.
fn said(words: &Path) -> BTreeMap<u64, String> {
    let text = fs::read_to_string(words).expect("its words");
    let mut said = BTreeMap::new();
    // The last line may be torn.
    let whole = text.rfind('\n').unwrap_or(0);
    for line in text[..whole].lines() {
        if let Some((index, word)) = line
            .strip_prefix("said ")
            .and_then(|line| line.split_once(' '))
        {
            let before = said.insert(index.parse().expect("a place"), word.to_owned());
            assert_eq!(before, None, "{line} comes twice");
        }
    }
    said
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process is killed in its own time"
)]
async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Runs once, in a process of its own that is killed when it has sent so many requests and so much time has passed.
async fn run(
    server: &FaultyServer,
    files: (&Path, &Path),
    kill: Option<(usize, Duration)>,
) -> ExitStatus {
    let (journal, words) = files;
    let told = format!(
        "{} {} {}",
        server.base_url(),
        server.token(),
        journal.display()
    );
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, told)
        .stdout(File::create(words).expect("a file"))
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let requests = || server.core().read_log(<[_]>::len);
    let before = requests();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if let Some((sent, then)) = kill
            && requests() >= before + sent
        {
            sleep(then).await;
            // It may have ended by now, which its status tells.
            let _ = child.kill();
            return child.wait().expect("a child");
        }
        sleep(Duration::from_micros(500)).await;
    }
}

/// Waits until the server has acted on all that was sent. Connections are accepted in their order, so when one of ours
/// is through, none that came before it waits. It takes a fault, so it may be reset.
async fn settle_down(server: &FaultyServer) {
    let url = server.base_url();
    let address = url.trim_start_matches("http://").trim_end_matches("/v2");
    if let Ok(mut last) = TcpStream::connect(address).await {
        let _ = last.shutdown().await;
        let _ = last.read(&mut [0]).await;
    }
    while server.connections() > 0 {
        sleep(Duration::from_micros(500)).await;
    }
}

/// What goes wrong at the server: mostly nothing.
fn inject(server: &FaultyServer, random: &mut fastrand::Rng) {
    let milliseconds = |seed| Duration::from_micros(fastrand::Rng::with_seed(seed).u64(..4_000));
    let seed = random.u64(..);
    server.latency(move |number| {
        let seed = seed.wrapping_add(number as u64);
        (milliseconds(seed), milliseconds(!seed))
    });
    server.inject((0..150).map(|_| match random.u32(..20) {
        0 => Fault::ResetBeforeReading,
        1 => Fault::ResetBeforeActing,
        2 => Fault::ResetAfterActing,
        3 => Fault::ClosedInBody {
            after: random.usize(..500),
        },
        _ => Fault::None,
    }));
    let documented = |status| Reply::documented(status).expect("documented");
    server
        .core()
        .script((0..100).map(|_| match random.u32(..20) {
            0 => documented(429).header("retry-after", "0").into(),
            1 => documented(500).into(),
            2 => Reply::new(503).into(),
            _ => Step::Model,
        }));
}

/// One input, from nothing to where every item is settled, with so many kills at the most. How many there were.
async fn killed_again_and_again(seed: u64, kills: usize, whole: &Model) -> usize {
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, words) = (folder.path().join("journal"), folder.path().join("words"));
    let server = serve(UPDATES).await;
    inject(&server, &mut random);
    let (mut killed, mut in_search, mut in_retry) = (0, 0, 0);
    let mut before = Account::default();
    // Of each time that an update was applied, whether another one may follow.
    let mut applied = BTreeMap::<u64, Vec<bool>>::new();
    for round in 0.. {
        assert!(round < 100 + kills, "it comes to no end");
        let sent = random.usize(..8);
        let longest = if sent == 0 { 100_000 } else { 12_000 };
        let then = Duration::from_micros(random.u64(..longest));
        let first = server.core().read_log(<[_]>::len);
        let kill = (killed < kills).then_some((sent, then));
        let status = run(&server, (&journal, &words), kill).await;
        let by_itself = status.success();
        assert!(by_itself || kill.is_some(), "{status}");
        killed += usize::from(!by_itself);
        settle_down(&server).await;

        let account = Account::read(&journal);
        let log = server.log();
        if let Some(last) = log[first..].last().filter(|_| !by_itself) {
            let failed = |reply: &Reply| reply.status.is_server_error() || reply.status == 429;
            in_search += usize::from(marks(last).len() < 100);
            in_retry += usize::from(last.fault != Fault::None || last.reply.iter().any(failed));
        }
        let mut times = BTreeMap::<u64, u64>::new();
        for (number, exchange) in log.iter().enumerate() {
            let marks = marks(exchange);
            marks
                .iter()
                .for_each(|index| *times.entry(*index).or_default() += 1);
            if number < first {
                continue;
            }
            assert!(exchange.violations.is_empty(), "{exchange}");
            for index in marks {
                let settled = before.settled.get(&index);
                assert_eq!(settled, None, "item {index} has a status and was resent");
                if exchange.applied > 0 {
                    let doubted = !by_itself && account.is_unknown(index);
                    let may_be = exchange.fault != Fault::None || doubted;
                    applied.entry(index).or_default().push(may_be);
                }
            }
        }
        for (index, times) in &times {
            let recorded = account.sent.get(index).copied().unwrap_or(0);
            assert!(
                *times <= recorded,
                "item {index}: {times} times sent, {recorded} recorded"
            );
        }
        let said = said(&words);
        for (index, word) in &said {
            let updated = account.settled.get(index).copied();
            let known = match word.as_str() {
                "updated" | "updated-before" => updated == Some(true),
                "rejected" | "rejected-before" => updated == Some(false),
                _ => updated.is_none(),
            };
            assert!(known, "item {index} is said to be {word}: {updated:?}");
            let old = before.settled.contains_key(index);
            assert_eq!(old, word.ends_with("-before"), "item {index}: {word}");
        }
        before = account;
        if by_itself {
            assert!(said.keys().copied().eq(0..UPDATES), "all come out");
            if said.values().all(|word| word != "open") {
                break;
            }
        }
    }
    for index in 0..UPDATES {
        let updated = before.settled.get(&index).copied();
        assert_eq!(updated, Some(!is_bad(index)), "item {index}");
    }
    for (index, applied) in &applied {
        let (_, repeated) = applied.split_last().expect("one at the least");
        assert!(
            repeated.iter().all(|may_be| *may_be),
            "item {index} is updated again, of which was known that it is"
        );
    }
    assert_same_content(&server.model(), whole);
    let again = applied.values().filter(|applied| applied.len() > 1).count();
    println!(
        "seed {seed}: {killed} kills, {in_search} of them with a part of a refused batch as the last that was sent, \
         {in_retry} with one that failed; {} requests; {again} of {UPDATES} updates were applied more than once",
        server.log().len()
    );
    killed
}

/// Unknown items are resent. An item with a status is not resent, and each other item gets exactly one status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_killed_again_and_again_comes_to_what_it_would_have_come_to() {
    if let Ok(told) = env::var(VICTIM) {
        return victim(&told).await;
    }
    let server = serve(UPDATES).await;
    let run = bulk(&server.base_url(), &server.token()).run(updates(UPDATES));
    let report = run.expect("a run").finish().await;
    let bad = (0..UPDATES).filter(|index| is_bad(*index)).count() as u64;
    assert_eq!(report.counts.rejected, bad, "{report}");
    assert_eq!(report.counts.updated, UPDATES - bad, "{report}");
    let whole = server.model();

    let kills = env::var(KILLS).map_or(10, |kills| kills.parse().expect("a number"));
    let (mut killed, mut seed) = (0, 1);
    while killed < kills {
        killed += killed_again_and_again(seed, 20.min(kills - killed), &whole).await;
        seed += 1;
    }
}
