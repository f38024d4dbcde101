//! Any number of item updates, each of which is accounted for. It begins with [`Client::bulk`](crate::Client::bulk).
//!
//! A [`Run`] takes updates from a source of any length, sends them in as few batches as it can, at the pace of the
//! token, finds the entry of a refused batch that is at fault, and says of each item what came of it.
//!
//! ```no_run
//! use webflow_cms::bulk::ItemStatus;
//! use webflow_cms::{Client, CollectionId, ItemUpdate};
//!
//! # async fn example(client: Client, updates: Vec<ItemUpdate>) -> Result<(), webflow_cms::Error> {
//! let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
//! let run = client.bulk(collection).journal("sync.journal").run(updates)?;
//! let report = run
//!     .for_each(|outcome| match &outcome.status {
//!         ItemStatus::Updated(_) | ItemStatus::AlreadyUpdated => {}
//!         ItemStatus::Rejected(error) => eprintln!("item {} is to be corrected: {error}", outcome.index),
//!         other => eprintln!("item {}: {other:?}", outcome.index),
//!     })
//!     .await;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # The account
//!
//! Every item that is taken from the source comes out as one [`Outcome`], whatever happens to the network, the service
//! and the run. There are four kinds:
//!
//! - **Updated**: the service accepted a request with it, and the response has it. Where files may be skipped, which is
//!   what the service does unless told otherwise, it does not say whether a file of the item was.
//! - **Rejected**: the service refused it, or no batch can hold it. Correct it before you send it again. Where its error
//!   [may have acted](crate::Error::may_have_acted), an earlier attempt may have changed it all the same.
//! - **Not attempted**: no request with it can have changed anything. Send it as if nothing had been.
//! - **Unknown**: a request may have changed it, and no response tells. Look at it, or send it again: the values end up
//!   the same, but Webflow imports files and images again each time that their field is written.
//!
//! # Journal and dead letters
//!
//! With a [journal](Bulk::journal), the account outlives the process: whatever ends a run, another one with the same
//! journal goes on, and sends nothing again of which it is known what came of it. Correct the input before that if you
//! like: what has changed is sent. [`Outcome::dead_letter`] gives what was not updated as a line that
//! [`ItemUpdate::from_json`] reads as it stands, with the reason behind it. [`JournalReader`] looks at a journal.
//!
//! [`ItemUpdate::from_json`]: crate::ItemUpdate::from_json
//!
//! # Speed
//!
//! The limit is the token's: 60 or 120 requests a minute, so up to 12,000 items. One process reaches it, and more of
//! them do not get beyond it; where several use one token, each takes its [`share`](crate::RateLimiter::share).

mod builder;
mod call;
mod control;
mod core;
mod dead_letter;
mod driver;
mod dry_run;
mod journal;
mod json_lines;
mod outbox;
mod outcome;
mod progress;
mod run;
mod settings;
mod source;
mod write_ahead;

pub use self::core::reason::Reason;
pub use self::core::status::{ItemStatus, NotAttempted, Recorded, Unknown};
pub use self::core::stop::{SourceEnd, StopReason};
pub use crate::error::{JournalError, JournalErrorKind};
pub use builder::Bulk;
pub use control::Handle;
pub use dead_letter::{DeadLetters, NotUpdated};
pub use dry_run::DryRun;
pub use journal::{JournalReader, Tally};
pub use json_lines::{InvalidRow, JsonLines, LineNumbers};
pub use outcome::Outcome;
pub use progress::{Counts, Progress, Statistics};
pub use run::{Report, Run};
