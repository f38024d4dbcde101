//! Updates CMS items from a file of JSON lines, as many a request as Webflow takes.
//!
//! ```sh
//! cargo run --example update_items                # 250 updates, against a model of Webflow that runs inside
//! cargo run --example update_items -- FILE        # your own file, against the same model
//! WEBFLOW_TOKEN=… cargo run --example update_items -- --live --collection ID FILE
//! ```
//!
//! Read [`upload`] first: it is what your own program would do. [`input`] makes item updates of JSON lines, [`advice`]
//! puts an error into words, and [`reference`] is there only so that this can run without a site.

mod advice;
#[path = "../common/console.rs"]
mod console;
#[path = "../common/content.rs"]
mod content;
#[path = "../common/entry.rs"]
mod entry;
mod input;
mod options;
mod reference;
#[path = "../common/site.rs"]
mod site;
#[path = "../common/token.rs"]
mod token;
mod upload;

use std::fs::File;
use std::io::{self, BufReader};
use std::process::ExitCode;

use clap::Parser;
use webflow_cms::{Client, CollectionId};

use input::Line;
use options::{Destination, Options};
use reference::Reference;
use upload::Upload;

/// Why the program ends early, for people to read.
type Failure = Box<dyn std::error::Error>;

/// The updates that are sent when no file is named.
const OWN_FILE: &str = include_str!("../items.jsonl");

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            console::tell(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Failure> {
    let destination = options.destination()?;
    let lines = read(options)?;
    match destination {
        Destination::Webflow { token, collection } => {
            send(&lines, Client::new(token)?, collection, options).await
        }
        Destination::Reference => on_the_reference_server(&lines, options).await,
    }
}

fn read(options: &Options) -> Result<Vec<Line>, Failure> {
    let name = options.file_name();
    Ok(match &options.file {
        Some(path) if path.as_os_str() == "-" => input::read(&name, io::stdin().lock())?,
        Some(path) => {
            let file = File::open(path).map_err(|error| format!("{name}: {error}"))?;
            input::read(&name, BufReader::new(file))?
        }
        None => input::read(&name, OWN_FILE.as_bytes())?,
    })
}

async fn on_the_reference_server(lines: &[Line], options: &Options) -> Result<(), Failure> {
    let reference = Reference::start(lines, options.reject).await?;
    console::print("a model of Webflow holds the items with older content")?;
    send(lines, reference.client()?, site::collection()?, options).await?;
    reference.compare()?;
    reference.print_samples(lines)?;
    Ok(())
}

async fn send(
    lines: &[Line],
    client: Client,
    collection: CollectionId,
    options: &Options,
) -> Result<(), Failure> {
    let (file, base_url) = (options.file_name(), client.base_url());
    console::print(&format!(
        "{} updates from {file} to {base_url}",
        lines.len()
    ))?;
    let upload = Upload {
        client,
        collection,
        skip_invalid_files: options.skip_invalid_files,
    };
    upload.send(lines).await
}
