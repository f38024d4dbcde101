//! What came of an update.

use std::fmt;
use std::marker::PhantomData;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::generated::Answer;
use crate::matching::{Returned, assign};
use crate::{Batch, CollectionItem, FieldData, ItemKey, Pagination, RateLimit, ReceivedId, Token};

/// An item takes far more memory than its shortest text, so a bound in bytes does not bound what is read from them.
const MOST_ITEMS: usize = 100 * Batch::MAX_ITEMS;

/// The answer to an accepted batch: the items as they are now, and which of the sent ones did not come back.
///
/// Webflow documents a list and a single item as the answer; both are read into the same form. Members that the
/// documentation does not know are kept in `extra`. A list of more than 10 000 items answers no batch of 100, and is
/// [unreadable](crate::ErrorKind::UnreadableAnswer).
///
/// With `skipInvalidFiles` left at its default, an item counts as updated although a file in it may have been skipped;
/// the service does not say so.
#[derive(Clone)]
pub struct UpdateResponse<F = FieldData> {
    items: Vec<CollectionItem<F>>,
    pagination: Option<Pagination>,
    extra: Map<String, Value>,
    sent: Vec<ItemKey>,
    returned: Vec<Returned>,
    status: StatusCode,
    headers: HeaderMap,
    tries: u32,
}

impl<F> UpdateResponse<F> {
    /// Brings both shapes of an answer into one: the key `items` decides. Nothing, if it is neither.
    pub(crate) fn read(
        answer: Answer<F>,
        batch: &Batch,
        status: StatusCode,
        headers: HeaderMap,
    ) -> Option<Self> {
        let (items, extra) = match (answer.items, answer.id) {
            (Some(items), _) => (items, answer.extra),
            (None, Some(id)) => {
                let item = CollectionItem {
                    id,
                    cms_locale_id: answer.cms_locale_id,
                    last_published: answer.last_published,
                    last_updated: answer.last_updated,
                    created_on: answer.created_on,
                    is_archived: answer.is_archived,
                    is_draft: answer.is_draft,
                    field_data: answer.field_data,
                    extra: answer.extra,
                };
                (vec![item], Map::new())
            }
            (None, None) => return None,
        };
        let sent: Vec<_> = batch.updates().iter().map(crate::ItemUpdate::key).collect();
        let received: Vec<_> = items
            .iter()
            .map(|item| (&item.id, item.cms_locale_id.as_ref()))
            .collect();
        let returned = assign(&sent, &received);
        Some(Self {
            items,
            pagination: answer.pagination,
            extra,
            sent,
            returned,
            status,
            headers,
            tries: 1,
        })
    }

    pub(crate) fn after(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// The same without the token, should the service have repeated it beside the customer's own content.
    pub(crate) fn redacted(mut self, token: &Token) -> Self {
        token.redact_headers(&mut self.headers);
        token.redact_members(&mut self.extra);
        for item in &mut self.items {
            token.redact_members(&mut item.extra);
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
        self.sent
            .iter()
            .zip(&self.returned)
            .enumerate()
            .filter(|(_, (_, returned))| !matches!(returned, Returned::Item(_)))
            .map(|(entry, (key, _))| (entry, *key))
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

    /// What else the list holds, beside the documented members.
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
    pub fn tries(&self) -> u32 {
        self.tries
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

/// Reads a member if it is of its type, and takes it for absent if it is of another.
pub(crate) fn if_it_fits<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

/// Reads a list up to the number of items that a batch can be answered with.
pub(crate) fn not_too_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<Items<T>>::deserialize(deserializer).map(|items| items.map(|Items(items)| items))
}

struct Items<T>(Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UpToMost<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for UpToMost<T> {
            type Value = Items<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == MOST_ITEMS {
                        return Err(A::Error::custom(format_args!(
                            "more than {MOST_ITEMS} items answer no batch of {}",
                            Batch::MAX_ITEMS
                        )));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }

        deserializer.deserialize_seq(UpToMost(PhantomData))
    }
}

impl<F> CollectionItem<F> {
    /// The locale of this variant, where the service names it.
    #[must_use]
    pub fn locale(&self) -> Option<&ReceivedId> {
        self.cms_locale_id.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_more_items_than_answer_a_batch_is_not_read_on() {
        let list = |items: usize| {
            let items = vec![r#"{"id":""}"#; items].join(",");
            serde_json::from_str::<Answer<FieldData>>(&format!(r#"{{"items":[{items}]}}"#))
        };
        let answer = list(MOST_ITEMS).expect("an answer");
        assert_eq!(answer.items.map(|items| items.len()), Some(10_000));
        let error = list(MOST_ITEMS + 1).err().expect("too many").to_string();
        assert!(
            error.starts_with("more than 10000 items answer no batch of 100 at line 1 column"),
            "{error}"
        );
        let endless = r#"{"items":["#.to_owned() + &r#"{"id":""},"#.repeat(20_000);
        let error = serde_json::from_str::<Answer<FieldData>>(&endless)
            .err()
            .expect("too many");
        assert!(error.to_string().starts_with("more than"), "{error}");
    }
}
