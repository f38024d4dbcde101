//! Constants of the OpenAPI document: base URL, documented statuses and required scope.
//!
//! The build generates them. In the repository, `cargo xtask codegen` prints them.

pub use constants::{BASE_URL, DOCUMENTED_STATUSES, REQUIRED_SCOPE};
pub(crate) use constants::{MAX_ITEMS, OPERATIONS, STRING_FIELDS};

mod constants {
    include!(concat!(env!("OUT_DIR"), "/constants.rs"));
}
