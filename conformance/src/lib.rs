//! Judges clients of Webflow's `PATCH /v2/collections/{collection_id}/items` by properties, and lends the server that
//! they are judged against to other people's tests.
//!
//! - [`mod@reference`] is that server: a model of items and locales that checks each request against the OpenAPI document
//!   and keeps a log of the wire.
//! - [`rules`] are the laws, each tried on random inputs with weight on the edges.
//! - [`client`] holds the words in which a rule speaks to a client, and [`clients`] the clients there are.
//! - [`VirtualTime`] is a time that client and server share, in which two hours pass in a millisecond; a [`World`] is
//!   one with a server in it, for case after case.
//! - [`run`] runs the rules, and [`report`] shows what came of it.
//!
//! `cargo xtask conformance` runs them all against the crate `webflow-cms`.

mod bench;
pub mod client;
pub mod clients;
pub mod panics;
pub mod reference;
pub mod regressions;
pub mod report;
mod rule;
pub mod rules;
pub mod run;
mod virtual_time;
mod world;

pub use bench::Bench;
pub use rule::{CaseFailure, Rule, Tried};
pub use virtual_time::{Counted, Counts, Stalled, VirtualTime};
pub use world::World;
