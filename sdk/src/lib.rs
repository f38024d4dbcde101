//! Updates items of Webflow's CMS, a batch or any number of them, through `PATCH /v2/collections/{collection_id}/items`.
//!
//! The client is generated from an OpenAPI document at build time. The layer on top makes it safe: ids, locales,
//! batches and tokens are checked types, so that what the service would refuse, or would take in another way than it
//! was meant, never leaves the machine; an answer is read in both of its documented shapes; and one [`Error`] says
//! what went wrong, whether items may have changed all the same, and whether trying again can help.
//!
//! Any number of updates, each accounted for, with a journal from which a run is resumed (see [`bulk`]):
//!
//! ```no_run
//! # async fn example(client: webflow_cms::Client, updates: Vec<webflow_cms::ItemUpdate>) -> Result<(), webflow_cms::Error> {
//! # use webflow_cms::CollectionId;
//! let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
//! let report = client.bulk(collection).journal("sync.journal").run(updates)?.finish().await;
//! assert!(report.is_complete(), "{report}");
//! # Ok(())
//! # }
//! ```
//!
//! One batch, with all that the answer says:
//!
//! ```no_run
//! use serde::Serialize;
//! use webflow_cms::{Batch, Client, CmsLocaleId, CollectionId, ItemId, ItemUpdate, Token};
//!
//! #[derive(Serialize)]
//! struct Lamp<'a> {
//!     name: &'a str,
//!     price: f64,
//! }
//!
//! # async fn example() -> Result<(), webflow_cms::Error> {
//! let client = Client::new(Token::new(std::env::var("WEBFLOW_TOKEN").unwrap_or_default())?)?;
//! let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
//! let lamp = ItemId::new("66f6ed9576ddacf3149d5ea6")?;
//! let french = CmsLocaleId::new("66f6e966c9e1dc700a857ca4")?;
//!
//! let batch = Batch::new([
//!     ItemUpdate::new(lamp).fields(&Lamp { name: "Star lamp", price: 99.5 })?,
//!     ItemUpdate::new(lamp).locale(french).field("name", "Lampe Étoile")?,
//! ])?;
//! let response = client.update(collection, batch.clone()).await?;
//! for (entry, key) in response.unconfirmed() {
//!     eprintln!("entry {entry} ({key}) did not come back");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # On the network
//!
//! A call is tried again as its [`RetryPolicy`] says, within a [`RetryBudget`], and never before the time that the
//! service gives with `Retry-After`. All calls of a client, of its clones and of its [`raw`] client go at one
//! [`RateLimiter`], which learns the limit of the token from the answers, and all of them stop when the service asks one of
//! them to wait. [`ClientBuilder::attempt_timeout`] bounds a try, [`ClientBuilder::operation_timeout`] a call with all its tries and
//! waits; dropping its future ends a call at once. All of it runs on a [`Clock`], which a test can bring.
//!
//! # Seeing what goes on
//!
//! An [`Observer`] hears of every call, try and wait.
//!
//! `tracing` has a span at level INFO for each try, from before it is sent until its answer is read, with the names of
//! OpenTelemetry's [conventions for HTTP clients]: `http.request.method`, `http.request.body.size`, `url.full`,
//! `url.template`, `server.address` and `server.port`; `http.request.resend_count` from the second try on;
//! `http.response.status_code` if an answer came. If the try failed, `error.type` is the status of a refusal,
//! `cancelled` if the call was dropped, or else the [`ErrorKind`] in lower case with underscores, such as
//! `connection_cut`. Each wait is an event at level DEBUG, with its cause and how long it is expected to be. Neither
//! the token nor the content of an item is in any of it.
//!
//! [conventions for HTTP clients]: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
//!
//! # Features
//!
//! `rustls` (default) and `native-tls` choose what encrypts; without either the crate compiles and talks plain http to
//! this machine, for tests. `gzip` (default) lets the service compress its answers.
//!
//! # Panics
//!
//! Nothing in this crate panics, with two exceptions. An update needs a Tokio runtime, with its timers and its
//! network, and panics where it is awaited without one, as all of reqwest does. And the constructor `raw::Client::new`,
//! which the generator writes, can panic; take [`Client::raw`] instead.

pub mod bulk;
pub mod client;
pub mod error;
mod http;
pub mod id;
pub mod model;
pub mod observe;
pub mod rate_limit;
pub mod response;
pub mod retry;
pub mod spec;
mod text;
pub mod time;

pub use client::{Client, ClientBuilder};
pub use error::{Error, ErrorKind};
pub use http::token::Token;
pub use id::{CmsLocaleId, CollectionId, ItemId};
pub use model::{Batch, ItemUpdate};
pub use rate_limit::RateLimiter;
/// The HTTP client that this crate is built on, for [`ClientBuilder::http`].
pub use reqwest;
pub use response::UpdateResponse;
pub use retry::RetryPolicy;

#[cfg(feature = "raw")]
pub mod raw {
    //! The client that the build generates from the OpenAPI document, one to one.
    //!
    //! [`Client::raw`](crate::Client::raw) makes it.

    pub use crate::http::generated::raw::*;
    pub use crate::http::transport::Transport;
}

#[cfg(doctest)]
mod documents {
    //! Compiles the examples of the documents.

    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../README.md")]
    struct PackageReadme;
    #[doc = include_str!("../../docs/batches.md")]
    struct Batches;
    #[doc = include_str!("../../docs/bulk.md")]
    struct Bulk;
    #[doc = include_str!("../../docs/errors.md")]
    struct Errors;
    #[doc = include_str!("../../docs/rate-limit.md")]
    struct RateLimit;
    #[doc = include_str!("../../docs/testing.md")]
    struct Testing;
}
