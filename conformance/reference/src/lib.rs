//! The reference server: a model of Webflow's Update Items endpoint that tests can run against.
//!
//! [`ReferenceServer`] serves the model over HTTP. [`FaultyServer`] serves the same model over connections that break
//! in scripted ways. Both are faces of one [`Core`], which checks each request against the API document, responses from
//! a script or from the [`Model`], and keeps a [log](Exchange) of the wire.
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
//! # What the responses rest on
//!
//! Each [`Reply`] says how far it can be trusted, by its [`Basis`].
//!
//! | behaviour | basis |
//! |---|---|
//! | the list in a 200, the bodies of 401, 429 and 500 | documented |
//! | without `cmsLocaleId` only the primary locale changes; the same id may come once per locale | documented |
//! | fields that are left out keep their values | documented |
//! | `Retry-After` and the rate headers on every response | documented and observed |
//! | a window of 60 seconds from the first request, to whose end `Retry-After` counts down | observed, see [`Limiter::window_from_first_request`] |
//! | a query parameter that is not documented is ignored, and shown in the log as a [`Violation`] | observed |
//! | 404 `resource_not_found` for the whole batch if an item is unknown or lacks the variant | observed; that the text is the same for both, and for a collection, is assumed |
//! | a response without `cmsLocaleId`, or with `null`, from a site without localization | observed, see [`PrimaryEcho`]; for an entry that names the primary locale assumed, see [`Settings::named_primary_echo`] |
//! | the value of a field that is not published yet is dropped | observed, see [`Model::unpublished_field`] |
//! | error bodies in other forms than the documented one | observed, see [`UndocumentedBody`] |
//! | the reason inside `message` for a value of the wrong type; `details` for a content refusal | observed |
//! | the body for a path that has no route | observed |
//! | a field sent as `null` is cleared; arrays are replaced whole; flags that are left out stay | assumed |
//! | a refused batch changes nothing (observed for live items only) | assumed, see [`Model::atomic`] |
//! | 404 for an unknown collection; 400 for an unknown locale | assumed |
//! | another status for a single item, see [`Model::reject_with`] | scripted |
//! | 400 for no entries, more than 100, or two entries for one variant | assumed |
//! | 400 for a query parameter twice, a key twice in one object, or an `api-version` header | assumed |
//! | the other ways to count the requests of a minute, see [`Limiter`]; that every request counts, an invalid one too | assumed |

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
