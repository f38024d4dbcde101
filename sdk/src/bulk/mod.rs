//! Any number of item updates: what goes into which batch, which entry of a refused batch is at fault, and the account
//! of what came of each.

mod builder;
mod control;
mod dead_letter;
mod dry_run;
mod engine;
mod hint;
mod isolate;
mod journal;
mod outcome;
mod plan;
mod progress;
mod reason;
mod run;
mod source;

pub use builder::Bulk;
pub use control::Handle;
pub use dead_letter::{DeadLetters, NotUpdated};
pub use dry_run::DryRun;
pub use journal::{
    Digest, Journal, JournalError, JournalErrorKind, Parameters, Position, Recorded, Settled, Tally,
};
pub use outcome::{NotAttempted, Outcome, Settlement, Unknown};
pub use progress::{Counts, Progress, Statistics};
pub use reason::Reason;
pub use run::{Report, Run};

// Declared here, since the bench takes in `isolate.rs` by its path and cannot have tests beneath it.
#[cfg(test)]
#[path = "isolate/tests.rs"]
mod isolate_tests;
#[cfg(test)]
#[path = "isolate/trial.rs"]
mod trial;
