//! Updates any number of CMS items from a JSON Lines file and reports the status of each.
//!
//! ```sh
//! cargo run --example bulk_update                 # 2,000 updates of the embedded reference server
//! cargo run --example bulk_update -- --dry-run    # requests and time for that; sends nothing
//! cargo run --example bulk_update -- FILE         # your own file, on the same server; - is standard input
//! WEBFLOW_TOKEN=… cargo run --example bulk_update -- --live --collection ID FILE
//! ```
//!
//! After Ctrl-C or a kill, the same command resumes the run.
//!
//! Read [`upload`] first: your own program would do the same. [`input`] reads the updates from a file or a pipe, row by
//! row. [`dead_letters`] writes the rows that were not updated. [`progress`] and [`notices`] print during the run, and
//! [`summary`] after it. [`reference`] exists only so that the example runs without a Webflow site.

mod console;
mod content;
mod dead_letters;
mod entry;
mod files;
mod format;
mod generated;
mod input;
mod notices;
mod options;
mod progress;
mod reference;
mod shell;
mod signals;
mod site;
mod summary;
mod token;
mod upload;

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

/// Why the program ends without a summary, for people to read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was sent: the arguments, the input or the files are at fault.
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

/// Returns whether every item is updated or, in a dry run, can be sent.
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
            // A dry run sends nothing.
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

/// Opens the input, or generates one if no file is given.
fn opened(options: &Options, files: &Files) -> Result<Input, Failure> {
    let path = options.input();
    if options.file.is_some() {
        files.check(&path)?;
        return Input::open(&path);
    }
    if options.dry_run {
        return Ok(Input::generated(options.items));
    }
    generate(&path, options.items)
        .map_err(|error| Failure::WrongUse(format!("{}: {error}", path.display())))?;
    files.check(&path)?;
    Input::open(&path)
}

fn generate(path: &Path, updates: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    io::copy(
        &mut generated::Generated::new(updates),
        &mut File::create(path)?,
    )
    .map(drop)
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
    say(&heading(input))?;
    let reading = updates.reading.clone();
    let invalid = Arc::<AtomicU64>::default();
    let (counted, place) = (invalid.clone(), reading.clone());
    let display = upload.display.clone();
    let list = move |row: &_| {
        counted.fetch_add(1, Ordering::Relaxed);
        // A reader such as `head` may close the output early.
        let _ = display.print(&place.invalid(row));
    };
    let plan = upload.plan(updates, list).await?;
    let limit = upload.client.rate_limiter().limit();
    let invalid = invalid.load(Ordering::Relaxed);
    say(&summary::of_plan(&plan, invalid, &reading, limit)).map_err(Failure::too_late)?;
    Ok(plan.errors + plan.unknown == 0 && reading.is_complete())
}

async fn send(
    upload: &Upload<'_>,
    input: &mut Input,
    mut reference: Option<Reference>,
) -> Result<bool, Failure> {
    let updates = input.updates()?;
    say(&format!(
        "{} to {}",
        heading(input),
        upload.client.base_url()
    ))?;
    if reference.is_some() {
        say(&format!("  {}", Reference::about()))?;
    }
    let (files, options) = (upload.files, upload.options);
    say(&format!("  journal: {}\n", files.journal.display()))?;
    let on_outcome = |outcome: &_| {
        if let Some(reference) = &mut reference {
            reference.expect(outcome);
        }
    };
    let uploaded = upload
        .run(updates, signals::end_requested(), on_outcome)
        .await?;
    let summary = summary::of_run(&uploaded, files, options);
    if let Err(failure) = say(&summary) {
        console::tell(&summary);
        return Err(failure.too_late());
    }
    if let Some(reference) = reference {
        say(&format!("\n{}", reference.compare()?)).map_err(Failure::too_late)?;
    }
    if options.file.is_none() && is_as_generated(&uploaded) {
        // The next run with generated updates starts from the beginning.
        let _ = fs::remove_file(&files.journal);
        return Ok(true);
    }
    Ok(uploaded.is_complete())
}

/// Whether every generated update is updated or rejected. A few of them are invalid on purpose.
fn is_as_generated(
    Uploaded {
        report, reading, ..
    }: &Uploaded,
) -> bool {
    reading.is_complete()
        && report.stop_reason.is_none()
        && report.counts.not_attempted + report.counts.unknown == 0
}

fn heading(input: &Input) -> String {
    let name = input.name();
    match input.rows() {
        Some(rows) => format!("{} from {name}", format::count(rows, "update")),
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

    /// The same failure after something was sent.
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
