//! The file in which a run records what it sends and what comes of it, so that a run that was killed can be resumed.
//!
//! The order of calls is what makes a run that was killed at any moment resumable: [`sent`](append::Journal::sent) before the
//! request leaves, and [`settled`](append::Journal::settled) before an outcome is handed out. A request of which it is certain that
//! it changed nothing, such as one that had too many before it, is taken back by [`unsent`](append::Journal::unsent), so that its
//! items are not unknown while the run waits to send them again.
//!
//! What a method records has been handed to the operating system when it returns, in one write, and survives the end of
//! the process. It survives the end of the machine only with [`fsync`](append::Journal::fsync).

mod append;
mod file;
mod fingerprint;
mod format;
mod in_flight;
mod parameters;
mod past;
mod reader;
mod replay;
mod writer;

pub(crate) use self::append::Journal;
pub(crate) use self::fingerprint::Fingerprint;
pub(crate) use self::parameters::Parameters;
pub(crate) use self::past::Resend;
pub use self::reader::{JournalReader, Tally};
pub(crate) use self::writer::Writer;

#[cfg(test)]
mod tests;
