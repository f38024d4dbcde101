//! The command line.

use std::path::PathBuf;

use clap::Parser;
use webflow_cms::{CollectionId, RateLimiter, Token};

use super::files::Files;
use super::{Failure, token};

/// Updates any number of CMS items from a JSON Lines file and reports the status of each.
///
/// Without --live the updates go to an embedded reference server with a rate limit and injected faults. After the run,
/// its content is compared with the report.
///
/// The run keeps a journal. The same command resumes a run, whatever ended it. Updated rows are not resent, and rows
/// may be corrected, added and dropped in between.
///
/// Ctrl-C, SIGTERM and SIGHUP end the run with a full report. A second one ends the process at once.
#[derive(Parser)]
#[command(name = "bulk_update", version, after_help = EXIT_CODES)]
pub(crate) struct Options {
    /// File of updates, one per line: {"id": "…", "cmsLocaleId": "…", "fieldData": {"name": "…"}}. - is standard input.
    /// Without FILE the updates are generated
    pub(crate) file: Option<PathBuf>,

    /// Number of updates to generate
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2_000,
        conflicts_with = "file"
    )]
    pub(crate) items: u64,

    /// Folder of the generated updates, their journal and their dead letters
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "target/bulk_update",
        conflicts_with = "file"
    )]
    pub(crate) folder: PathBuf,

    /// Journal of the run: what was sent, and the results [default: FILE.journal; stdin.journal for -]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// File for the rows that were not updated, each with its reason, to correct and use as input. It must be new or
    /// empty [default: the first free name of FILE.not-updated, FILE.not-updated.2, …]
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,

    /// Ignore earlier runs: rename their journal and send every row
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Resend the rows whose status is unknown after an earlier run. The values end up the same, but Webflow imports
    /// files and images again
    #[arg(long, conflicts_with = "fresh")]
    pub(crate) resend_unknown: bool,

    /// Check the file, list every row that cannot be sent, and estimate requests and time. Sends and writes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Continue after an invalid row [default: the rows after it are not read]
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Requests per minute, whatever the service allows [default: the limit that the responses report]
    #[arg(long, value_name = "N", conflicts_with = "share", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,

    /// Part of the service's limit, above 0 and at most 1, such as 0.5 for one of two processes with one token
    /// [default: 1]
    #[arg(long, value_name = "X", value_parser = share)]
    share: Option<f64>,

    /// Whether Webflow skips files and images that it cannot import (true) or refuses the batch (false) [default: not
    /// sent; Webflow then skips them]
    #[arg(long, value_name = "BOOL")]
    pub(crate) skip_invalid_files: Option<bool>,

    /// Update the items on Webflow, with the token in the environment variable WEBFLOW_TOKEN
    #[arg(long, requires_all = ["collection", "file"])]
    live: bool,

    /// Id of the collection on Webflow: 24 hexadecimal digits
    #[arg(long, value_name = "ID", requires = "live")]
    collection: Option<CollectionId>,
}

const EXIT_CODES: &str = "\
Exit code:
  0  every item is updated (--dry-run: can be sent; without FILE: is updated, or invalid on purpose)
  1  some item is not updated, or may not be; the report names it
  2  nothing was sent, because of the arguments, the input or the files";

/// The destination of the updates.
pub(crate) enum Destination {
    /// The embedded reference server.
    Reference,
    /// Webflow.
    Webflow {
        token: Token,
        collection: CollectionId,
    },
}

impl Options {
    /// The destination: Webflow only with `--live`, whatever the environment contains.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        match self.collection {
            Some(collection) if self.live => Ok(Destination::Webflow {
                token: token::from_environment().map_err(Failure::WrongUse)?,
                collection,
            }),
            _ => Ok(Destination::Reference),
        }
    }

    /// The path of the input.
    pub(crate) fn input(&self) -> PathBuf {
        let generated = || self.folder.join("items.jsonl");
        self.file.clone().unwrap_or_else(generated)
    }

    pub(crate) fn files(&self) -> Files {
        let (journal, dead_letters) = (self.journal.clone(), self.dead_letters.clone());
        Files::beside(&self.input(), journal, dead_letters)
    }

    /// The options for another file with the same destination.
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
