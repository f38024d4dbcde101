//! Sending one batch.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use progenitor_client::{ByteStream, Error as GeneratedError, ResponseValue};
use serde::de::DeserializeOwned;

use crate::body::{self, Body, End};
use crate::error::{Error, Head};
use crate::generated::{Answer, wire};
use crate::{Batch, Client, CollectionId, CollectionItem, FieldData, UpdateResponse};

/// How much of the body of a refusal is read, in bytes.
const MAX_REFUSAL_BYTES: usize = 256 * 1024;

/// An update that is about to be sent: `.await` sends it.
///
/// Made by [`Client::update`].
#[must_use = "an update is sent when it is awaited"]
#[derive(Debug)]
pub struct UpdateRequest<'a, F = FieldData> {
    client: &'a Client,
    collection: CollectionId,
    batch: &'a Batch,
    skip_invalid_files: Option<bool>,
    field_data: PhantomData<fn() -> F>,
}

impl<'a> UpdateRequest<'a> {
    pub(crate) fn new(client: &'a Client, collection: CollectionId, batch: &'a Batch) -> Self {
        Self {
            client,
            collection,
            batch,
            skip_invalid_files: None,
            field_data: PhantomData,
        }
    }
}

impl<'a, F> UpdateRequest<'a, F> {
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
    pub fn fields_as<T: DeserializeOwned>(self) -> UpdateRequest<'a, T> {
        let Self {
            client,
            collection,
            batch,
            skip_invalid_files,
            ..
        } = self;
        UpdateRequest {
            client,
            collection,
            batch,
            skip_invalid_files,
            field_data: PhantomData,
        }
    }

    /// Sends the batch. `.await` on the request itself does the same.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind); [`Error::may_have_acted`] says whether the service may have changed items
    /// all the same.
    pub async fn send(self) -> Result<UpdateResponse<F>, Error>
    where
        F: DeserializeOwned,
    {
        let parts = self.client.transport().parts();
        let head = |status: StatusCode, headers: HeaderMap| Head {
            status,
            headers,
            token: &parts.token,
            now: parts.clock.now(),
        };
        match self.request(self.batch.body()?).await {
            Ok(response) => {
                let (status, headers, body) = read(response, parts.max_answer_bytes).await;
                if let End::Complete = body.end {
                    self.accepted(status, headers.clone(), &body.bytes)
                        .map_err(|unreadable| {
                            unreadable.into_error(head(status, headers), &body.bytes)
                        })
                } else {
                    Err(Error::unread(head(status, headers), body))
                }
            }
            Err(GeneratedError::ErrorResponse(response)) => {
                let (status, headers, body) = read(response, MAX_REFUSAL_BYTES).await;
                Err(Error::refused(head(status, headers), body))
            }
            Err(GeneratedError::UnexpectedResponse(response)) => {
                let (status, headers, body) =
                    read(ResponseValue::stream(response), MAX_REFUSAL_BYTES).await;
                Err(Error::refused(head(status, headers), body))
            }
            Err(
                GeneratedError::CommunicationError(error)
                | GeneratedError::InvalidUpgrade(error)
                | GeneratedError::ResponseBodyError(error),
            ) => Err(Error::transport(error)),
            Err(GeneratedError::InvalidRequest(reason) | GeneratedError::Custom(reason)) => {
                Err(Error::other(reason))
            }
            Err(GeneratedError::InvalidResponsePayload(..)) => {
                Err(Error::other("the answer was read twice"))
            }
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

    fn accepted(
        &self,
        status: StatusCode,
        headers: HeaderMap,
        body: &[u8],
    ) -> Result<UpdateResponse<F>, Unreadable>
    where
        F: DeserializeOwned,
    {
        let text = std::str::from_utf8(body).map_err(|_| Unreadable::new("it is not UTF-8"))?;
        match serde_json::from_str::<Answer<F>>(text) {
            Ok(answer) => UpdateResponse::read(answer, self.batch, status, headers)
                .ok_or_else(|| Unreadable::new("it holds neither an item nor a list of items")),
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
    ) -> Unreadable
    where
        F: DeserializeOwned,
    {
        let response = serde_json::from_str::<Answer<FieldData>>(text)
            .ok()
            .and_then(|answer| UpdateResponse::read(answer, self.batch, status, headers));
        let reason = match response
            .as_ref()
            .and_then(|response| first_unfit::<F>(response.items()))
        {
            Some(reason) => reason,
            None => error.to_string(),
        };
        let token = &self.client.transport().parts().token;
        let response = response.map(|response| Box::new(response.redacted(token)));
        Unreadable { reason, response }
    }
}

impl<'a, F: DeserializeOwned + Send + 'a> IntoFuture for UpdateRequest<'a, F> {
    type Output = Result<UpdateResponse<F>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

struct Unreadable {
    reason: String,
    response: Option<Box<UpdateResponse>>,
}

impl Unreadable {
    fn new(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            response: None,
        }
    }

    fn into_error(self, head: Head<'_>, body: &[u8]) -> Error {
        let error = Error::unreadable(head, body, &self.reason);
        match self.response {
            Some(response) => error.with_response(response),
            None => error,
        }
    }
}

fn first_unfit<F: DeserializeOwned>(items: &[CollectionItem<FieldData>]) -> Option<String> {
    items.iter().enumerate().find_map(|(position, item)| {
        let error = item.field_data.as_ref()?.read::<F>().err()?;
        Some(format!("the field data of item {} at position {position} do not fit the type asked for: {error}", item.id))
    })
}

async fn read(response: ResponseValue<ByteStream>, bound: usize) -> (StatusCode, HeaderMap, Body) {
    let status = response.status();
    let headers = response.headers().clone();
    let length = response.content_length();
    let body = body::read(response.into_inner_stream(), bound, length).await;
    (status, headers, body)
}
