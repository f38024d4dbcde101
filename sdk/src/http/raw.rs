//! How the requests of the raw client are tried: all of them here, since the generated code can neither try again nor
//! wait.

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use progenitor_client::{ClientHooks, ClientInfo, Error, OperationInfo};
use reqwest::{ResponseBuilderExt as _, StatusCode, Url};

use super::attempts::{Attempt, Ended, Progress, Read, Timer};
use super::body::{self, Body, End};
use super::classify::kind_of_fault;
use super::generated;
use super::span::Target;
use super::transport::Transport;
use crate::error::{Error as SdkError, ErrorKind};
use crate::rate_limit::asked_wait;
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
            return Ok(nothing(&error));
        }
        let mut attempt = RawAttempt {
            transport,
            request,
            operation: operation.operation_id,
        };
        let parts = transport.parts();
        let mut progress = Progress::default();
        let called = parts
            .effects
            .call(&parts.options, &mut attempt, &mut progress)
            .await;
        match called {
            Ok(response)
            | Err(
                Ended::Failed(Fault::Answer(response, _), _)
                | Ended::NotAgain(Fault::Answer(response, _), _),
            ) => Ok(response),
            Err(
                Ended::Failed(Fault::Reqwest(error), _) | Ended::NotAgain(Fault::Reqwest(error), _),
            ) => Err(error),
            Err(Ended::Failed(Fault::TimedOut, _) | Ended::NotAgain(Fault::TimedOut, _)) => {
                Ok(nothing(&SdkError::timed_out()))
            }
            Err(Ended::Failed(Fault::Streamed, _) | Ended::NotAgain(Fault::Streamed, _)) => {
                Ok(nothing(&SdkError::other(
                    "the body is a stream, which cannot be sent again",
                )))
            }
            Err(Ended::NotSent(why)) => Ok(nothing(&SdkError::not_sent(why, &parts.options))),
        }
    }

    async fn post<E>(
        &self,
        result: &reqwest::Result<reqwest::Response>,
        _: &OperationInfo,
    ) -> Result<(), Error<E>> {
        let nothing = result
            .as_ref()
            .ok()
            .and_then(|response| response.extensions().get::<Nothing>());
        match nothing {
            Some(Nothing(why)) => Err(Error::Custom(why.clone())),
            None => Ok(()),
        }
    }
}

/// Stands in a response's extensions when there is none: `exec` can return no error of ours, and `post` can.
#[derive(Clone)]
struct Nothing(String);

fn nothing(why: &SdkError) -> reqwest::Response {
    let mut response = http::Response::new(Bytes::new());
    response.extensions_mut().insert(Nothing(why.to_string()));
    response.into()
}

struct RawAttempt<'a> {
    transport: &'a Transport,
    request: reqwest::Request,
    operation: &'static str,
}

enum Fault {
    /// An answer that is no success, or whose body did not come whole.
    Answer(reqwest::Response, Failed),
    Reqwest(reqwest::Error),
    TimedOut,
    /// The document describes no such body, so the generated code makes none.
    Streamed,
}

impl Attempt for RawAttempt<'_> {
    type Success = reqwest::Response;
    type Fault = Fault;

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

    async fn send(&mut self, mut timer: Timer) -> Result<Read<reqwest::Response>, Read<Fault>> {
        let fault = |value| Read {
            value,
            status: None,
            bytes: 0,
        };
        let Some(request) = self.request.try_clone() else {
            return Err(fault(Fault::Streamed));
        };
        let executed = timer
            .within(Box::pin(self.transport.execute(request)))
            .await;
        let response = match executed {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(fault(Fault::Reqwest(error))),
            None => return Err(fault(Fault::TimedOut)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let (url, length) = (response.url().clone(), response.content_length());
        let extensions = response.extensions().clone();
        let bound = self.transport.parts().max_response_bytes;
        let body = body::read(Box::pin(response.bytes_stream()), bound, length, &mut timer).await;
        let bytes = u64::try_from(body.bytes.len()).unwrap_or(u64::MAX);
        let kind = kind(status, &body.end);
        let now = self.transport.parts().effects.clock.now();
        let failed = kind.map(|kind| Failed {
            kind,
            status: Some(status),
            retry_after: asked_wait(status, &headers, now),
        });
        let response = rebuilt(status, headers, extensions, url, body);
        let status = Some(status);
        match failed {
            None => Ok(Read {
                value: response,
                status,
                bytes,
            }),
            Some(failed) => Err(Read {
                value: Fault::Answer(response, failed),
                status,
                bytes,
            }),
        }
    }

    fn failed(fault: &Fault) -> Failed {
        let of_kind = |kind| Failed {
            kind,
            status: None,
            retry_after: None,
        };
        match fault {
            Fault::Answer(_, failed) => *failed,
            Fault::Reqwest(error) => of_kind(kind_of_fault(error)),
            Fault::TimedOut => of_kind(ErrorKind::Timeout),
            Fault::Streamed => of_kind(ErrorKind::InvalidInput),
        }
    }
}

/// What is wrong with an answer, if anything is.
fn kind(status: StatusCode, end: &End) -> Option<ErrorKind> {
    if !status.is_success() {
        return Some(ErrorKind::of_status(status));
    }
    match end {
        End::Complete => None,
        End::TooLarge => Some(ErrorKind::InvalidResponse),
        End::TimedOut => Some(ErrorKind::Timeout),
        End::Failed(error) => Some(kind_of_fault(error)),
    }
}

/// The answer with its body in memory; if that ended badly, reading it ends the same way.
fn rebuilt(
    status: StatusCode,
    headers: HeaderMap,
    extensions: http::Extensions,
    url: Url,
    body: Body,
) -> reqwest::Response {
    let bytes = Bytes::from(body.bytes);
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
        reqwest::Body::wrap_stream(stream::iter([Ok(bytes.clone()), Err(error)]))
    };
    let body = match body.end {
        End::Complete => reqwest::Body::from(bytes),
        End::TooLarge => broken("the response is larger than max_response_bytes".into()),
        End::TimedOut => broken("the response timed out".into()),
        End::Failed(error) => broken(error.into()),
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
