//! The client, its builder, and the request that updates one batch.

mod base_url;
mod builder;
mod handle;
mod update;

pub use self::builder::ClientBuilder;
pub use self::handle::Client;
pub use self::update::UpdateRequest;
