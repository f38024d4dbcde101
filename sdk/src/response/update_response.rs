//! What came of an update.

use std::fmt;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};

use super::matching::{Returned, assign};
use super::parse::ParsedResponse;
use crate::error::Error;
use crate::id::ItemKey;
use crate::model::{Batch, CollectionItem, FieldData, ItemUpdate, Pagination};
use crate::rate_limit::RateLimit;

/// The answer to an accepted batch: the items as they are now, and which of the sent ones did not come back.
///
/// Webflow documents a list and a single item as the answer; both are read into the same form. Members that the
/// documentation does not know are kept in `extra`. A list of more than 10 000 items answers no batch of 100, and is
/// [unreadable](crate::ErrorKind::InvalidResponse).
///
/// With `skipInvalidFiles` left at its default, an item counts as updated although a file in it may have been skipped;
/// the service does not say so.
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
    /// Brings both shapes of an answer into one.
    pub(crate) fn read(
        answer: ParsedResponse<F>,
        batch: &Batch,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Self {
        let (items, pagination, extra) = match answer {
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

    pub(crate) fn after(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Applies a redaction to the headers, and to the members beside the documented ones.
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

    /// The items that came back, in the order of the answer.
    #[must_use]
    pub fn items(&self) -> &[CollectionItem<F>] {
        &self.items
    }

    /// The items that came back, to keep.
    #[must_use]
    pub fn into_items(self) -> Vec<CollectionItem<F>> {
        self.items
    }

    /// For each entry of the batch, in its order, what the answer holds of it.
    #[must_use]
    pub fn returned(&self) -> &[Returned] {
        &self.returned
    }

    /// The item that came back for an entry of the batch, by the entry's position, counted from 0.
    #[must_use]
    pub fn item_of(&self, entry: usize) -> Option<&CollectionItem<F>> {
        match self.returned.get(entry)? {
            Returned::Item(position) => self.items.get(*position),
            Returned::Missing | Returned::Ambiguous(_) => None,
        }
    }

    /// The sent entries for which no item came back, or none that can be told to be theirs. The service accepted the
    /// batch, so whether it changed them is not known.
    pub fn unconfirmed(&self) -> impl Iterator<Item = (usize, ItemKey)> {
        self.batch
            .updates()
            .iter()
            .zip(&self.returned)
            .enumerate()
            .filter(|(_, (_, returned))| !matches!(returned, Returned::Item(_)))
            .map(|(entry, (update, _))| (entry, update.key()))
    }

    /// The items that came back and belong to no entry of the batch.
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

    /// Where the list stands among the items of the collection, if the service says so.
    #[must_use]
    pub fn pagination(&self) -> Option<&Pagination> {
        self.pagination.as_ref()
    }

    /// What else the list holds, beside the documented members. A number that does not fit 64 bits is rounded to a float,
    /// and one that no float holds is given as text.
    #[must_use]
    pub fn extra(&self) -> &Map<String, Value> {
        &self.extra
    }

    /// The status, which is the documented one.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// How often the request was sent until it was answered with this.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The requests that the token may make and has left.
    #[must_use]
    pub fn rate_limit(&self) -> RateLimit {
        RateLimit::from_headers(&self.headers)
    }

    /// The headers of the answer. A healthy answer of Webflow carries `Retry-After` too, which asks for no wait.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl Error {
    /// The response with its field data as plain JSON, if nothing but the field data of an item did not fit the type
    /// that was asked for. The update has succeeded then.
    #[must_use]
    pub fn update_response(&self) -> Option<&UpdateResponse> {
        self.attachment()
    }
}

impl UpdateResponse {
    /// The slugs of the fields that were sent for an entry of the batch and that its returned item lacks. Entries are
    /// counted from 0.
    ///
    /// Webflow was seen to accept and drop the value of a field that had been added to the collection and not yet
    /// published. A field that was sent empty (`null`, `""` or `[]`) may be left out of a response, and is never
    /// missing. If the item did not come back, or came back without field data, nothing is known and the list is empty.
    /// Whether a field came back with another value is not looked at.
    ///
    /// A response whose field data were read [into a type](crate::UpdateRequest::fields_as) does not know which fields
    /// it had, and has no such method.
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
