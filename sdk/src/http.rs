//! The HTTP layer: token, transport, and the attempts of a call.

pub(crate) mod attempts;
pub(crate) mod body;
mod cause;
pub(crate) mod classify;
mod failure;
pub(crate) mod generated;
pub(crate) mod home;
#[cfg(feature = "raw")]
mod raw;
pub(crate) mod refusal;
pub(crate) mod span;
pub(crate) mod token;
pub(crate) mod transport;

#[cfg(test)]
mod tests;
