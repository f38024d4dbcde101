//! The one way out: every request of the generated clients passes through here.

use std::fmt;
use std::sync::Arc;

use http::{HeaderValue, header};
use http_body_util::Limited;
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{ResponseBuilderExt as _, Url};

use crate::generated::{raw, wire};
use crate::{Clock, Token};

/// What sends the requests of a [`Client`](crate::Client), and of the [`raw`](crate::raw) client that is made with it.
///
/// It adds the token, and sends it to the client's own server only; it follows no redirect, and ends a body that grows beyond the bound for answers.
#[derive(Clone)]
pub struct Transport(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) http: reqwest::Client,
    /// Where the token may go.
    pub(crate) base_url: Url,
    pub(crate) token: Token,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_answer_bytes: usize,
}

impl Transport {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Makes a request ready, unless it would take the token to another place than the client was made for.
    fn prepare(&self, request: &mut reqwest::Request) -> Result<(), String> {
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

    async fn execute(&self, request: reqwest::Request) -> reqwest::Result<reqwest::Response> {
        self.0.http.execute(request).await
    }

    /// As [`execute`](Self::execute), for those who read a body to its end whatever its length.
    async fn execute_bounded(
        &self,
        request: reqwest::Request,
    ) -> reqwest::Result<reqwest::Response> {
        let response = self.execute(request).await?;
        let url = response.url().clone();
        let (mut head, body) = http::Response::from(response).into_parts();
        if let Ok(marker) = http::Response::builder().url(url).body(()) {
            head.extensions.extend(marker.into_parts().0.extensions);
        }
        let body = reqwest::Body::wrap(Limited::new(body, self.0.max_answer_bytes));
        Ok(http::Response::from_parts(head, body).into())
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transport")
            .field("token", &self.0.token)
            .field("max_answer_bytes", &self.0.max_answer_bytes)
            .finish_non_exhaustive()
    }
}

macro_rules! pass_through_transport {
    ($($client:ty => $execute:ident),*) => {
        $(impl ClientHooks<Transport> for $client {
            async fn pre<E>(&self, request: &mut reqwest::Request, _: &OperationInfo) -> Result<(), Error<E>> {
                self.inner().prepare(request).map_err(Error::InvalidRequest)
            }

            async fn exec(&self, request: reqwest::Request, _: &OperationInfo) -> reqwest::Result<reqwest::Response> {
                self.inner().$execute(request).await
            }
        })*
    };
}

// What this crate asks for, it reads up to the bound by itself, and keeps the part that it has read.
pass_through_transport!(raw::Client => execute_bounded, wire::Client => execute);
