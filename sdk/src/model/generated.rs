//! The types that are generated from the OpenAPI document. `cargo xtask codegen` prints them.

#![allow(clippy::all, unreachable_pub, dead_code, reason = "generated")]

include!(concat!(env!("OUT_DIR"), "/models.rs"));
