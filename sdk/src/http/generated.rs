//! The clients that are generated from the OpenAPI document. `cargo xtask codegen` prints them.

/// The generated client with the paths, parameters and bodies of the OpenAPI document.
#[cfg(feature = "raw")]
#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    elided_lifetimes_in_paths,
    rustdoc::all,
    reason = "generated"
)]
pub mod raw {
    include!(concat!(env!("OUT_DIR"), "/raw.rs"));
}

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    missing_docs,
    unreachable_pub,
    dead_code,
    elided_lifetimes_in_paths,
    reason = "generated"
)]
pub(crate) mod wire {
    include!(concat!(env!("OUT_DIR"), "/wire.rs"));
}
