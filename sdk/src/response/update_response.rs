//! The response of an update.

use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::matching::{Returned, assign};
use super::parse::ParsedResponse;
use crate::error::Error;
use crate::id::ItemKey;
use crate::model::{Batch, CollectionItem, FieldData, ItemUpdate, Pagination};
use crate::rate_limit::RateLimit;

/// The response to an accepted batch: the items in their new state, and the entries without an item.
///
/// Webflow documents two shapes of the response, a list and a single item. Both are accessed in the same way.
/// Undocumented members are kept in [`extra`](Self::extra). A list of more than 10,000 items is
/// [invalid](crate::ErrorKind::InvalidResponse), since a batch has at most 100.
///
/// Unless [`skip_invalid_files(false)`](crate::client::UpdateRequest::skip_invalid_files) is set, Webflow may skip an
/// invalid file and update the rest of the item. The response does not say so.
#[derive(Clone)]
pub struct UpdateResponse<F = FieldData> {
    items: Vec<CollectionItem<F>>,
    pagination: Option<Pagination>,
    extra: Map<String, Value>,
    batch: Batch,
    returned: Vec<Returned>,
    status: StatusCode,
    headers: HeaderMap,
    attempts: u32,
}

impl<F> UpdateResponse<F> {
    /// Converts a parsed response of either shape.
    pub(crate) fn from_parsed(
        parsed: ParsedResponse<F>,
        batch: &Batch,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Self {
        let (items, pagination, extra) = match parsed {
            ParsedResponse::List {
                items,
                pagination,
                extra,
            } => (items, pagination, extra),
            ParsedResponse::Item(item) => (vec![item], None, Map::new()),
        };
        let sent: Vec<_> = batch.updates().iter().map(ItemUpdate::key).collect();
        let received: Vec<_> = items
            .iter()
            .map(|item| (&item.id, item.cms_locale_id.as_ref()))
            .collect();
        let returned = assign(&sent, &received);
        Self {
            items,
            pagination,
            extra,
            batch: batch.clone(),
            returned,
            status,
            headers,
            attempts: 1,
        }
    }

    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Redacts the headers and the undocumented members.
    pub(crate) fn redacted(
        mut self,
        text: impl Fn(&str) -> String,
        members: impl Fn(&mut Map<String, Value>),
    ) -> Self {
        for value in self.headers.values_mut() {
            let redacted = text(&String::from_utf8_lossy(value.as_bytes()));
            *value = HeaderValue::from_str(&redacted).unwrap_or(HeaderValue::from_static(""));
        }
        members(&mut self.extra);
        for item in &mut self.items {
            members(&mut item.extra);
        }
        self
    }

    /// Returns the items in the order of the response.
    #[must_use]
    pub fn items(&self) -> &[CollectionItem<F>] {
        &self.items
    }

    /// Converts the response into its items.
    #[must_use]
    pub fn into_items(self) -> Vec<CollectionItem<F>> {
        self.items
    }

    /// Returns the match of each entry of the batch, in the order of the batch.
    #[must_use]
    pub fn returned(&self) -> &[Returned] {
        &self.returned
    }

    /// Returns the item of an entry of the batch. Entries are counted from 0.
    #[must_use]
    pub fn item_of(&self, entry: usize) -> Option<&CollectionItem<F>> {
        match self.returned.get(entry)? {
            Returned::Item(position) => self.items.get(*position),
            Returned::Missing | Returned::Ambiguous(_) => None,
        }
    }

    /// Iterates over the entries without an item, or without one that is certainly theirs.
    ///
    /// The service accepted the batch, so it may have updated them.
    pub fn unconfirmed(&self) -> impl Iterator<Item = (usize, ItemKey)> {
        self.batch
            .updates()
            .iter()
            .zip(&self.returned)
            .enumerate()
            .filter(|(_, (_, returned))| !matches!(returned, Returned::Item(_)))
            .map(|(entry, (update, _))| (entry, update.key()))
    }

    /// Iterates over the items that belong to no entry of the batch.
    pub fn unexpected(&self) -> impl Iterator<Item = &CollectionItem<F>> {
        let mut expected = vec![false; self.items.len()];
        for returned in &self.returned {
            let positions = match returned {
                Returned::Item(position) => std::slice::from_ref(position),
                Returned::Ambiguous(positions) => positions,
                Returned::Missing => &[],
            };
            for position in positions {
                if let Some(expected) = expected.get_mut(*position) {
                    *expected = true;
                }
            }
        }
        self.items
            .iter()
            .zip(expected)
            .filter(|(_, expected)| !expected)
            .map(|(item, _)| item)
    }

    /// Returns the position of the list among the items of the collection, or `None` if the response has none.
    #[must_use]
    pub fn pagination(&self) -> Option<&Pagination> {
        self.pagination.as_ref()
    }

    /// Returns the undocumented members of the list. A number that does not fit 64 bits is rounded to a float, and a
    /// number that exceeds a float becomes a string.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// Returns the status, which is 200.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns how many times the request was sent, including the successful attempt.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns the rate limit of the token, from the headers of the response.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::from_headers(&self.headers)
    }

    /// Returns the headers of the response. Webflow sends `Retry-After` with successful responses too, where it
    /// requests no wait.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl Error {
    /// Returns the response with its field data as JSON, if the only fault is field data that does not match the type
    /// of [`fields_as`](crate::client::UpdateRequest::fields_as). The update has succeeded then.
    #[must_use]
    pub fn update_response(&self) -> Option<&UpdateResponse> {
        self.attachment()
    }
}

impl UpdateResponse {
    /// Returns the slugs of the fields that were sent for an entry of the batch and that its item lacks. Entries are
    /// counted from 0.
    ///
    /// Webflow was observed to accept and drop the value of a field that had been added to the collection and not yet
    /// published.
    ///
    /// - A field that was sent empty (`null`, `""` or `[]`) is never missing, since a response may omit it.
    /// - The list is empty if the response has no item for the entry, or the item has no field data.
    /// - Values are not compared, only the presence of the field.
    ///
    /// A response whose field data is deserialized [into a type](crate::client::UpdateRequest::fields_as) lacks this
    /// method, since the type does not show which fields were present.
    ///
    /// ```no_run
    /// # use webflow_cms::{Batch, Client, CollectionId};
    /// # async fn example(client: Client, collection: CollectionId, batch: Batch) -> Result<(), webflow_cms::Error> {
    /// let response = client.update(collection, batch.clone()).await?;
    /// for (entry, update) in batch.updates().iter().enumerate() {
    ///     for field in response.missing_fields(entry) {
    ///         eprintln!("{}: the field {field} was not stored", update.key());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn missing_fields(&self, entry: usize) -> Vec<Box<str>> {
        match (self.batch.updates().get(entry), self.item_of(entry)) {
            (Some(update), Some(item)) => update.missing_fields(item),
            _ => Vec::new(),
        }
    }
}

impl<F: fmt::Debug> fmt::Debug for UpdateResponse<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("UpdateResponse")
            .field("status", &self.status.as_u16())
            .field("rate_limit", &self.rate_limit())
            .field("items", &self.items)
            .field("returned", &self.returned)
            .field("pagination", &self.pagination)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}
