//! Any number of item updates: what goes into which batch, which entry of a refused batch is at fault, and the account
//! of what came of each.

mod dead_letter;
mod isolate;
mod journal;
mod plan;
mod reason;

pub use dead_letter::{DeadLetters, NotUpdated};
pub use journal::{
    Digest, Journal, JournalError, JournalErrorKind, Parameters, Position, Recorded, Settled, Tally,
};
pub use reason::Reason;

// Declared here, since the bench takes in `isolate.rs` by its path and cannot have tests beneath it.
#[cfg(test)]
#[path = "isolate/tests.rs"]
mod isolate_tests;
#[cfg(test)]
#[path = "isolate/trial.rs"]
mod trial;
