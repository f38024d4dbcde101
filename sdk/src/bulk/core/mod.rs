//! The core of a bulk run: a state machine without async, clock and IO.
//!
//! All of it takes plain data and returns plain data, so that it can be tested with any order of events and in no time.
//!
//! - [`machine`]: events in, commands out.
//! - [`plan`]: which updates share a batch, and in which order batches go.
//! - [`isolate`]: which items of a refused batch are at fault, in few requests.
//! - [`evidence`]: whether refusals are about items or about everything.
//! - [`classify`] and [`hint`]: what a failed request says, and of which items.
//! - [`status`], [`stop`] and [`reason`]: the data that comes out.

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
