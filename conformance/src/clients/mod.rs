//! The clients under test.

mod sdk;

pub use sdk::{Sdk, SdkTime};
