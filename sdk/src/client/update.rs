//! The request that updates one batch.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use progenitor_client::{ByteStream, Error as GeneratedError, ResponseValue};
use serde::de::DeserializeOwned;

use super::handle::Client;
use crate::error::Error;
use crate::http::attempts::{
    Attempt, AttemptTimeout, CallFailure, CallOptions, OperationTimeout, Progress, Received, Watch,
};
use crate::http::body::{self, Body, End};
use crate::http::generated::wire;
use crate::http::refusal::Head;
use crate::http::span::Target;
use crate::id::CollectionId;
use crate::model::{Batch, CollectionItem, FieldData};
use crate::response::{ParsedResponse, UpdateResponse};
use crate::retry::{Failed, RetryPolicy};

/// The maximum size of the body of an error response, in bytes.
const MAX_ERROR_BYTES: usize = 256 * 1024;

impl Client {
    /// Creates a request that updates a batch of items in a collection. `.await` sends it.
    ///
    /// For any number of updates, use [`Client::bulk`].
    pub fn update(&self, collection: CollectionId, batch: Batch) -> UpdateRequest {
        UpdateRequest::new(self.clone(), collection, batch)
    }
}

/// A request that updates one batch. `.await` sends it.
///
/// [`Client::update`] creates it. Its future is `Send` and `'static`, so it can be spawned.
#[must_use = "a request is not sent unless it is awaited"]
#[derive(Debug)]
pub struct UpdateRequest<F = FieldData> {
    client: Client,
    collection: CollectionId,
    batch: Batch,
    skip_invalid_files: Option<bool>,
    options: CallOptions,
    watch: Option<Arc<dyn Watch>>,
    field_data: PhantomData<fn() -> F>,
}

impl UpdateRequest {
    pub(crate) fn new(client: Client, collection: CollectionId, batch: Batch) -> Self {
        let options = client.transport().parts().options.clone();
        Self {
            client,
            collection,
            batch,
            skip_invalid_files: None,
            options,
            watch: None,
            field_data: PhantomData,
        }
    }
}

impl<F> UpdateRequest<F> {
    /// Sets the query parameter `skipInvalidFiles`. Default: not sent, for which Webflow documents `true`.
    ///
    /// With `true`, Webflow skips files that it cannot import and updates the rest. With `false`, it rejects the whole
    /// batch if any file in it is invalid.
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.skip_invalid_files = Some(skip);
        self
    }

    /// Deserializes the field data of the response into a type of your own.
    ///
    /// `serde::de::IgnoredAny` skips the field data, which is the fastest way to confirm the items.
    ///
    /// If the field data of an item does not match the type, the call fails although the update has succeeded.
    /// [`Error::update_response`] returns the response then.
    pub fn fields_as<T: DeserializeOwned>(self) -> UpdateRequest<T> {
        let Self {
            client,
            collection,
            batch,
            skip_invalid_files,
            options,
            watch,
            ..
        } = self;
        UpdateRequest {
            client,
            collection,
            batch,
            skip_invalid_files,
            options,
            watch,
            field_data: PhantomData,
        }
    }

    /// Sets the retry policy of this call. Default: the client's.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// Sets the timeout of an attempt of this call, see
    /// [`ClientBuilder::attempt_timeout`](crate::ClientBuilder::attempt_timeout). Default: the client's.
    ///
    /// A call with a timeout of zero fails with [`InvalidInput::ZeroTimeout`](crate::error::InvalidInput::ZeroTimeout).
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout = timeout;
        self
    }

    /// Sets the timeout of this call with all its attempts and waits, see
    /// [`ClientBuilder::operation_timeout`](crate::ClientBuilder::operation_timeout). Default: the client's.
    ///
    /// A call with a timeout of zero fails with [`InvalidInput::ZeroTimeout`](crate::error::InvalidInput::ZeroTimeout).
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.options.operation_timeout = OperationTimeout::Call(timeout);
        self
    }

    /// Makes it a call of a bulk run, which has a hook for each attempt, and no operation timeout unless one is set.
    pub(crate) fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        if self.options.operation_timeout == OperationTimeout::Attempts {
            self.options.operation_timeout = OperationTimeout::Unlimited;
        }
        self
    }

    /// Sends the request. `.await` on the request itself does the same.
    ///
    /// Dropping the future cancels the call at once. The service may still act on a request that was sent before.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) except [`Journal`](crate::ErrorKind::Journal). [`Error::may_have_acted`]
    /// says whether the service may have changed items although the call failed.
    pub async fn send(self) -> Result<UpdateResponse<F>, Error>
    where
        F: DeserializeOwned + Send,
    {
        self.options.check()?;
        self.client.transport().parts().home.check()?;
        let mut attempt = BatchAttempt {
            body: self.batch.body()?,
            request: &self,
        };
        let mut progress = Progress {
            watch: self.watch.clone(),
            ..Progress::default()
        };
        let effects = &self.client.transport().parts().effects;
        let result = effects
            .call(&self.options, &mut attempt, &mut progress)
            .await;
        let attempts = progress.attempts;
        result
            .map(|response| response.with_attempts(attempts.count))
            .map_err(|failure| match failure {
                CallFailure::Attempt(error, reason) => {
                    error.with_attempts(attempts).stopped(reason, &self.options)
                }
                CallFailure::NotRetried(error, reason) => error
                    .with_attempts(attempts)
                    .not_retried(reason, &self.options),
                CallFailure::NotSent(reason) => Error::not_sent(reason, &self.options),
            })
    }

    async fn request(
        &self,
        body: Bytes,
    ) -> Result<ResponseValue<ByteStream>, GeneratedError<ByteStream>> {
        let client: &wire::Client = self.client.wire();
        client
            .update_items(self.collection.as_str(), self.skip_invalid_files, body)
            .await
    }

    fn head<'h>(&'h self, status: StatusCode, headers: HeaderMap, request: &'h [u8]) -> Head<'h> {
        let parts = self.client.transport().parts();
        Head {
            status,
            headers,
            token: &parts.token,
            request,
            now: parts.effects.clock.now(),
        }
    }

    /// Makes a response or an error of a body with status 200.
    fn accepted(&self, head: &Head<'_>, body: Body) -> Result<UpdateResponse<F>, Error>
    where
        F: DeserializeOwned,
    {
        if !matches!(body.end, End::Complete) {
            return Err(Error::incomplete(head, body));
        }
        self.parsed(head.status, head.headers.clone(), &body.bytes)
            .map_err(|mismatch| mismatch.into_error(head, &body.bytes))
    }

    fn parsed(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<UpdateResponse<F>, Mismatch>
    where
        F: DeserializeOwned,
    {
        let text = std::str::from_utf8(body).map_err(|_| Mismatch::new("it is not UTF-8"))?;
        match ParsedResponse::parse(text) {
            Ok(Some(parsed)) => Ok(UpdateResponse::from_parsed(
                parsed,
                &self.batch,
                status,
                headers,
            )),
            Ok(None) => Err(Mismatch::new("it has neither an item nor a list of items")),
            Err(error) => Err(self.mismatch(status, headers, text, &error)),
        }
    }

    /// Explains why a response could not be parsed. Parses it with its field data as JSON, if only the field data does
    /// not match.
    fn mismatch(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        text: &str,
        error: &serde_json::Error,
    ) -> Mismatch
    where
        F: DeserializeOwned,
    {
        let response = ParsedResponse::<FieldData>::parse(text)
            .ok()
            .flatten()
            .map(|parsed| UpdateResponse::from_parsed(parsed, &self.batch, status, headers));
        let reason = match response
            .as_ref()
            .and_then(|response| first_mismatch::<F>(response.items()))
        {
            Some(reason) => reason,
            None => error.to_string(),
        };
        let token = &self.client.transport().parts().token;
        let response = response.map(|response| {
            Box::new(response.redacted(
                |text| token.redact(text),
                |members| token.redact_members(members),
            ))
        });
        Mismatch { reason, response }
    }
}

/// The request with its body, which all attempts share.
struct BatchAttempt<'r, F> {
    request: &'r UpdateRequest<F>,
    body: Bytes,
}

impl<F: DeserializeOwned + Send> Attempt for BatchAttempt<'_, F> {
    type Success = UpdateResponse<F>;
    type Failure = Error;

    fn target(&self) -> Target {
        let base_url = &self.request.client.transport().parts().base_url;
        let mut url = base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let collection = self.request.collection.as_str();
            path.pop_if_empty()
                .extend(["collections", collection, "items"]);
        }
        if let Some(skip) = self.request.skip_invalid_files {
            url.set_query(Some(&format!("skipInvalidFiles={skip}")));
        }
        Target::new(Method::PATCH, url, "update_items", base_url)
    }

    fn len(&self) -> u64 {
        u64::try_from(self.body.len()).unwrap_or(u64::MAX)
    }

    async fn send(
        &mut self,
        mut timeout: AttemptTimeout,
    ) -> Result<Received<UpdateResponse<F>>, Received<Error>> {
        let nothing_received = |value| Received {
            value,
            status: None,
            bytes: 0,
        };
        let sending = Box::pin(self.request.request(self.body.clone()));
        let Some(result) = timeout.run(sending).await else {
            return Err(nothing_received(Error::timed_out()));
        };
        let (response, is_accepted) = match result {
            Ok(response) => (response, true),
            Err(GeneratedError::ErrorResponse(response)) => (response, false),
            Err(GeneratedError::UnexpectedResponse(response)) => {
                (ResponseValue::stream(response), false)
            }
            Err(
                GeneratedError::CommunicationError(error)
                | GeneratedError::InvalidUpgrade(error)
                | GeneratedError::ResponseBodyError(error),
            ) => {
                let token = &self.request.client.transport().parts().token;
                return Err(nothing_received(Error::transport(error, token)));
            }
            Err(GeneratedError::InvalidRequest(reason) | GeneratedError::Custom(reason)) => {
                return Err(nothing_received(Error::other(reason)));
            }
            Err(GeneratedError::InvalidResponsePayload(..)) => {
                return Err(nothing_received(Error::other(
                    "the body of the response was consumed",
                )));
            }
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let length = response.content_length();
        let max_bytes = self.request.client.transport().parts().max_response_bytes;
        let max_bytes = if is_accepted {
            max_bytes
        } else {
            max_bytes.min(MAX_ERROR_BYTES)
        };
        let stream = response.into_inner_stream();
        let body = body::read(stream, max_bytes, length, &mut timeout).await;
        let bytes = u64::try_from(body.bytes.len()).unwrap_or(u64::MAX);
        let head = self.request.head(status, headers, &self.body);
        let result = if is_accepted {
            self.request.accepted(&head, body)
        } else {
            Err(Error::refused(&head, body))
        };
        let status = Some(status);
        match result {
            Ok(value) => Ok(Received {
                value,
                status,
                bytes,
            }),
            Err(value) => Err(Received {
                value,
                status,
                bytes,
            }),
        }
    }

    fn failed(error: &Error) -> Failed {
        Failed {
            kind: error.kind(),
            status: error.status(),
            retry_after: error.retry_after(),
        }
    }
}

impl<F: DeserializeOwned + Send + 'static> IntoFuture for UpdateRequest<F> {
    type Output = Result<UpdateResponse<F>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// The reason why a response is invalid, and the response if only its field data is.
struct Mismatch {
    reason: String,
    response: Option<Box<UpdateResponse>>,
}

impl Mismatch {
    fn new(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            response: None,
        }
    }

    fn into_error(self, head: &Head<'_>, body: &[u8]) -> Error {
        let error = Error::invalid_response(head, body, &self.reason);
        match self.response {
            Some(response) => error.with_attachment(*response),
            None => error,
        }
    }
}

fn first_mismatch<F: DeserializeOwned>(items: &[CollectionItem<FieldData>]) -> Option<String> {
    items.iter().enumerate().find_map(|(position, item)| {
        let error = item.field_data.as_ref()?.deserialize::<F>().err()?;
        Some(format!(
            "the field data of item {} at position {position} does not match the type: {error}",
            item.id
        ))
    })
}
