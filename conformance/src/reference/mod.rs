//! The reference server: a model of Webflow's Update Items endpoint that tests can run against.
//!
//! [`ReferenceServer`] serves the model over HTTP. [`FaultyServer`] serves the same model over connections that break
//! in scripted ways. Both are faces of one [`Core`], which checks each request against the API document, answers from
//! a script or from the [`Model`], and keeps a [log](Exchange) of the wire.
//!
//! ```
//! use webflow_cms_conformance::reference::{ReferenceServer, Variant};
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
//! # What the answers rest on
//!
//! Each [`Reply`] says how far it can be trusted, by its [`Basis`].
//!
//! | behaviour | basis |
//! |---|---|
//! | the list in a 200, the bodies of 401, 429 and 500 | documented |
//! | without `cmsLocaleId` only the primary locale changes; the same id may come once per locale | documented |
//! | fields that are left out keep their values | documented |
//! | `Retry-After` and the rate headers on every answer | documented and observed |
//! | the reason inside `message` for a value of the wrong type; `details` for a content refusal | observed |
//! | the body for a path that has no route | observed |
//! | a field sent as `null` is cleared; arrays are replaced whole; flags that are left out stay | assumed |
//! | a refused batch changes nothing (observed for live items only) | assumed, see [`Model::atomic`] |
//! | 404 for an unknown collection, item or missing variant; 400 for an unknown locale | assumed |
//! | 400 for no entries, more than 100, or two entries for one variant | assumed |
//! | 400 for an undocumented query parameter, a key twice in one object, or an `api-version` header | assumed |
//! | how the requests of a minute are counted, see [`Limiter`]; that every request counts, an invalid one too | assumed |

mod answer;
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
mod server;
mod time;
mod update;
mod validate;

pub use answer::{AnswerOrder, AnswerShape, PrimaryEcho, RateHeaders, RetryAfterForm, Settings};
pub use contract::ContractError;
pub use core::{Core, ModelAnswer, Request, Step};
pub use faults::Fault;
pub use faulty_server::FaultyServer;
pub use limiter::{Limiter, Verdict};
pub use log::Exchange;
pub use model::{Model, Variant, VariantKey};
pub use reply::{Basis, Reply, UndocumentedStatus};
pub use server::{Builder, ReferenceServer};
pub use time::{Lasting, RealTime, Sleep, Time};
pub use update::{Entry, MAX_ENTRIES, Reason, Refusal, Update, Updated};
pub use validate::{Violation, ViolationKind};
