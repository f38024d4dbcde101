//! Sending one batch.

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
    Attempt, CallOptions, Ended, OperationTimeout, Progress, Read, Timer, Watch,
};
use crate::http::body::{self, Body, End};
use crate::http::generated::wire;
use crate::http::refusal::Head;
use crate::http::span::Target;
use crate::id::CollectionId;
use crate::model::{Batch, CollectionItem, FieldData};
use crate::response::{ParsedResponse, UpdateResponse};
use crate::retry::{Failed, RetryPolicy};

/// How much of the body of a refusal is read at the most, in bytes.
const MAX_REFUSAL_BYTES: usize = 256 * 1024;

impl Client {
    /// Prepares the update of a batch of items in a collection; `.await` sends it, as one request.
    pub fn update(&self, collection: CollectionId, batch: Batch) -> UpdateRequest {
        UpdateRequest::new(self.clone(), collection, batch)
    }
}

/// An update that is about to be sent: `.await` sends it.
///
/// Made by [`Client::update`].
#[must_use = "an update is sent when it is awaited"]
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
    /// Whether files that cannot be imported are skipped while the rest is updated. With `false` the whole batch is
    /// refused if any file in it is invalid. Not sent unless called; Webflow documents `true` as its default.
    pub fn skip_invalid_files(mut self, skip: bool) -> Self {
        self.skip_invalid_files = Some(skip);
        self
    }

    /// Reads the field data of the answer straight into a type of your own. `serde::de::IgnoredAny` skips it, which is
    /// the fastest way to learn which items came back.
    ///
    /// If some item does not fit, the error's [`update_response`](Error::update_response) has the answer all the same.
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

    /// How this call tries again, in place of the client's way.
    ///
    /// A policy whose first back-off is longer than its longest is refused when it is sent.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// How long a try of this call may take from its start to the last byte of the answer, in place of the client's
    /// time. Zero is refused when it is sent.
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.options.attempt_timeout = timeout;
        self
    }

    /// How long this call may take with all its tries and waits, in place of the client's deadline
    /// ([`ClientBuilder::operation_timeout`](crate::ClientBuilder::operation_timeout)). Zero is refused when it is sent.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.options.operation_timeout = OperationTimeout::Call(timeout);
        self
    }

    /// Makes it a call of a run, which is told of each attempt, and has the patience of its policy unless a deadline is
    /// set.
    pub(crate) fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = Some(watch);
        if self.options.operation_timeout == OperationTimeout::Attempts {
            self.options.operation_timeout = OperationTimeout::Unlimited;
        }
        self
    }

    /// Sends the batch. `.await` on the request itself does the same.
    ///
    /// Dropping the future stops the call at once, whatever it is at; a request that is under way may still be acted
    /// on.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind); [`Error::may_have_acted`] says whether the service may have changed items
    /// all the same.
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
        let called = effects
            .call(&self.options, &mut attempt, &mut progress)
            .await;
        let attempts = progress.attempts;
        match called {
            Ok(response) => Ok(response.after(attempts.count)),
            Err(Ended::Failed(error, why)) => {
                Err(error.with_attempts(attempts).stopped(why, &self.options))
            }
            Err(Ended::NotAgain(error, why)) => {
                Err(error.with_attempts(attempts).not_again(why, &self.options))
            }
            Err(Ended::NotSent(why)) => Err(Error::not_sent(why, &self.options)),
        }
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

    /// Makes a response or an error of what was read of a documented answer.
    fn judged(&self, head: &Head<'_>, body: Body) -> Result<UpdateResponse<F>, Error>
    where
        F: DeserializeOwned,
    {
        if !matches!(body.end, End::Complete) {
            return Err(Error::unread(head, body));
        }
        self.accepted(head.status, head.headers.clone(), &body.bytes)
            .map_err(|unreadable| unreadable.into_error(head, &body.bytes))
    }

    fn accepted(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<UpdateResponse<F>, Mismatch>
    where
        F: DeserializeOwned,
    {
        let text = std::str::from_utf8(body).map_err(|_| Mismatch::new("it is not UTF-8"))?;
        match ParsedResponse::read(text) {
            Ok(Some(answer)) => Ok(UpdateResponse::read(answer, &self.batch, status, headers)),
            Ok(None) => Err(Mismatch::new(
                "it holds neither an item nor a list of items",
            )),
            Err(error) => Err(self.unfit(status, headers, text, &error)),
        }
    }

    /// Says why an answer could not be read, and reads it without its field data if those are all that does not fit.
    fn unfit(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        text: &str,
        error: &serde_json::Error,
    ) -> Mismatch
    where
        F: DeserializeOwned,
    {
        let response = ParsedResponse::<FieldData>::read(text)
            .ok()
            .flatten()
            .map(|answer| UpdateResponse::read(answer, &self.batch, status, headers));
        let reason = match response
            .as_ref()
            .and_then(|response| first_unfit::<F>(response.items()))
        {
            Some(reason) => reason,
            None => error.to_string(),
        };
        let token = &self.client.transport().parts().token;
        let response = response.map(|response| {
            response.redacted(
                |text| token.redact(text),
                |members| token.redact_members(members),
            )
        });
        Mismatch { reason, response }
    }
}

/// A batch on its way, with the body that every try sends.
struct BatchAttempt<'r, F> {
    request: &'r UpdateRequest<F>,
    body: Bytes,
}

impl<F: DeserializeOwned + Send> Attempt for BatchAttempt<'_, F> {
    type Success = UpdateResponse<F>;
    type Fault = Error;

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

    async fn send(&mut self, mut timer: Timer) -> Result<Read<UpdateResponse<F>>, Read<Error>> {
        let fault = |value| Read {
            value,
            status: None,
            bytes: 0,
        };
        let sending = Box::pin(self.request.request(self.body.clone()));
        let Some(answered) = timer.within(sending).await else {
            return Err(fault(Error::timed_out()));
        };
        let (answer, accepted) = match answered {
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
                return Err(fault(Error::transport(error, token)));
            }
            Err(GeneratedError::InvalidRequest(reason) | GeneratedError::Custom(reason)) => {
                return Err(fault(Error::other(reason)));
            }
            Err(GeneratedError::InvalidResponsePayload(..)) => {
                return Err(fault(Error::other("the answer was read twice")));
            }
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let length = answer.content_length();
        let most = self.request.client.transport().parts().max_response_bytes;
        let bound = if accepted {
            most
        } else {
            most.min(MAX_REFUSAL_BYTES)
        };
        let body = body::read(answer.into_inner_stream(), bound, length, &mut timer).await;
        let bytes = u64::try_from(body.bytes.len()).unwrap_or(u64::MAX);
        let head = self.request.head(status, headers, &self.body);
        let read = if accepted {
            self.request.judged(&head, body)
        } else {
            Err(Error::refused(&head, body))
        };
        let status = Some(status);
        match read {
            Ok(value) => Ok(Read {
                value,
                status,
                bytes,
            }),
            Err(value) => Err(Read {
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

struct Mismatch {
    reason: String,
    response: Option<UpdateResponse>,
}

impl Mismatch {
    fn new(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            response: None,
        }
    }

    fn into_error(self, head: &Head<'_>, body: &[u8]) -> Error {
        let error = Error::unreadable(head, body, &self.reason);
        match self.response {
            Some(response) => error.with_attachment(response),
            None => error,
        }
    }
}

fn first_unfit<F: DeserializeOwned>(items: &[CollectionItem<FieldData>]) -> Option<String> {
    items.iter().enumerate().find_map(|(position, item)| {
        let error = item.field_data.as_ref()?.deserialize::<F>().err()?;
        Some(format!("the field data of item {} at position {position} do not fit the type asked for: {error}", item.id))
    })
}
