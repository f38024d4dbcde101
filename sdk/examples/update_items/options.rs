//! The command line.

use std::path::PathBuf;

use clap::Parser;
use webflow_cms::{CollectionId, Token};

use crate::console::one_line;
use crate::{Failure, token};

/// Updates CMS items from a file of JSON lines, as many a request as Webflow takes.
///
/// Without --live the updates go to a model of Webflow that runs inside, which is then compared with the file.
#[derive(Parser)]
#[command(name = "update_items", version)]
pub(crate) struct Options {
    /// The updates, one a line: {"id": "…", "cmsLocaleId": "…", "fieldData": {"name": "…"}}; - is standard input; the
    /// example's own if left out
    pub(crate) file: Option<PathBuf>,

    /// Update the items on Webflow, with the token in the environment variable WEBFLOW_TOKEN
    #[arg(long, requires_all = ["collection", "file"])]
    live: bool,

    /// The collection on Webflow that holds the items
    #[arg(long, value_name = "ID", requires = "live")]
    collection: Option<CollectionId>,

    /// Whether Webflow skips files that it cannot import (true), or refuses the batch (false); Webflow decides if left
    /// out
    #[arg(long, value_name = "BOOL")]
    pub(crate) skip_invalid_files: Option<bool>,

    /// Have the model refuse the update in this line, to see what an error looks like
    #[arg(long, value_name = "LINE", conflicts_with = "live")]
    pub(crate) reject: Option<u64>,
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

impl Options {
    /// What the file is called in messages.
    pub(crate) fn file_name(&self) -> String {
        match &self.file {
            Some(path) if path.as_os_str() == "-" => "stdin".to_owned(),
            Some(path) => one_line(&path.display().to_string()),
            None => "items.jsonl".to_owned(),
        }
    }

    /// Where the updates go: to Webflow only by `--live`, whatever the environment holds.
    pub(crate) fn destination(&self) -> Result<Destination, Failure> {
        match self.collection {
            Some(collection) if self.live => Ok(Destination::Webflow {
                token: token::from_environment()?,
                collection,
            }),
            _ => Ok(Destination::Reference),
        }
    }
}
