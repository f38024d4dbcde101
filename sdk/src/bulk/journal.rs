//! The journal: the file in which a run records its requests and their results, so that it can be resumed.
//!
//! The order of calls makes a run resumable that was killed at any moment: [`sent`](append::Journal::sent) before a
//! request is sent, and [`finished`](append::Journal::finished) before an outcome is returned. A request that certainly
//! changed nothing, such as one with status 429, is reverted by [`unsent`](append::Journal::unsent), so that its items
//! are not unknown while the run waits to retry it.
//!
//! When a method returns, its record has been passed to the operating system in one write, and survives the end of the
//! process. It survives a crash of the machine only with [`fsync`](append::Journal::fsync).

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
pub use self::reader::{JournalCounts, JournalReader};
pub(crate) use self::writer::Writer;

#[cfg(test)]
mod tests;
