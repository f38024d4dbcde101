//! Judges clients of Webflow's `PATCH /v2/collections/{collection_id}/items` by properties.
//!
//! - [`rules`] are the laws, each tried on random inputs with weight on the edges.
//! - [`client`] holds the words in which a rule speaks to a client, and [`clients`] the clients there are.
//! - [`run`] runs the rules, and [`report`] shows what came of it.
//!
//! The server that clients are judged against is the crate [`webflow_cms_reference`].
//!
//! `cargo xtask conformance` runs them all against the crate `webflow-cms`.

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
