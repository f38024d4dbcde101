//! The command line.

use std::path::PathBuf;

use clap::Parser;
use webflow_cms::{CollectionId, RateLimiter, Token};

use super::files::Files;
use super::{Failure, token};

/// Updates any number of CMS items from a file of JSON lines, and accounts for each of them.
///
/// Without --live the updates go to a model of Webflow that runs inside, has a rate limit, and breaks connections on
/// purpose. It is compared with the account at the end.
///
/// The run is recorded in a journal. The same command again goes on with it, whatever ended the run: what is updated is
/// not sent again, and rows may be corrected, added and left out meanwhile.
///
/// Ctrl-C, SIGTERM and SIGHUP end the run with a full account. A second one ends it at once.
#[derive(Parser)]
#[command(name = "bulk_update", version, after_help = EXIT_CODES)]
pub(crate) struct Options {
    /// The updates, one a line: {"id": "…", "cmsLocaleId": "…", "fieldData": {"name": "…"}}; - is standard input; made
    /// up if left out
    pub(crate) file: Option<PathBuf>,

    /// How many updates to make up
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_000,
        conflicts_with = "file"
    )]
    pub(crate) items: u64,

    /// Where the made-up updates go, with all that is written beside them
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "target/bulk_update",
        conflicts_with = "file"
    )]
    pub(crate) folder: PathBuf,

    /// Where the run records what it sends and what comes of it [default: FILE.journal; stdin.journal for -]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Where the rows go that were not updated, each with its reason, to be corrected and used as input. No file is
    /// written over [default: FILE.not-updated, or the first of FILE.not-updated.2 and so on that is free]
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,

    /// Move the journal of earlier runs aside, and send everything
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Send again what an earlier run has sent without learning what came of it. The values end up the same, but
    /// Webflow imports files and images again
    #[arg(long, conflicts_with = "fresh")]
    pub(crate) resend_unknown: bool,

    /// Check the file, list every row that cannot be sent, and say what a run would take. Nothing is sent or written
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Go on behind a row that cannot be read
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Send so many requests a minute, whatever the service says; it says how many it takes if left out
    #[arg(long, value_name = "N", conflicts_with = "share", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,

    /// Take this part of the requests that the service grants, such as 0.5 for one of two processes with one token
    #[arg(long, value_name = "X", value_parser = share)]
    share: Option<f64>,

    /// Whether Webflow skips files that it cannot import (true), or refuses the batch (false); Webflow decides if left
    /// out
    #[arg(long, value_name = "BOOL")]
    pub(crate) skip_invalid_files: Option<bool>,

    /// Update the items on Webflow, with the token in the environment variable WEBFLOW_TOKEN
    #[arg(long, requires_all = ["collection", "file"])]
    live: bool,

    /// The collection on Webflow that holds the items
    #[arg(long, value_name = "ID", requires = "live")]
    collection: Option<CollectionId>,
}

const EXIT_CODES: &str = "\
Exit code:
  0  every item is updated (--dry-run: can be sent; without FILE: is updated, or bad on purpose)
  1  some item is not, or may not be; the account says which
  2  nothing was begun, because of how the program was called or what it found";

/// Where the updates go.
pub(crate) enum Destination {
    /// A model of Webflow inside this process.
    Reference,
    /// Webflow.
    Webflow {
        token: Token,
        collection: CollectionId,
    },
}

impl Options {
    /// Where the updates go: to Webflow only by `--live`, whatever the environment holds.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        match self.collection {
            Some(collection) if self.live => Ok(Destination::Webflow {
                token: token::from_environment().map_err(Failure::WrongUse)?,
                collection,
            }),
            _ => Ok(Destination::Reference),
        }
    }

    /// The name of the input.
    pub(crate) fn input(&self) -> PathBuf {
        let made_up = || self.folder.join("items.jsonl");
        self.file.clone().unwrap_or_else(made_up)
    }

    pub(crate) fn files(&self) -> Files {
        let (journal, dead_letters) = (self.journal.clone(), self.dead_letters.clone());
        Files::beside(&self.input(), journal, dead_letters)
    }

    /// The options with which another file goes the same way.
    pub(crate) fn for_another_file(&self) -> String {
        let mut options = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                options.push_str(&format!("{name} {value} "));
            }
        };
        let collection = self.collection.map(|collection| collection.to_string());
        add("--live --collection", collection);
        let rate_limit = self.rate_limit.map(|requests| requests.to_string());
        add("--rate-limit", rate_limit);
        add("--share", self.share.map(|share| share.to_string()));
        let skip = self.skip_invalid_files.map(|skip| skip.to_string());
        add("--skip-invalid-files", skip);
        if self.keep_going {
            options.push_str("--keep-going ");
        }
        options
    }

    pub(crate) fn rate_limiter(&self) -> Result<RateLimiter, Failure> {
        let rate_limiter = match (self.rate_limit, self.share) {
            (Some(requests), _) => RateLimiter::fixed(requests),
            (None, Some(share)) => RateLimiter::new().share(share),
            (None, None) => Ok(RateLimiter::new()),
        };
        rate_limiter.map_err(Failure::wrong_use)
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "not a number".to_owned())?;
    let checked = RateLimiter::new().share(share);
    checked.map(|_| share).map_err(|error| error.to_string())
}
