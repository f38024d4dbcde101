//! `cargo xtask bench memory`: how much memory a bulk run takes, how fast it is, and how large its journal gets.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use webflow_cms::{
    Client, CollectionId, ItemId, ItemUpdate, RateLimiter, RetryPolicy, Token, reqwest,
};

const COLLECTION: &str = "580e63fc8c9a982ac9b8b745";
const TOKEN: &str = "nobody";

/// What a run may take, in KiB, however many items it is about.
const MOST: u64 = 32 * 1024;
/// How much more a million items may take than 20,000.
const MOST_GROWTH: f64 = 1.25;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("the memory of a process is read from /proc, which is only on Linux");
        return Ok(());
    }
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["server"] => served(serve()),
        ["run", base_url, items, journal] => served(run(base_url, items.parse()?, Some(journal))),
        ["run", base_url, items] => served(run(base_url, items.parse()?, None)),
        ["by-hand", base_url, items] => served(by_hand(base_url, items.parse()?)),
        _ => compare(),
    }
}

fn served(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(work)
}

/// About a kilobyte, as an article has it.
#[derive(Serialize)]
struct Article {
    name: String,
    slug: String,
    summary: String,
    body: String,
    price: f64,
    tags: [String; 3],
    featured: bool,
    author: String,
}

fn article(number: u64) -> Article {
    let sentence = format!("Number {number} of the lamps is made of brass, glass and patience. ");
    Article {
        name: format!("Lamp {number}"),
        slug: format!("lamp-{number}"),
        summary: sentence.clone(),
        body: format!("<p>{}</p>", sentence.repeat(10)),
        price: 99.5,
        tags: [number, number + 1, number + 2].map(|tag| format!("66f6ed96{tag:016x}")),
        featured: number.is_multiple_of(2),
        author: format!("66f6ed97{number:016x}"),
    }
}

fn id(number: u64) -> String {
    format!("66f6ed95{number:016x}")
}

/// What a process that does the work says of itself at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    peak_kib: u64,
    cpu_seconds: f64,
    seconds: f64,
    journal: u64,
}

fn tell(began: Instant, journal: u64) -> Result<()> {
    let told = Told {
        peak_kib: peak_kib()?,
        cpu_seconds: cpu_seconds()?,
        seconds: began.elapsed().as_secs_f64(),
        journal,
    };
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

fn peak_kib() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(peak
        .and_then(|peak| peak.split_whitespace().next())
        .ok_or("no VmHWM")?
        .parse()?)
}

/// User and system time; Linux counts it in hundredths of a second.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').ok_or("no process")?;
    let times = rest.split_whitespace().skip(11).take(2);
    let times: Vec<f64> = times
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    Ok(times.iter().sum::<f64>() / 100.0)
}

#[expect(clippy::disallowed_methods, reason = "it is time that is measured")]
fn now() -> Instant {
    Instant::now()
}

async fn run(base_url: &str, items: u64, journal: Option<&str>) -> Result<()> {
    let client = Client::builder(Token::new(TOKEN)?)
        .base_url(base_url)
        .http(reqwest::Client::builder().no_proxy())
        .retry(RetryPolicy::disabled())
        .rate_limiter(RateLimiter::unlimited())
        .build()?;
    let mut bulk = client.bulk(CollectionId::new(COLLECTION)?);
    if let Some(journal) = journal {
        bulk = match fs::exists(journal)? {
            true => bulk.journal(journal),
            false => bulk.journal(journal),
        };
    }
    let updates = (0..items).map(|number| {
        let update = ItemUpdate::new(ItemId::new(id(number)).expect("an id"));
        update.fields(article(number)).expect("fields")
    });
    let began = now();
    let mut run = bulk.run(updates)?;
    let mut updated = 0;
    while let Some(outcome) = run.next().await {
        updated += u64::from(outcome.is_updated());
    }
    if updated != items {
        return Err(format!("{updated} of {items} items are updated").into());
    }
    let size = journal.map_or(Ok(0), |path| fs::metadata(path).map(|file| file.len()));
    tell(began, size?)
}

/// The loop that one writes without the crate: no journal, no account, and an answer that is believed.
async fn by_hand(base_url: &str, items: u64) -> Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        id: String,
        field_data: Article,
    }
    #[derive(Serialize)]
    struct Body {
        items: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Answer {
        items: Vec<serde_json::Value>,
    }
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{base_url}/collections/{COLLECTION}/items");
    let began = now();
    let mut next = 0;
    while next < items {
        let end = items.min(next + 100);
        let entry = |number| Entry {
            id: id(number),
            field_data: article(number),
        };
        let body = Body {
            items: (next..end).map(entry).collect(),
        };
        let answer = client
            .patch(&url)
            .bearer_auth(TOKEN)
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&body)?)
            .send()
            .await?
            .error_for_status()?;
        let answer: Answer = serde_json::from_slice(&answer.bytes().await?)?;
        if answer.items.len() != body.items.len() {
            return Err("an item is missing".into());
        }
        next = end;
    }
    tell(began, 0)
}

/// A server that gives back what it is sent, which is what an answer that has all items looks like.
async fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}/v2", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move { echo(stream).await.map_err(|error| error.to_string()) });
    }
}

async fn echo(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = tokio::io::BufReader::with_capacity(64 * 1024, stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let header = line.trim_end().to_ascii_lowercase();
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if header.is_empty() {
                break;
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
    }
}

/// A process that is ended when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str]) -> Result<(Process, String)> {
    let mut process = Command::new(env::current_exe()?)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = process.stdout.take().ok_or("no output")?;
    let process = Process(process);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok((process, line.trim().to_owned()))
}

fn compare() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("journal");
    let (_server, base_url) = start(&["server"])?;
    println!(
        "{:<24} {:>9}  {:>8}  {:>9}  {:>11}  journal",
        "", "items", "peak MiB", "items / s", "CPU µs/item"
    );
    let row = |name: &str, mode: &str, items: u64, with_journal: bool| -> Result<Told> {
        let count = items.to_string();
        let journal = journal.to_string_lossy();
        let mut arguments = vec![mode, &base_url, &count];
        if with_journal {
            arguments.push(&journal);
        }
        let (_process, told) = start(&arguments)?;
        let told: Told = serde_json::from_str(&told)?;
        let [items_f, journal] = [items, told.journal].map(|number| number as f64);
        println!(
            "{name:<24} {items:>9}  {:>8.1}  {:>9.0}  {:>11.1}  {:.1} MB",
            told.peak_kib as f64 / 1024.0,
            items_f / told.seconds,
            told.cpu_seconds * 1e6 / items_f,
            journal / 1e6,
        );
        Ok(told)
    };
    let hand = row("by hand", "by-hand", 100_000, false)?;
    let bare = row("a run without journal", "run", 100_000, false)?;
    let few = row("a run", "run", 20_000, true)?;
    fs::remove_file(&journal)?;
    let some = row("a run", "run", 100_000, true)?;
    fs::remove_file(&journal)?;
    let many = row("a run", "run", 1_000_000, true)?;
    let resumed = row("the same, resumed", "run", 1_000_000, true)?;
    let growth = many.peak_kib as f64 / few.peak_kib as f64;
    println!("\n1,000,000 items take {growth:.2} times the memory of 20,000");
    println!(
        "CPU of a run to that by hand: {:.2} without a journal, {:.2} with it",
        bare.cpu_seconds / hand.cpu_seconds,
        some.cpu_seconds / hand.cpu_seconds
    );
    if growth > MOST_GROWTH || many.peak_kib.max(resumed.peak_kib) > MOST {
        return Err(
            format!("{MOST} KiB, and {MOST_GROWTH} times as much, is what is allowed").into(),
        );
    }
    Ok(())
}
