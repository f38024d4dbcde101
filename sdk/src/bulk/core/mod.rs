//! The core of a bulk run: a state machine without async, clock and IO.
//!
//! It takes and returns plain data, so tests can run it with any order of events and in no time.
//!
//! - [`machine`]: events in, commands out.
//! - [`plan`]: the batches and their order.
//! - [`isolate`]: the search for the items at fault in a refused batch.
//! - [`evidence`]: whether refusals are about items or about everything.
//! - [`classify`] and [`hint`]: the meaning of a failed request, and the items that its error names.
//! - [`status`], [`stop`] and [`reason`]: the results.

pub(crate) mod classify;
mod evidence;
mod group;
mod hint;
mod isolate;
pub(crate) mod machine;
pub(crate) mod plan;
pub(crate) mod reason;
pub(crate) mod status;
pub(crate) mod stop;
