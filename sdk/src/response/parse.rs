//! The parser of a response in either of its documented shapes.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::model::{Batch, CollectionItem, Pagination};
use crate::text::without_mark;

/// The maximum number of items. An item takes far more memory than its shortest text, so a limit in bytes does not
/// bound the memory.
const MAX_ITEMS: usize = 100 * Batch::MAX_ITEMS;

/// The response to an accepted batch. The key `items` determines the shape.
pub(crate) enum ParsedResponse<F> {
    List {
        items: Vec<CollectionItem<F>>,
        pagination: Option<Pagination>,
        extra: Map<String, Value>,
    },
    Item(CollectionItem<F>),
}

impl<F: DeserializeOwned> ParsedResponse<F> {
    /// Parses a response. Returns `None` for an object that is neither an item nor a list.
    pub(crate) fn parse(text: &str) -> serde_json::Result<Option<Self>> {
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
            // Valid JSON such as 1e999 is not always a `Value`.
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

/// The members of a response. Only `items` is deserialized.
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
        struct Limited<F>(PhantomData<F>);

        impl<'de, F: DeserializeOwned> Visitor<'de> for Limited<F> {
            type Value = Items<F>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<F>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.len() == MAX_ITEMS {
                        return Err(A::Error::custom(format_args!(
                            "more than {MAX_ITEMS} items, although a batch has at most {}",
                            Batch::MAX_ITEMS
                        )));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }

        deserializer.deserialize_seq(Limited(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::FieldData;

    fn parse(text: &str) -> serde_json::Result<Option<ParsedResponse<FieldData>>> {
        ParsedResponse::parse(text)
    }

    fn list(text: &str) -> (usize, Option<Pagination>, Map<String, Value>) {
        match parse(text) {
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
    fn undocumented_members_of_a_list_are_kept() {
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
    fn a_response_is_a_list_or_an_item_or_neither() {
        let item = r#"{"id":"a","items":null,"fieldData":{"far":1e999}}"#;
        let Ok(Some(ParsedResponse::Item(item))) = parse(item) else {
            panic!("no item");
        };
        assert_eq!(item.id.as_str(), "a");
        let fields = item.field_data.expect("fields");
        assert_eq!(fields.as_str(), r#"{"far":1e999}"#);
        for neither in ["{}", r#"{"id":null}"#, r#"{"items":null}"#] {
            assert!(matches!(parse(neither), Ok(None)), "{neither}");
        }
        for odd in [
            r#"{"id":7}"#,
            r#"{"id":"a","cmsLocaleId":7}"#,
            r#"{"items":7,"id":"a"}"#,
            r#"{"items":[],"items":[]}"#,
            "[]",
            "7",
        ] {
            assert!(parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        assert_eq!(list("\u{feff}{\"items\":[]}").0, 0);
        assert!(parse("\u{feff}\u{feff}{\"items\":[]}").is_err());
    }

    #[test]
    fn parsing_stops_at_the_maximum_number_of_items() {
        let items = |items: usize| {
            let items = vec![r#"{"id":""}"#; items].join(",");
            format!(r#"{{"items":[{items}]}}"#)
        };
        assert_eq!(list(&items(MAX_ITEMS)).0, 10_000);
        let endless = r#"{"items":["#.to_owned() + &r#"{"id":""},"#.repeat(20_000);
        for text in [items(MAX_ITEMS + 1), endless] {
            let error = parse(&text).err().expect("too many").to_string();
            let expected =
                "more than 10000 items, although a batch has at most 100 at line 1 column";
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
