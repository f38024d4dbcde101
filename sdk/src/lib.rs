//! Updates items of Webflow's CMS, one batch or any number of them, through
//! `PATCH /v2/collections/{collection_id}/items`.
//!
//! ```sh
//! cargo add webflow-cms
//! ```
//!
//! A bulk update splits any number of updates into batches of up to 100, respects the rate limit, retries, and accounts
//! for every item. With a journal, a run that was interrupted continues where it ended:
//!
//! ```no_run
//! use webflow_cms::{Client, CollectionId, ItemId, ItemUpdate, Token};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Token::new(std::env::var("WEBFLOW_TOKEN")?)?)?;
//! let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
//!
//! let lamp = ItemId::new("66f6ed9576ddacf3149d5ea6")?;
//! let updates = vec![ItemUpdate::new(lamp).field("price", &99.5)?];
//!
//! let report = client.bulk(collection).journal("sync.journal").run(updates)?.finish().await;
//! println!("{report}");
//! assert!(report.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::update`] sends a single batch and returns the whole response:
//!
//! ```no_run
//! use serde::Serialize;
//! use webflow_cms::{Batch, Client, CmsLocaleId, CollectionId, ItemId, ItemUpdate};
//!
//! #[derive(Serialize)]
//! struct Lamp<'a> {
//!     name: &'a str,
//!     price: f64,
//! }
//!
//! # async fn example(client: Client, collection: CollectionId) -> Result<(), webflow_cms::Error> {
//! let lamp = ItemId::new("66f6ed9576ddacf3149d5ea6")?;
//! let french = CmsLocaleId::new("66f6e966c9e1dc700a857ca4")?;
//! let batch = Batch::new([
//!     ItemUpdate::new(lamp).fields(&Lamp { name: "Star lamp", price: 99.5 })?,
//!     ItemUpdate::new(lamp).locale(french).field("name", "Lampe Étoile")?,
//! ])?;
//!
//! let response = client.update(collection, batch).await?;
//! for (entry, key) in response.unconfirmed() {
//!     eprintln!("the response lacks entry {entry} ({key})");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The HTTP client is generated from an OpenAPI document at build time. The layer above checks ids, locales, batches
//! and tokens before anything is sent, so that the service neither rejects them nor misinterprets them. It parses both
//! documented shapes of the response. A single [`Error`] type describes each failure: its category, whether items may
//! have changed although the call failed, and whether a retry can succeed.
//!
//! # Modules
//!
//! | module | content |
//! |---|---|
//! | [`bulk`] | bulk updates: builder, run, outcomes, report, journal, dead letters, progress, dry run |
//! | [`client`] | [`Client`], [`ClientBuilder`], and [`UpdateRequest`](client::UpdateRequest) for one batch |
//! | [`model`] | [`ItemUpdate`], [`Batch`] and [`Fields`](model::Fields) of requests; items of responses |
//! | [`id`] | [`CollectionId`], [`ItemId`], [`CmsLocaleId`], [`ItemKey`](id::ItemKey) |
//! | [`response`] | [`UpdateResponse`], with its items matched to the entries of the batch |
//! | [`error`] | [`Error`], [`ErrorKind`], [`InvalidInput`](error::InvalidInput) and the failed attempts of a call |
//! | [`retry`] | [`RetryPolicy`] and [`RetryBudget`](retry::RetryBudget) |
//! | [`rate_limit`] | [`RateLimiter`] and [`RateLimit`](rate_limit::RateLimit), the rate limit in a response |
//! | [`observe`] | [`Observer`](observe::Observer) and its events, for metrics |
//! | [`time`] | [`Clock`](time::Clock), which tests can replace |
//! | [`spec`] | constants of the OpenAPI document |
//! | `raw` | the generated client, with the feature `raw` |
//!
//! # Retries and limits
//!
//! - A call is retried as its [`RetryPolicy`] says, within the [`RetryBudget`](retry::RetryBudget) of the client. It is
//!   never retried before the time that the service requests with `Retry-After`.
//! - All calls of a client, its clones and its raw client share one [`RateLimiter`]. It learns the limit of the token
//!   from the responses. Requests leave at once while some are left in the window of the limit, and then wait for its
//!   end; [`RateLimiter::spread`] spreads them evenly. If the service requests a wait of one call, all calls wait.
//! - [`ClientBuilder::attempt_timeout`] limits an attempt. [`ClientBuilder::operation_timeout`] limits a call with all
//!   its attempts and waits.
//! - Dropping the future of a call cancels it at once.
//!
//! # Observability
//!
//! An [`Observer`](observe::Observer) receives an event for each call, attempt and wait.
//!
//! `tracing` receives a span at level INFO for each attempt, from before it is sent until its response is read. The
//! span has the names of OpenTelemetry's [conventions for HTTP clients]:
//!
//! - `http.request.method`, `http.request.body.size`, `url.full`, `url.template`, `server.address`, `server.port`;
//! - `http.request.resend_count` from the second attempt on;
//! - `http.response.status_code` with a response;
//! - `error.type` for a failed attempt: the status of an error response, `cancelled` if the call was dropped, or else
//!   [`ErrorKind::as_str`], such as `connection_closed`.
//!
//! Each wait is an event at level DEBUG with its cause and its expected duration. A panic of an observer is an event at
//! level ERROR. Neither the token nor the content of an item is in any span or event.
//!
//! [conventions for HTTP clients]: https://opentelemetry.io/docs/specs/semconv/http/http-spans/
//!
//! # Features
//!
//! | feature | default | effect |
//! |---|---|---|
//! | `rustls` | yes | TLS by rustls |
//! | `native-tls` | no | TLS by the library of the operating system |
//! | `gzip` | yes | accept compressed responses |
//! | `raw` | yes | the module `raw` with the generated client, and `Client::raw` |
//!
//! Without `rustls` and `native-tls`, the crate compiles and supports only plain http, for tests on this machine.
//!
//! # Runtime
//!
//! Calls require a Tokio runtime with its timers and I/O enabled. A client belongs to one runtime, see
//! [`Client`](Client#runtimes).
//!
//! # Panics
//!
//! This crate does not panic, with two exceptions. A call panics if it is awaited outside of a Tokio runtime, as all of
//! reqwest does. The generated constructor `raw::Client::new` can panic; use `Client::raw` instead.

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
/// The HTTP client of this crate, for [`ClientBuilder::http`].
pub use reqwest;
pub use response::UpdateResponse;
pub use retry::RetryPolicy;

#[cfg(feature = "raw")]
pub mod raw {
    //! The client that is generated from the OpenAPI document, with its paths, parameters and bodies.
    //!
    //! Use it for operations that the rest of this crate does not offer. [`Client::raw`](crate::Client::raw) creates
    //! it. Its requests have the token, the retries and the rate limiter of that client.
    //!
    //! The generator determines what the client accepts and what its errors look like, and a new version of the
    //! generator may change it. An error whose body is not of the documented form loses its status, and a token that a
    //! server repeats is not redacted.

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
