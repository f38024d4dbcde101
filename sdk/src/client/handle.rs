//! The client.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "raw")]
use crate::http::generated::raw;
use crate::http::generated::wire;
use crate::http::transport::{Parts, Transport};
use crate::observe::Observer;
use crate::rate_limit::RateLimiter;
use crate::retry::{RetryBudget, RetryPolicy};

/// Updates items of Webflow's CMS with one token. Clones share their connections.
///
/// A connection lives on the Tokio runtime of the call that opened it, and so do a client and its clones: a call on
/// another runtime is refused with [`InvalidInput::OtherRuntime`](crate::error::InvalidInput::OtherRuntime) as long as the first one lives. Make a client for each
/// runtime, with a clone of one [`RateLimiter`]. Once a runtime has ended, its client can be used on the next one.
///
/// ```no_run
/// # async fn example() -> Result<(), webflow_cms::Error> {
/// use webflow_cms::{Batch, Client, CollectionId, ItemId, ItemUpdate, Token};
///
/// let client = Client::new(Token::new("…")?)?;
/// let collection = CollectionId::new("580e63fc8c9a982ac9b8b745")?;
/// let lamp = ItemUpdate::new(ItemId::new("66f6ed9576ddacf3149d5ea6")?).field("price", &99.5)?;
/// let response = client.update(collection, Batch::new([lamp])?).await?;
/// assert_eq!(response.unconfirmed().count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    base_url: Arc<str>,
    transport: Transport,
    wire: wire::Client,
}

impl Client {
    pub(super) fn connect(base_url: &str, transport: Transport) -> Self {
        let http = transport.parts().http.clone();
        Self {
            base_url: base_url.into(),
            wire: wire::Client::new_with_client(base_url, http, transport.clone()),
            transport,
        }
    }

    /// The client that is generated from the OpenAPI document, sending through this one's transport. It tries again in
    /// the same way; its errors are the generated ones, which do not say how often.
    #[cfg(feature = "raw")]
    #[must_use]
    pub fn raw(&self) -> raw::Client {
        raw::Client::new_with_client(
            &self.base_url,
            self.transport.parts().http.clone(),
            self.transport.clone(),
        )
    }

    /// Where the requests go.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The same client with another way of trying again: it shares connections, rate limiter and budget with this one.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        self.changed(|parts| parts.options.retry = policy)
    }

    /// The same client, with one more who is told.
    pub(crate) fn observed(&self, observer: Arc<dyn Observer>) -> Self {
        self.changed(|parts| {
            parts.effects.observers = parts.effects.observers.and(observer);
        })
    }

    fn changed(&self, change: impl FnOnce(&mut Parts)) -> Self {
        let mut parts = self.transport.parts().clone();
        change(&mut parts);
        Self::connect(&self.base_url, Transport::new(parts))
    }

    /// The pace of the client's token, for another client with the same token.
    #[must_use]
    pub fn rate_limiter(&self) -> &RateLimiter {
        &self.transport.parts().effects.rate_limiter
    }

    /// The budget for requests that are sent again.
    #[must_use]
    pub fn retry_budget(&self) -> &RetryBudget {
        &self.transport.parts().effects.budget
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(crate) fn wire(&self) -> &wire::Client {
        &self.wire
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base_url", &self.base_url)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
