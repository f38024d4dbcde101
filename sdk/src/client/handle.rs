//! The client of one token.

use std::fmt;
use std::sync::Arc;

#[cfg(feature = "raw")]
use crate::http::generated::raw;
use crate::http::generated::wire;
use crate::http::transport::{Parts, Transport};
use crate::observe::Observer;
use crate::rate_limit::RateLimiter;
use crate::retry::{RetryBudget, RetryPolicy};

/// Updates items of Webflow's CMS with one token.
///
/// A clone is cheap: it shares the connections, the rate limiter and the retry budget.
///
/// # Runtimes
///
/// A connection belongs to the Tokio runtime of the call that opened it, so a client and its clones belong to one
/// runtime. A call on another runtime fails with
/// [`InvalidInput::OtherRuntime`](crate::error::InvalidInput::OtherRuntime) while the first one exists. Make a client
/// for each runtime, and give each a clone of one [`RateLimiter`]. After the first runtime has ended, the client can be
/// used on another one.
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

    /// Returns the client that is generated from the OpenAPI document. See [`raw`](crate::raw).
    ///
    /// It sends through the transport of this client, with the same retries and the same rate limiter. Its errors are
    /// the generated ones, which do not contain the attempts.
    #[cfg(feature = "raw")]
    #[must_use]
    pub fn raw(&self) -> raw::Client {
        raw::Client::new_with_client(
            &self.base_url,
            self.transport.parts().http.clone(),
            self.transport.clone(),
        )
    }

    /// Returns the base URL, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Returns a client with another retry policy. It shares connections, rate limiter and retry budget with this one.
    #[must_use]
    pub fn with_retry(&self, policy: RetryPolicy) -> Self {
        self.changed(|parts| parts.options.retry = policy)
    }

    /// Returns a client with one more observer.
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

    /// Returns the rate limiter, for another client with the same token.
    #[must_use]
    pub fn rate_limiter(&self) -> &RateLimiter {
        &self.transport.parts().effects.rate_limiter
    }

    /// Returns the retry budget.
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
