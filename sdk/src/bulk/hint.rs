//! Which entries of a batch a refusal seems to speak of.

use crate::{Error, ItemUpdate};

/// The positions of the entries that the error names, by their id or as `items[3]`, in ascending order. It is a guess, to
/// be confirmed by a request.
pub(crate) fn named(error: &Error, batch: &[ItemUpdate]) -> Vec<usize> {
    let details = error.details().iter();
    let texts: Vec<&str> = details
        .flat_map(|detail| [detail.field(), detail.message()])
        .chain([error.message()])
        .flatten()
        .collect();
    (0..batch.len())
        .filter(|position| {
            let id = batch.get(*position).map(|update| update.key().id);
            texts.iter().any(|text| {
                id.is_some_and(|id| text.contains(id.as_str()))
                    || indices(text).any(|index| index == *position)
            })
        })
        .collect()
}

/// The numbers that stand behind `items` in a text: `items[3]`, `items.3`, `items/3`.
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
