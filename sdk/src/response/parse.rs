//! Reading an answer in either of its documented shapes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{Batch, CollectionItem, Pagination};
use crate::text::without_mark;

/// An item takes far more memory than its shortest text, so a bound in bytes does not bound what is read from them.
const MOST_ITEMS: usize = 100 * Batch::MAX_ITEMS;

/// An answer to an accepted batch. The key `items` decides which it is.
pub(crate) enum ParsedResponse<F> {
    List {
        items: Vec<CollectionItem<F>>,
        pagination: Option<Pagination>,
        extra: Map<String, Value>,
    },
    Item(CollectionItem<F>),
}

impl<F: DeserializeOwned> ParsedResponse<F> {
    /// Nothing, if it is neither an item nor a list.
    pub(crate) fn read(text: &str) -> serde_json::Result<Option<Self>> {
        let text = without_mark(text);
        let Members { items, rest } = serde_json::from_str::<Members<'_, F>>(text)?;
        let Some(items) = items else {
            let is_item = rest
                .iter()
                .any(|(name, value)| name == "id" && value.get() != "null");
            return if is_item {
                serde_json::from_str(text).map(Self::Item).map(Some)
            } else {
                Ok(None)
            };
        };
        let mut pagination = None;
        let mut extra = Map::new();
        for (name, value) in rest {
            if name == "pagination" {
                pagination = serde_json::from_str(value.get()).ok();
                if pagination.is_some() {
                    continue;
                }
            }
            // Not all that is JSON is a value: 1e999 is none.
            let value = serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().into());
            extra.insert(name, value);
        }
        Ok(Some(Self::List {
            items,
            pagination,
            extra,
        }))
    }
}

/// The members of an answer; of a list, its items are read.
struct Members<'a, F> {
    items: Option<Vec<CollectionItem<F>>>,
    rest: Vec<(String, &'a RawValue)>,
}

impl<'de, F: DeserializeOwned> Deserialize<'de> for Members<'de, F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName<F>(PhantomData<F>);

        impl<'de, F: DeserializeOwned> Visitor<'de> for ByName<F> {
            type Value = Members<'de, F>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an item or a list of items")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut items, mut rest) = (None, Vec::new());
                while let Some(name) = map.next_key::<String>()? {
                    if name != "items" {
                        rest.push((name, map.next_value()?));
                    } else if items.is_none() {
                        items = map.next_value::<Option<Items<F>>>()?;
                    } else {
                        return Err(A::Error::duplicate_field("items"));
                    }
                }
                let items = items.map(|Items(items)| items);
                Ok(Members { items, rest })
            }
        }

        deserializer.deserialize_map(ByName(PhantomData))
    }
}

struct Items<F>(Vec<CollectionItem<F>>);

impl<'de, F: DeserializeOwned> Deserialize<'de> for Items<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UpToMost<F>(PhantomData<F>);

        impl<'de, F: DeserializeOwned> Visitor<'de> for UpToMost<F> {
            type Value = Items<F>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<F>, A::Error> {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::FieldData;

    fn read(text: &str) -> serde_json::Result<Option<ParsedResponse<FieldData>>> {
        ParsedResponse::read(text)
    }

    fn list(text: &str) -> (usize, Option<Pagination>, Map<String, Value>) {
        match read(text) {
            Ok(Some(ParsedResponse::List {
                items,
                pagination,
                extra,
            })) => (items.len(), pagination, extra),
            Ok(_) => panic!("no list: {text}"),
            Err(error) => panic!("{error}: {text}"),
        }
    }

    #[test]
    fn what_stands_beside_the_items_is_kept_and_does_not_disturb_them() {
        let (items, pagination, extra) = list(
            r#"{"id":7,"cmsLocaleId":[],"isDraft":true,"fieldData":1,"far":1e999,"half":"\ud83d","items":[{"id":"a"}],
            "pagination":"none"}"#,
        );
        assert_eq!((items, pagination.is_none()), (1, true));
        let kept = json!({
            "id": 7, "cmsLocaleId": [], "isDraft": true, "fieldData": 1, "far": "1e999", "half": r#""\ud83d""#,
            "pagination": "none",
        });
        assert_eq!(Value::Object(extra), kept);
        let (_, pagination, extra) = list(r#"{"pagination":{"limit":7},"items":[]}"#);
        assert_eq!(pagination.and_then(|pages| pages.limit), Some(7));
        assert!(extra.is_empty());
    }

    #[test]
    fn an_answer_is_a_list_or_an_item_or_neither() {
        let item = r#"{"id":"a","items":null,"fieldData":{"far":1e999}}"#;
        let Ok(Some(ParsedResponse::Item(item))) = read(item) else {
            panic!("no item");
        };
        assert_eq!(item.id.as_str(), "a");
        let fields = item.field_data.expect("fields");
        assert_eq!(fields.as_str(), r#"{"far":1e999}"#);
        for neither in ["{}", r#"{"id":null}"#, r#"{"items":null}"#] {
            assert!(matches!(read(neither), Ok(None)), "{neither}");
        }
        for odd in [
            r#"{"id":7}"#,
            r#"{"id":"a","cmsLocaleId":7}"#,
            r#"{"items":7,"id":"a"}"#,
            r#"{"items":[],"items":[]}"#,
            "[]",
            "7",
        ] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_mark_before_the_text_is_passed_over() {
        assert_eq!(list("\u{feff}{\"items\":[]}").0, 0);
        assert!(read("\u{feff}\u{feff}{\"items\":[]}").is_err());
    }

    #[test]
    fn a_list_of_more_items_than_answer_a_batch_is_not_read_on() {
        let items = |items: usize| {
            let items = vec![r#"{"id":""}"#; items].join(",");
            format!(r#"{{"items":[{items}]}}"#)
        };
        assert_eq!(list(&items(MOST_ITEMS)).0, 10_000);
        let endless = r#"{"items":["#.to_owned() + &r#"{"id":""},"#.repeat(20_000);
        for text in [items(MOST_ITEMS + 1), endless] {
            let error = read(&text).err().expect("too many").to_string();
            assert!(
                error.starts_with("more than 10000 items answer no batch of 100 at line 1 column"),
                "{error}"
            );
        }
    }
}
