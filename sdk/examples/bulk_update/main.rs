//! Updates any number of CMS items from a file of JSON lines, and accounts for each of them.
//!
//! ```sh
//! cargo run --example bulk_update                 # 2,000 updates, against a model of Webflow that runs inside
//! cargo run --example bulk_update -- --dry-run    # what that would take, without sending anything
//! cargo run --example bulk_update -- FILE         # your own file, against the same model; - is standard input
//! WEBFLOW_TOKEN=… cargo run --example bulk_update -- --live --collection ID FILE
//! ```
//!
//! After Ctrl-C, or whatever ended it, the same command goes on.
//!
//! Read [`upload`] first: it is what your own program would do. [`input`] reads updates of a file or a pipe, row by
//! row, [`dead_letters`] keeps what was not updated, [`progress`] and [`told`] say how far the run is, [`account`] puts into
//! words what came of it, and [`reference`] is there only so that this can run without a site.

mod account;
#[path = "../common/console.rs"]
mod console;
#[path = "../common/content.rs"]
mod content;
mod dead_letters;
#[path = "../common/entry.rs"]
mod entry;
mod files;
mod input;
mod made_up;
mod options;
mod progress;
mod reference;
mod shell;
mod signals;
#[path = "../common/site.rs"]
mod site;
#[path = "../common/token.rs"]
mod token;
mod told;
mod upload;
mod words;

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use webflow_cms::{Client, ClientBuilder, CollectionId};

use files::Files;
use input::Input;
use options::{Destination, Options};
use progress::Display;
use reference::Reference;
use upload::{Upload, Uploaded};

/// Why the program ends without an account, for people to read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was begun.
    WrongUse(String),
    Failed(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            console::tell(&format!("error: {failure}"));
            match failure {
                Failure::WrongUse(_) => ExitCode::from(2),
                Failure::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Whether every item is updated, or could be.
async fn run(options: &Options) -> Result<bool, Failure> {
    let destination = options.destination()?;
    let files = options.files();
    let display = Display::new();
    let mut input = opened(options, &files)?;
    let is_to_reference = matches!(destination, Destination::Reference);
    if is_to_reference && !options.dry_run {
        input.keep(&display)?;
    }
    input.count(&display)?;
    if options.dry_run {
        let (client, collection) = match destination {
            Destination::Webflow { token, collection } => (Client::builder(token), collection),
            // Nobody is asked anything.
            Destination::Reference => (reference::nowhere()?, reference::collection()?),
        };
        let upload = upload(client, collection, options, &files, &display)?;
        return plan(&upload, &mut input).await;
    }
    let (client, collection, reference) = match destination {
        Destination::Webflow { token, collection } => (Client::builder(token), collection, None),
        Destination::Reference => {
            let collection = reference::collection()?;
            let reference = Reference::start(&mut input, &files, options, &display).await?;
            (reference.client()?, collection, Some(reference))
        }
    };
    let upload = upload(client, collection, options, &files, &display)?;
    send(&upload, &mut input, reference).await
}

/// Opens the input, and makes it if none is named.
fn opened(options: &Options, files: &Files) -> Result<Input, Failure> {
    let path = options.input();
    if options.file.is_some() {
        files.check(&path)?;
        return Input::open(&path);
    }
    if options.dry_run {
        return Ok(Input::made_up(options.items));
    }
    make_up(&path, options.items)
        .map_err(|error| Failure::WrongUse(format!("{}: {error}", path.display())))?;
    files.check(&path)?;
    Input::open(&path)
}

fn make_up(path: &Path, updates: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    io::copy(&mut made_up::MadeUp::new(updates), &mut File::create(path)?).map(drop)
}

fn upload<'a>(
    client: ClientBuilder,
    collection: CollectionId,
    options: &'a Options,
    files: &'a Files,
    display: &'a Display,
) -> Result<Upload<'a>, Failure> {
    let client = client
        .rate_limiter(options.rate_limiter()?)
        .observer(display.observer());
    Ok(Upload {
        client: client.build().map_err(Failure::wrong_use)?,
        collection,
        options,
        files,
        display,
    })
}

async fn plan(upload: &Upload<'_>, input: &mut Input) -> Result<bool, Failure> {
    let updates = input.updates()?;
    say(&what(input))?;
    let reading = updates.reading.clone();
    let unreadable = Arc::<AtomicU64>::default();
    let (counted, place) = (unreadable.clone(), reading.clone());
    let display = upload.display.clone();
    let list = move |row: &_| {
        counted.fetch_add(1, Ordering::Relaxed);
        // A list that nobody reads to its end is no reason to end.
        let _ = display.print(&place.unreadable(row));
    };
    let plan = upload.plan(updates, list).await?;
    let rate_limiter = upload.client.rate_limiter().interval();
    let unreadable = unreadable.load(Ordering::Relaxed);
    say(&account::of_plan(&plan, unreadable, &reading, rate_limiter)).map_err(Failure::too_late)?;
    Ok(plan.faults + plan.in_doubt == 0 && reading.is_complete())
}

async fn send(
    upload: &Upload<'_>,
    input: &mut Input,
    mut reference: Option<Reference>,
) -> Result<bool, Failure> {
    let updates = input.updates()?;
    say(&format!("{} to {}", what(input), upload.client.base_url()))?;
    if reference.is_some() {
        say(&format!("  which is {}", Reference::about()))?;
    }
    let (files, options) = (upload.files, upload.options);
    say(&format!("  journal: {}\n", files.journal.display()))?;
    let seen = |outcome: &_| {
        if let Some(reference) = &mut reference {
            reference.expect(outcome);
        }
    };
    let uploaded = upload.run(updates, signals::asked_to_end(), seen).await?;
    let account = account::of_run(&uploaded, files, options);
    if let Err(failure) = say(&account) {
        console::tell(&account);
        return Err(failure.too_late());
    }
    if let Some(reference) = reference {
        say(&format!("\n{}", reference.compare()?)).map_err(Failure::too_late)?;
    }
    if options.file.is_none() && is_as_made_up(&uploaded) {
        // The next run with made-up updates begins anew.
        let _ = fs::remove_file(&files.journal);
        return Ok(true);
    }
    Ok(uploaded.is_complete())
}

/// Whether the run came to its end, and every item is updated or was found to be bad. A few of the updates that are
/// made up are bad on purpose.
fn is_as_made_up(
    Uploaded {
        report, reading, ..
    }: &Uploaded,
) -> bool {
    reading.is_complete()
        && report.stopped.is_none()
        && report.counts.not_attempted + report.counts.unknown == 0
}

fn what(input: &Input) -> String {
    let name = input.name();
    match input.rows() {
        Some(rows) => format!("{} from {name}", words::count(rows, "update")),
        None => format!("updates from {name}"),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    console::print(text).map_err(Failure::wrong_use)
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn wrong_use(error: impl fmt::Display) -> Self {
        Self::WrongUse(error.to_string())
    }

    /// Something was done before.
    fn too_late(self) -> Self {
        let (Self::WrongUse(text) | Self::Failed(text)) = self;
        Self::Failed(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::WrongUse(text) | Self::Failed(text)) = self;
        formatter.write_str(text)
    }
}
