//! The entries of a batch that an error names.

use crate::error::Error;
use crate::model::Batch;
use crate::model::ItemUpdate;

/// A named field is a hint only if at most one entry in this many has it.
const RARE: usize = 4;

impl Error {
    /// Returns the positions of the entries of a batch that this refusal seems to be about, in ascending order.
    ///
    /// These are the entries that it names by their id or as `items[3]`, or else those with a field that it names, if
    /// few entries have that field. Webflow usually names no entry, so the list may be empty. It is a guess in any
    /// case: a [bulk run](crate::Client::bulk) confirms it with a request.
    ///
    /// ```no_run
    /// # async fn example(client: webflow_cms::Client, batch: webflow_cms::Batch) -> Result<(), webflow_cms::Error> {
    /// # let collection = webflow_cms::CollectionId::new("580e63fc8c9a982ac9b8b745")?;
    /// if let Err(error) = client.update(collection, batch.clone()).await {
    ///     for entry in error.entries_named(&batch) {
    ///         eprintln!("{}: {error}", batch.updates()[entry].key());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn entries_named(&self, batch: &Batch) -> Vec<usize> {
        named(self, &batch.updates().iter().collect::<Vec<_>>())
    }
}

/// As [`Error::entries_named`].
pub(crate) fn named(error: &Error, batch: &[&ItemUpdate]) -> Vec<usize> {
    let details = error.details().iter();
    let texts: Vec<&str> = details
        .flat_map(|detail| [detail.field(), detail.message()])
        .chain([error.message()])
        .flatten()
        .collect();
    let by_text: Vec<_> = (0..batch.len())
        .filter(|position| {
            let id = batch.get(*position).map(|update| update.key().id);
            texts.iter().any(|text| {
                id.is_some_and(|id| text.contains(id.as_str()))
                    || indices(text).any(|index| index == *position)
            })
        })
        .collect();
    match by_text.is_empty() {
        true => with_named_field(error, batch),
        false => by_text,
    }
}

/// Returns the entries with a field that a detail names, if they are few.
fn with_named_field(error: &Error, batch: &[&ItemUpdate]) -> Vec<usize> {
    let fields: Vec<&str> = error
        .details()
        .iter()
        .filter_map(|detail| detail.field())
        .collect();
    let has_one = |update: &ItemUpdate| fields.iter().any(|field| update.has_field(field));
    let mut positions: Vec<_> = (0..batch.len()).collect();
    positions.retain(|position| batch.get(*position).is_some_and(|update| has_one(update)));
    match positions.len().saturating_mul(RARE) > batch.len() {
        true => Vec::new(),
        false => positions,
    }
}

/// Returns the numbers after `items` in a text: `items[3]`, `items.3`, `items/3`.
fn indices(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("items").filter_map(|(place, word)| {
        let rest = text.get(place + word.len()..)?;
        let digits = rest.strip_prefix(['[', '.', '/'])?;
        let end = digits
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(digits.len());
        digits.get(..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(field: &str) -> Error {
        let token = crate::http::token::Token::new("b7c1d0").expect("a token");
        let head = crate::http::refusal::Head {
            status: http::StatusCode::BAD_REQUEST,
            headers: http::HeaderMap::new(),
            token: &token,
            now: std::time::UNIX_EPOCH,
            request: b"",
        };
        let body = serde_json::json!({"message": "Validation Error", "details": [{"param": field, "description": "no"}]});
        let body = crate::http::body::Body {
            bytes: body.to_string().into(),
            end: crate::http::body::End::Complete,
        };
        Error::refused(&head, body)
    }

    #[test]
    fn a_field_that_few_entries_have_names_them() {
        let updates = (0..8_u64).map(|number| {
            let id = crate::id::ItemId::new(format!("66f6ed95{number:016x}")).expect("an id");
            let update = ItemUpdate::new(id).field("name", "a").expect("a field");
            match number {
                2 | 5 => update.clear_field("old-price").expect("a field"),
                _ => update,
            }
        });
        let batch = Batch::new(updates).expect("a batch");
        assert_eq!(refusal("old-price").entries_named(&batch), [2, 5]);
        assert_eq!(refusal("name").entries_named(&batch), [0_usize; 0]);
        assert_eq!(refusal("other").entries_named(&batch), [0_usize; 0]);
        let third = refusal("items[3].fieldData.old-price");
        assert_eq!(third.entries_named(&batch), [3]);
    }

    #[test]
    fn positions_are_read_in_the_forms_in_which_they_are_written() {
        let found = |text| indices(text).collect::<Vec<_>>();
        assert_eq!(
            found("Value (items[3].fieldData.name) and items.17.slug"),
            [3, 17]
        );
        assert_eq!(found("/items/0/cmsLocaleId"), [0]);
        assert_eq!(found("items, items[], items[x], 3 items"), [0_usize; 0]);
        assert_eq!(found("items[99999999999999999999999]"), [0_usize; 0]);
    }
}
