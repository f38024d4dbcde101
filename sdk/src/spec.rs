//! Constants that the build reads from the OpenAPI document. `cargo xtask codegen` prints them.

pub use constants::{BASE_URL, DOCUMENTED_STATUSES, REQUIRED_SCOPE};
pub(crate) use constants::{MAX_ITEMS, OPERATIONS, STRING_FIELDS};

mod constants {
    include!(concat!(env!("OUT_DIR"), "/constants.rs"));
}
