//! The clients that the build generates from the OpenAPI document. `cargo xtask codegen` prints them.

/// The client that the generator makes of the OpenAPI document as it stands: paths, parameters and bodies one to one.
///
/// It is for what the rest of this crate does not offer. Make it with
/// [`Client::raw`](crate::Client::raw); its requests then take the same way as all others. What it is lenient
/// about, and how its errors look, is the generator's choice and may change with the generator's version: in
/// particular an error whose body is not of the documented form loses its status, and what a server repeats of the
/// token stays in it.
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
