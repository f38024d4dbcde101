//! A property-based test suite for clients of Webflow's `PATCH /v2/collections/{collection_id}/items`.
//!
//! - [`rules`] holds the rules: properties of every client, each tested with random inputs and boundary cases.
//! - [`client`] is the interface between rules and client; [`clients`] implements it for the clients under test.
//! - [`run`] runs the rules against a client, and [`report`] renders the report.
//!
//! The server that clients are tested against is the crate [`webflow_cms_reference`].
//!
//! `cargo xtask conformance` runs all rules against the crate `webflow-cms`.

pub mod client;
pub mod clients;
mod harness;
pub mod panics;
pub mod regressions;
pub mod report;
mod rule;
pub mod rules;
pub mod run;

pub use harness::Harness;
pub use rule::{CaseFailure, CaseResult, Rule};
