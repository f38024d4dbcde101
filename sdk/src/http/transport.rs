//! The transport through which both generated clients send.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, header};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::Url;

use super::attempts::{CallOptions, Effects};
use super::generated;
use super::home::Home;
use super::token::Token;

/// Sends the requests of a [`Client`](crate::Client) and of its [`raw`](crate::raw) client.
///
/// It adds the token, and sends it only to the client's own server. It waits for the rate limiter, retries as the
/// [policy](crate::RetryPolicy) says, and never follows a redirect. It stops reading a body at
/// [`max_response_bytes`](crate::ClientBuilder::max_response_bytes) or at the attempt timeout.
#[cfg_attr(
    not(feature = "raw"),
    expect(unreachable_pub, reason = "only the raw client names it")
)]
#[derive(Clone)]
pub struct Transport(Arc<Parts>);

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) http: reqwest::Client,
    pub(crate) home: Arc<Home>,
    /// The only server that receives the token.
    pub(crate) base_url: Url,
    pub(crate) token: Token,
    pub(crate) max_response_bytes: usize,
    pub(crate) options: CallOptions,
    pub(crate) effects: Effects,
}

impl Transport {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Adds the headers. Fails for another server than the client's, which must not receive the token.
    pub(super) fn prepare(&self, request: &mut reqwest::Request) -> Result<(), String> {
        if request.url().origin() != self.0.base_url.origin() {
            return Err(
                "the request is for another server than the base URL of the client".to_owned(),
            );
        }
        const JSON: HeaderValue = HeaderValue::from_static("application/json");
        let has_body = request.body().is_some();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.0.token.authorization());
        headers.insert(header::ACCEPT, JSON);
        if has_body {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        // The generator sends the version of the document, which is not part of Webflow's API.
        headers.remove("api-version");
        Ok(())
    }

    /// Sends a request once, and passes the rate-limit headers of the response to the rate limiter.
    pub(super) async fn execute(
        &self,
        request: reqwest::Request,
    ) -> reqwest::Result<reqwest::Response> {
        let response = self.0.http.execute(request).await?;
        self.0
            .effects
            .received(response.status(), response.headers());
        Ok(response)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transport")
            .field("token", &self.0.token)
            .field("max_response_bytes", &self.0.max_response_bytes)
            .field("options", &self.0.options)
            .field("rate_limiter", &self.0.effects.rate_limiter)
            .finish_non_exhaustive()
    }
}

/// Without retries: [`UpdateRequest`](crate::client::UpdateRequest) has its own loop of attempts, which also parses the
/// response.
impl ClientHooks<Transport> for generated::wire::Client {
    async fn pre<E>(
        &self,
        request: &mut reqwest::Request,
        _: &OperationInfo,
    ) -> Result<(), Error<E>> {
        self.inner().prepare(request).map_err(Error::InvalidRequest)
    }

    async fn exec(
        &self,
        request: reqwest::Request,
        _: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        self.inner().execute(request).await
    }
}
