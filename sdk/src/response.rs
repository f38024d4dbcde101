//! The response of an update, with its items matched to the entries of the batch.

pub(crate) mod error_body;
mod matching;
mod page;
mod parse;
mod update_response;

pub use self::matching::Returned;
pub(crate) use self::parse::ParsedResponse;
pub use self::update_response::UpdateResponse;
