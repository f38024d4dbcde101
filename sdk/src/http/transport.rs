//! The one way out: every request of the generated clients passes through here.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, header};
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::Url;

use super::attempts::{CallOptions, Effects};
use super::generated;
use super::home::Home;
use super::token::Token;

/// What sends the requests of a [`Client`](crate::Client), and of the [`raw`](crate::raw) client that is made with it.
///
/// It adds the token, and sends it to the client's own server only; it keeps the pace, tries again as the
/// [policy](crate::RetryPolicy) says, follows no redirect, and ends a body that grows beyond the bound for answers or
/// takes too long.
#[cfg_attr(
    not(feature = "raw"),
    expect(unreachable_pub, reason = "it is named by the raw client only")
)]
#[derive(Clone)]
pub struct Transport(Arc<Parts>);

#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) http: reqwest::Client,
    pub(crate) home: Arc<Home>,
    /// Where the token may go.
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

    /// Makes a request ready, unless it would take the token to another place than the client was made for.
    pub(super) fn prepare(&self, request: &mut reqwest::Request) -> Result<(), String> {
        if request.url().origin() != self.0.base_url.origin() {
            return Err(
                "the request is for another server than the client was made for".to_owned(),
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
        // The generator sends the version of the document with each request, which Webflow does not ask for.
        headers.remove("api-version");
        Ok(())
    }

    /// Sends a request once, and hears what the head of the answer says of the token's requests.
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
            .field("max_answer_bytes", &self.0.max_response_bytes)
            .field("options", &self.0.options)
            .field("pace", &self.0.effects.rate_limiter)
            .finish_non_exhaustive()
    }
}

/// What this crate asks for, it tries again by itself, since it can tell what a try has come to.
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
