//! Updates any number of CMS items from a file of JSON lines, and accounts for each of them.
//!
//! ```sh
//! cargo run --example bulk_update                 # 2,000 updates, against a model of Webflow that runs inside
//! cargo run --example bulk_update -- --dry-run    # what that would take, without sending anything
//! cargo run --example bulk_update -- --resume     # goes on after Ctrl-C, by the journal
//! cargo run --example bulk_update -- FILE         # your own file, against the same model
//! WEBFLOW_TOKEN=… cargo run --example bulk_update -- --live --collection ID FILE
//! ```
//!
//! Read [`upload`] first: it is what your own program would do. [`input`] makes updates of a file, line by line,
//! [`progress`] shows how far the run is, [`account`] puts into words what came of it, and [`reference`] is there only
//! so that this can run without a site.

mod account;
#[path = "../common/content.rs"]
mod content;
#[path = "../common/entry.rs"]
mod entry;
mod input;
mod made_up;
mod options;
mod progress;
mod reference;
#[path = "../common/site.rs"]
mod site;
#[path = "../common/token.rs"]
mod token;
mod upload;
mod words;

use std::fmt;
use std::fs;
use std::process::ExitCode;

use clap::Parser;
use webflow_cms::bulk::DryRun;
use webflow_cms::{Client, ClientBuilder, CollectionId};

pub(crate) use input::Input;
use options::Files;
pub(crate) use options::{Destination, Options};
use progress::Display;
use reference::Reference;
use upload::{Upload, Uploaded};

/// Why the program ends without an account, for people to read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing was begun, because of how the program was called.
    WrongUse(String),
    Failed(String),
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Ended {
    /// With the number of requests that arrived at the model, if that is where a run would go.
    Planned(DryRun, Option<usize>),
    Ran(Uploaded),
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options, ctrl_c()).await {
        Ok(ended) if ended.is_good() => ExitCode::SUCCESS,
        // A few of the updates that are made up are bad on purpose.
        Ok(ended) if options.file.is_none() && ended.is_as_made_up() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            match failure {
                Failure::WrongUse(_) => ExitCode::from(2),
                Failure::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Is ready when Ctrl-C is pressed, and ends the program when it is pressed again.
async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be heard here, so that it ends the program as it always does.
        return std::future::pending().await;
    }
    tokio::spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("\nended at once; --resume goes on by the journal");
            std::process::exit(1);
        }
    });
}

pub(crate) async fn run(
    options: &Options,
    interrupted: impl Future<Output = ()>,
) -> Result<Ended, Failure> {
    let destination = options.destination()?;
    let pace = options.pace()?;
    let files = prepared(options)?;
    let input = Input::open(&files.input)?;
    let display = Display::new(input.items);
    let (client, collection, mut reference) = match destination {
        Destination::Webflow { token, collection } => (Client::builder(token), collection, None),
        Destination::Reference => on_reference_server(options, &files, &input).await?,
    };
    let client = client.pace(pace).observer(display.observer()).build();
    let client = client.map_err(Failure::failed)?;
    println!(
        "{} from {} to {}",
        words::count(input.items, "update"),
        input.name(),
        client.base_url()
    );
    if reference.is_some() {
        println!("  which is {}", Reference::about());
    }
    let pace = client.pace().clone();
    let upload = Upload {
        client,
        collection,
        options,
        files: &files,
        input: &input,
        display: &display,
    };
    if options.dry_run {
        let plan = upload.plan().await?;
        println!("{}", account::of_plan(&plan, &input, pace.interval()));
        let arrived = reference.as_ref().map(Reference::requests);
        if let Some(arrived) = arrived {
            println!(
                "{} arrived at the model",
                words::count(arrived as u64, "request")
            );
        }
        return Ok(Ended::Planned(plan, arrived));
    }
    println!("  journal: {}\n", files.journal.display());
    let seen = |outcome: &_| {
        if let Some(reference) = &mut reference {
            reference.expect(outcome);
        }
    };
    let uploaded = upload.run(interrupted, seen).await?;
    println!("{}", account::of_run(&uploaded, &input, &files, options));
    if let Some(reference) = reference {
        println!("\n{}", reference.compare()?);
    }
    Ok(Ended::Ran(uploaded))
}

/// Names the files, and makes the input if none is given.
fn prepared(options: &Options) -> Result<Files, Failure> {
    let files = options.files();
    if options.file.is_none() {
        made_up::write(&files.input, options.items)
            .map_err(|error| Failure::WrongUse(format!("{}: {error}", files.input.display())))?;
    }
    if options.dry_run {
        return Ok(files);
    }
    if options.file.is_none() && !options.resume {
        let earlier = options.usual_files();
        for file in [earlier.journal, earlier.dead_letters] {
            // Nobody misses what is left of an earlier run with made-up updates, least of all if there was none.
            let _ = fs::remove_file(file);
        }
    }
    files.check(options.resume)?;
    Ok(files)
}

async fn on_reference_server(
    options: &Options,
    files: &Files,
    input: &Input,
) -> Result<(ClientBuilder, CollectionId, Option<Reference>), Failure> {
    let collection = site::collection().map_err(Failure::failed)?;
    let parameters = upload::parameters(options, collection);
    let journal = match options.resume {
        true => Some(reference::journal(&files.journal, &parameters)?),
        false => None,
    };
    let reference = Reference::start(input.read()?, journal).await?;
    Ok((
        reference.client().map_err(Failure::failed)?,
        collection,
        Some(reference),
    ))
}

impl Ended {
    /// Whether every item is updated, or could be.
    pub(crate) fn is_good(&self) -> bool {
        match self {
            Self::Planned(plan, arrived) => {
                plan.faults + plan.in_doubt == 0 && arrived.is_none_or(|requests| requests == 0)
            }
            Self::Ran(uploaded) => uploaded.report.is_complete(),
        }
    }

    /// Whether the run came to its end and every item is either updated or was found to be bad.
    pub(crate) fn is_as_made_up(&self) -> bool {
        match self {
            Self::Planned(..) => false,
            Self::Ran(Uploaded { report, .. }) => {
                report.stopped.is_none() && report.counts.not_attempted + report.counts.unknown == 0
            }
        }
    }
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    fn wrong_use(error: impl fmt::Display) -> Self {
        Self::WrongUse(error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::WrongUse(text) | Self::Failed(text)) = self;
        formatter.write_str(text)
    }
}
