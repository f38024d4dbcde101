//! The hooks that give the raw client attempts, retries and the rate limiter, which the generated code lacks.

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{ResponseBuilderExt as _, StatusCode, Url};

use super::attempts::{Attempt, AttemptTimeout, CallFailure, Progress, Received};
use super::body::{self, Body, End};
use super::classify::kind_of_transport_error;
use super::generated;
use super::span::Target;
use super::transport::Transport;
use crate::error::{Error as SdkError, ErrorKind};
use crate::rate_limit::requested_wait;
use crate::retry::Failed;

impl ClientHooks<Transport> for generated::raw::Client {
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
        operation: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        let transport = self.inner();
        if let Err(error) = transport.parts().home.check() {
            return Ok(no_response(&error));
        }
        let mut attempt = RawAttempt {
            transport,
            request,
            operation: operation.operation_id,
        };
        let parts = transport.parts();
        let mut progress = Progress::default();
        let result = parts
            .effects
            .call(&parts.options, &mut attempt, &mut progress)
            .await;
        let failure = match result {
            Ok(response) => return Ok(response),
            Err(CallFailure::Attempt(failure, _) | CallFailure::NotRetried(failure, _)) => failure,
            Err(CallFailure::NotSent(reason)) => {
                return Ok(no_response(&SdkError::not_sent(reason, &parts.options)));
            }
        };
        match failure {
            Failure::Response(response, _) => Ok(response),
            Failure::Reqwest(error) => Err(error),
            Failure::TimedOut => Ok(no_response(&SdkError::timed_out())),
            Failure::Streamed => Ok(no_response(&SdkError::other(
                "the body is a stream, which cannot be retried",
            ))),
        }
    }

    async fn post<E>(
        &self,
        result: &reqwest::Result<reqwest::Response>,
        _: &OperationInfo,
    ) -> Result<(), Error<E>> {
        let no_response = result
            .as_ref()
            .ok()
            .and_then(|response| response.extensions().get::<NoResponse>());
        match no_response {
            Some(NoResponse(reason)) => Err(Error::Custom(reason.clone())),
            None => Ok(()),
        }
    }
}

/// Marks a placeholder response in its extensions: `exec` can return only errors of reqwest, and `post` any.
#[derive(Clone)]
struct NoResponse(String);

fn no_response(reason: &SdkError) -> reqwest::Response {
    let mut response = http::Response::new(Bytes::new());
    response
        .extensions_mut()
        .insert(NoResponse(reason.to_string()));
    response.into()
}

struct RawAttempt<'a> {
    transport: &'a Transport,
    request: reqwest::Request,
    operation: &'static str,
}

enum Failure {
    /// A response with an error status or an incomplete body.
    Response(reqwest::Response, Failed),
    Reqwest(reqwest::Error),
    TimedOut,
    /// A streamed body. The document describes none, so the generated code makes none.
    Streamed,
}

impl Attempt for RawAttempt<'_> {
    type Success = reqwest::Response;
    type Failure = Failure;

    fn target(&self) -> Target {
        let (method, url) = (self.request.method().clone(), self.request.url().clone());
        Target::new(
            method,
            url,
            self.operation,
            &self.transport.parts().base_url,
        )
    }

    fn len(&self) -> u64 {
        let body = self.request.body().and_then(reqwest::Body::as_bytes);
        body.map_or(0, |body| u64::try_from(body.len()).unwrap_or(u64::MAX))
    }

    async fn send(
        &mut self,
        mut timeout: AttemptTimeout,
    ) -> Result<Received<reqwest::Response>, Received<Failure>> {
        let nothing_received = |value| Received {
            value,
            status: None,
            bytes: 0,
        };
        let Some(request) = self.request.try_clone() else {
            return Err(nothing_received(Failure::Streamed));
        };
        let result = timeout.run(Box::pin(self.transport.execute(request))).await;
        let response = match result {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(nothing_received(Failure::Reqwest(error))),
            None => return Err(nothing_received(Failure::TimedOut)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let (url, length) = (response.url().clone(), response.content_length());
        let extensions = response.extensions().clone();
        let max_bytes = self.transport.parts().max_response_bytes;
        let stream = Box::pin(response.bytes_stream());
        let body = body::read(stream, max_bytes, length, &mut timeout).await;
        let bytes = u64::try_from(body.bytes.len()).unwrap_or(u64::MAX);
        let kind = kind(status, &body.end);
        let now = self.transport.parts().effects.clock.now();
        let failed = kind.map(|kind| Failed {
            kind,
            status: Some(status),
            retry_after: requested_wait(status, &headers, now),
        });
        let response = rebuilt(status, headers, extensions, url, body);
        let status = Some(status);
        match failed {
            None => Ok(Received {
                value: response,
                status,
                bytes,
            }),
            Some(failed) => Err(Received {
                value: Failure::Response(response, failed),
                status,
                bytes,
            }),
        }
    }

    fn failed(failure: &Failure) -> Failed {
        let of_kind = |kind| Failed {
            kind,
            status: None,
            retry_after: None,
        };
        match failure {
            Failure::Response(_, failed) => *failed,
            Failure::Reqwest(error) => of_kind(kind_of_transport_error(error)),
            Failure::TimedOut => of_kind(ErrorKind::Timeout),
            Failure::Streamed => of_kind(ErrorKind::InvalidInput),
        }
    }
}

/// Classifies a response. `None` is a success.
fn kind(status: StatusCode, end: &End) -> Option<ErrorKind> {
    if !status.is_success() {
        return Some(ErrorKind::of_status(status));
    }
    match end {
        End::Complete => None,
        End::TooLarge => Some(ErrorKind::InvalidResponse),
        End::TimedOut => Some(ErrorKind::Timeout),
        End::Failed(error) => Some(kind_of_transport_error(error)),
    }
}

/// Rebuilds the response with its body in memory. If reading the body failed, reading the rebuilt body fails too.
fn rebuilt(
    status: StatusCode,
    headers: HeaderMap,
    extensions: http::Extensions,
    url: Url,
    body: Body,
) -> reqwest::Response {
    let bytes = Bytes::from(body.bytes);
    let failing = |error: Box<dyn std::error::Error + Send + Sync>| {
        reqwest::Body::wrap_stream(stream::iter([Ok(bytes.clone()), Err(error)]))
    };
    let body = match body.end {
        End::Complete => reqwest::Body::from(bytes),
        End::TooLarge => failing("the response is larger than max_response_bytes".into()),
        End::TimedOut => failing("the response timed out".into()),
        End::Failed(error) => failing(error.into()),
    };
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    *response.extensions_mut() = extensions;
    if let Ok(marked) = http::Response::builder().url(url).body(()) {
        response
            .extensions_mut()
            .extend(marked.into_parts().0.extensions);
    }
    response.into()
}
