//! The command line.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use webflow_cms::{CollectionId, Pace, Token};

use super::{Failure, token};

/// Updates any number of CMS items from a file of JSON lines, and accounts for each of them.
///
/// Without --live the updates go to a model of Webflow that runs inside, has a rate limit, and breaks connections on
/// purpose. It is compared with the account at the end.
///
/// Ctrl-C ends the run with a full account, and --resume goes on with it. A second Ctrl-C ends it at once; that can be
/// resumed too.
///
/// The exit code is 0 if every item is updated (with --dry-run: could be sent; without FILE: or bad on purpose), 1 if
/// not, and 2 if nothing was begun because of how the program was called.
#[derive(Parser)]
#[command(name = "bulk_update")]
pub(crate) struct Options {
    /// The updates, one a line: {"id": "…", "cmsLocaleId": "…", "fieldData": {"name": "…"}}; made up if left out
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
    folder: PathBuf,

    /// Where the run records what it sends and what comes of it [default: FILE.journal]
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Where the updates go that were not made, each with its reason, to be corrected and used as input [default:
    /// FILE.not-updated]
    #[arg(long, value_name = "FILE")]
    dead_letters: Option<PathBuf>,

    /// Go on with the journal of an earlier run on the same file. The dead letters are written anew
    #[arg(long)]
    pub(crate) resume: bool,

    /// Send again what the earlier run has sent without learning what came of it. The values end up the same, but
    /// Webflow imports files and images again
    #[arg(long, requires = "resume")]
    pub(crate) resend_in_doubt: bool,

    /// Check the file and say what a run would take, without sending anything
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Go on behind a line that cannot be read
    #[arg(long)]
    pub(crate) keep_going: bool,

    /// Send so many requests a minute, whatever the service says; it says how many it takes if left out
    #[arg(long, value_name = "N", conflicts_with = "share", value_parser = clap::value_parser!(u32).range(1..))]
    pace: Option<u32>,

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

/// The files of a run.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) input: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) dead_letters: PathBuf,
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

    pub(crate) fn files(&self) -> Files {
        let files = self.usual_files();
        Files {
            journal: self.journal.clone().unwrap_or(files.journal),
            dead_letters: self.dead_letters.clone().unwrap_or(files.dead_letters),
            input: files.input,
        }
    }

    /// The files as they are called unless told otherwise.
    pub(crate) fn usual_files(&self) -> Files {
        let input = match &self.file {
            Some(file) => file.clone(),
            None => self.folder.join("items.jsonl"),
        };
        let beside = |extension: &str| {
            let mut name = input.clone().into_os_string();
            name.push(extension);
            PathBuf::from(name)
        };
        Files {
            journal: beside(".journal"),
            dead_letters: beside(".not-updated"),
            input,
        }
    }

    /// The options that lead to the same place.
    pub(crate) fn live_again(&self) -> String {
        match self.collection {
            Some(collection) => format!("--live --collection {collection} "),
            None => String::new(),
        }
    }

    pub(crate) fn pace(&self) -> Result<Pace, Failure> {
        let pace = match (self.pace, self.share) {
            (Some(requests), _) => Pace::fixed(requests),
            (None, Some(share)) => Pace::new().share(share),
            (None, None) => Ok(Pace::new()),
        };
        pace.map_err(Failure::wrong_use)
    }
}

impl Files {
    /// Refuses names by which the run would write over something that may still be needed.
    pub(crate) fn check(&self, resume: bool) -> Result<(), Failure> {
        let Self {
            input,
            journal,
            dead_letters,
        } = self;
        for (one, other) in [
            (input, dead_letters),
            (input, journal),
            (journal, dead_letters),
        ] {
            if is_same(one, other) {
                let name = one.display();
                return Err(Failure::WrongUse(format!(
                    "{name} cannot be two of input, journal and dead letters at once"
                )));
            }
        }
        let is_free = |path: &Path| fs::metadata(path).map_or(true, |found| found.len() == 0);
        // If there is a journal too, more is to be said of that.
        if resume || is_free(dead_letters) || !is_free(journal) {
            return Ok(());
        }
        Err(Failure::WrongUse(format!(
            "{} holds what an earlier run has not updated; move it away, or choose another file with --dead-letters",
            dead_letters.display()
        )))
    }
}

/// Whether both names lead to one file. One of them may not exist yet.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|_| "not a number".to_owned())?;
    let checked = Pace::new().share(share);
    checked.map(|_| share).map_err(|error| error.to_string())
}
