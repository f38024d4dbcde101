//! The clients that the suite can judge.

mod sdk;

pub use sdk::{Sdk, SdkTime};
