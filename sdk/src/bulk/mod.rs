//! Any number of updates: what goes into which batch, and which entry of a refused batch is at fault.
//!
//! All of it is computed from its arguments: nothing here waits, reads a clock or talks to a server.
#![cfg_attr(
    not(test),
    expect(dead_code, reason = "the engine that sends the batches is yet to come")
)]

mod isolate;
mod plan;

// Declared here, since the bench takes in `isolate.rs` by its path and cannot have tests beneath it.
#[cfg(test)]
#[path = "isolate/tests.rs"]
mod isolate_tests;
#[cfg(test)]
#[path = "isolate/trial.rs"]
mod trial;
