//! Bulk updates: any number of items, each with a status.
//!
//! [`Client::bulk`](crate::Client::bulk) configures a bulk update. A [`Run`] takes updates from a source of any length,
//! sends them in as few batches as it can within the rate limit of the token, isolates the items at fault in a refused
//! batch, and returns one [`Outcome`] for each item.
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
//!         ItemStatus::Rejected(error) => eprintln!("correct item {}: {error}", outcome.index),
//!         other => eprintln!("item {}: {other}", outcome.index),
//!     })
//!     .await;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! # Statuses
//!
//! Every item that the run takes from the source has exactly one [`ItemStatus`] in the end, whatever happens to the
//! network, the service and the run:
//!
//! - **Updated**: the service accepted a request with the item, and the response contains it. Unless
//!   [`skip_invalid_files(false)`](Bulk::skip_invalid_files) is set, the service may have skipped files of the item
//!   without reporting it.
//! - **Rejected**: the service refused the item, or no batch can hold it. Correct it before you send it once more. If
//!   its error [may have acted](crate::Error::may_have_acted), an earlier attempt may have changed the item.
//! - **Not attempted**: no request with the item can have changed anything. It is safe to send.
//! - **Unknown**: a request may have changed the item, and no response confirms it. Check the item, or resend it: the
//!   values end up the same, but Webflow imports files and images again each time that their field is written.
//!
//! # Journal and dead letters
//!
//! With a [journal](Bulk::journal), the statuses survive the process. Whatever ended a run, another run with the same
//! journal continues it and skips the items whose status is known. You can correct the input before that: changed
//! updates are sent. [`JournalReader`] reads a journal.
//!
//! [`Outcome::dead_letter`] returns an item that was not updated as a line of JSON with the reason.
//! [`ItemUpdate::from_json`] reads that line as it is.
//!
//! [`ItemUpdate::from_json`]: crate::ItemUpdate::from_json
//!
//! # Speed
//!
//! The rate limit of the token is the bottleneck: 60 or 120 requests a minute, which is up to 12,000 items a minute.
//! By default, requests leave at once while some are left, then wait for the end of the rate limit's window. A run of up
//! to 6,000 items at 60 requests a minute does not wait. One process reaches the limit, and more processes are not
//! faster. If several use one token, give each a [`share`](crate::RateLimiter::share).

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
pub use dead_letter::{DeadLetterReason, DeadLetters};
pub use dry_run::DryRun;
pub use journal::{JournalCounts, JournalReader};
pub use json_lines::{InvalidRow, JsonLines, LineNumbers};
pub use outcome::Outcome;
pub use progress::{Counts, Progress, Statistics};
pub use run::{Report, Run};
