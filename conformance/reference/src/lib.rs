//! A reference server for tests: a model of Webflow's Update Items endpoint behind HTTP.
//!
//! [`ReferenceServer`] serves the model. [`FaultyServer`] serves the same model over connections with scripted
//! [faults](Fault). [`World`] runs a server and its clients in [virtual time](VirtualTime). All of them share one
//! [`Core`], which checks each request against the API document, responds from a script or from the [`Model`], and
//! keeps a [log](Exchange) of all requests and responses.
//!
//! ```
//! use webflow_cms_reference::{ReferenceServer, Variant};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let collection = "580e63fc8c9a982ac9b8b700";
//! let item = "66f6ed9576ddacf3149d5e01";
//! let server = ReferenceServer::builder()
//!     .item(collection, item, None, Variant::named("Old name", "old-name"))
//!     .start()
//!     .await;
//!
//! // Point the code under test at `server.base_url()`, with `server.token()`, and let it update the item. Then:
//! assert_eq!(server.model().variant(collection, item, None).map(|v| &v.field_data["name"]), Some(&"Old name".into()));
//! assert!(server.log().iter().all(|exchange| exchange.violations.is_empty()));
//! # }
//! ```
//!
//! # Basis of the responses
//!
//! Each [`Reply`] says by its [`Basis`] how far it can be trusted.
//!
//! | behaviour | basis |
//! |---|---|
//! | the list in a 200, the bodies of 401, 429 and 500 | documented |
//! | without `cmsLocaleId` only the primary locale changes; the same id may come once per locale | documented |
//! | omitted fields keep their values | documented |
//! | `Retry-After` and the rate headers on every response | documented and observed |
//! | a window of 60 seconds from the first request | observed, see [`Limiter::window_from_first_request`] |
//! | an undocumented query parameter is ignored and logged as a [`Violation`] | observed |
//! | 404 `resource_not_found` for a batch with an unknown item or a missing variant | observed |
//! | the same text in the 404 of an item, a variant and a collection | assumed |
//! | no `cmsLocaleId`, or a null one, in responses of sites without localization | observed, see [`PrimaryEcho`] |
//! | the same for entries that name the primary locale | assumed, see [`Settings::named_primary_echo`] |
//! | the value of a field that is not published yet is dropped | observed, see [`Model::unpublished_field`] |
//! | error bodies in undocumented forms | observed, see [`UndocumentedBody`] |
//! | the reason inside `message` for a value of the wrong type; `details` for a content refusal | observed |
//! | the body for an unknown path | observed |
//! | a field sent as `null` is cleared; arrays are replaced whole; omitted flags keep their values | assumed |
//! | a refused batch changes nothing (observed for live items only) | assumed, see [`Model::atomic`] |
//! | 404 for an unknown collection; 400 for an unknown locale | assumed |
//! | another status for a single item, see [`Model::reject_with`] | scripted |
//! | 400 for no entries, more than 100, or two entries for one variant | assumed |
//! | 400 for a repeated query parameter, a repeated key in one object, or an `api-version` header | assumed |
//! | the other window algorithms; that invalid requests count too | assumed, see [`Limiter`] |

mod clock;
mod connection;
mod contract;
mod core;
mod faults;
mod faulty_server;
mod http1;
mod json;
mod limiter;
mod log;
mod model;
mod reply;
mod response;
mod server;
mod time;
mod undocumented;
mod update;
mod validate;
mod virtual_time;
mod world;

pub use contract::ContractError;
pub use core::{Core, ModelResponse, Request, Step};
pub use faults::Fault;
pub use faulty_server::FaultyServer;
pub use limiter::{Decision, Limiter};
pub use log::Exchange;
pub use model::{Model, Variant, VariantKey};
pub use reply::{Basis, Reply, UndocumentedStatus};
pub use response::{
    PrimaryEcho, RateHeaders, ResponseOrder, ResponseShape, RetryAfterForm, Settings,
};
pub use server::{Builder, ReferenceServer};
pub use time::{Guard, RealTime, Sleep, Time};
pub use undocumented::UndocumentedBody;
pub use update::{Entry, MAX_ENTRIES, Reason, Refusal, Update, Updated};
pub use validate::{Violation, ViolationKind};
pub use virtual_time::{CountGuard, Counts, Stalled, VirtualTime};
pub use world::World;

/// The examples of the README, compiled and run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
