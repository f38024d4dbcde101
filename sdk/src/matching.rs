//! Which item of an answer belongs to which entry of the batch.

use std::collections::HashMap;

use crate::{ItemKey, ReceivedId};

/// What an answer holds of one entry of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Returned {
    /// The item at this position of the answer, counted from 0.
    Item(usize),
    /// The answer does not hold the item in this locale.
    Missing,
    /// The answer holds the item, but not in a way that tells which locale it speaks of. These are the positions of
    /// the items that may be meant.
    Ambiguous(Vec<usize>),
}

/// Assigns the items of an answer to the entries of the batch, both in their order.
///
/// An item with the same id and the same locale, or none on both sides, is the entry's own. What is then left of an
/// id belongs to the entry that was sent without a locale, provided that a single item is left: the service names the
/// primary locale in some answers and leaves it out in others.
pub(crate) fn assign(
    sent: &[ItemKey],
    received: &[(&ReceivedId, Option<&ReceivedId>)],
) -> Vec<Returned> {
    let own = |(id, locale): &(&ReceivedId, Option<&ReceivedId>), key: &ItemKey| {
        id.is(key.id.as_str())
            && match (locale, key.locale) {
                (None, None) => true,
                (Some(received), Some(sent)) => received.is(sent.as_str()),
                _ => false,
            }
    };
    // Answers in the order of the request are the rule, and need no index.
    if sent.len() == received.len() && received.iter().zip(sent).all(|(item, key)| own(item, key)) {
        return (0..sent.len()).map(Returned::Item).collect();
    }

    let mut left = HashMap::<&ReceivedId, Vec<usize>>::new();
    for (position, (id, _)) in received.iter().enumerate() {
        left.entry(id).or_default().push(position);
    }
    let ids: Vec<_> = sent.iter().map(|key| ReceivedId::from(key.id)).collect();
    let locale = |position: usize| received.get(position).and_then(|(_, locale)| *locale);

    let mut assigned: Vec<Option<Returned>> = Vec::with_capacity(sent.len());
    for (key, id) in sent.iter().zip(&ids) {
        let found = left.get_mut(id).and_then(|positions| {
            let place = positions
                .iter()
                .position(|position| received.get(*position).is_some_and(|item| own(item, key)))?;
            Some(positions.remove(place))
        });
        assigned.push(found.map(Returned::Item));
    }
    for ((key, id), place) in sent.iter().zip(&ids).zip(&mut assigned) {
        if place.is_none() && key.locale.is_none() {
            let positions = left.get_mut(id).map(std::mem::take).unwrap_or_default();
            *place = Some(match *positions {
                [] => Returned::Missing,
                [position] => Returned::Item(position),
                _ => Returned::Ambiguous(positions.clone()),
            });
            if !matches!(place, Some(Returned::Item(_))) {
                left.insert(id, positions);
            }
        }
    }
    sent.iter()
        .zip(&ids)
        .zip(assigned)
        .map(|((_, id), place)| {
            place.unwrap_or_else(|| {
                // An item that names another locale is not this entry's; one that names none may be.
                let unnamed = |position: &usize| locale(*position).is_none();
                let candidates: Vec<_> = left
                    .get(id)
                    .into_iter()
                    .flatten()
                    .copied()
                    .filter(unnamed)
                    .collect();
                if candidates.is_empty() {
                    Returned::Missing
                } else {
                    Returned::Ambiguous(candidates)
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CmsLocaleId, ItemId};

    const A: &str = "66f6ed9576ddacf3149d5ea6";
    const B: &str = "66f6ed9576ddacf3149d5eb7";
    const PRIMARY: &str = "66f6e966c9e1dc700a857c01";
    const FRENCH: &str = "66f6e966c9e1dc700a857c02";
    const GERMAN: &str = "66f6e966c9e1dc700a857c03";

    fn assigned(sent: &[(&str, Option<&str>)], received: &[(&str, Option<&str>)]) -> Vec<Returned> {
        let sent: Vec<_> = sent
            .iter()
            .map(|(id, locale)| ItemKey {
                id: ItemId::new(id).expect("an id"),
                locale: locale.map(|locale| CmsLocaleId::new(locale).expect("a locale")),
            })
            .collect();
        let received: Vec<(ReceivedId, Option<ReceivedId>)> = received
            .iter()
            .map(|(id, locale)| ((*id).into(), locale.map(Into::into)))
            .collect();
        let received: Vec<_> = received
            .iter()
            .map(|(id, locale)| (id, locale.as_ref()))
            .collect();
        assign(&sent, &received)
    }

    use Returned::{Ambiguous, Item, Missing};

    #[test]
    fn exact_pairs_are_found_in_any_order() {
        let sent = [
            (A, Some(FRENCH)),
            (A, Some(GERMAN)),
            (B, Some(FRENCH)),
            (A, None),
        ];
        let received = [
            (A, None),
            (B, Some(FRENCH)),
            (A, Some(GERMAN)),
            (A, Some(FRENCH)),
        ];
        assert_eq!(
            assigned(&sent, &received),
            [Item(3), Item(2), Item(1), Item(0)]
        );
    }

    #[test]
    fn a_sole_leftover_belongs_to_the_entry_without_a_locale() {
        let sent = [(A, None), (A, Some(FRENCH))];
        assert_eq!(
            assigned(&sent, &[(A, Some(FRENCH)), (A, Some(PRIMARY))]),
            [Item(1), Item(0)]
        );
        assert_eq!(assigned(&[(A, None)], &[(A, Some(PRIMARY))]), [Item(0)]);
    }

    #[test]
    fn what_did_not_come_back_is_missing() {
        let sent = [(A, None), (A, Some(FRENCH)), (B, None)];
        assert_eq!(
            assigned(&sent, &[(A, Some(FRENCH))]),
            [Missing, Item(0), Missing]
        );
        assert_eq!(assigned(&sent, &[]), [Missing, Missing, Missing]);
        assert_eq!(
            assigned(&[(A, Some(FRENCH))], &[(A, Some(GERMAN))]),
            [Missing],
            "another locale is not this one"
        );
    }

    #[test]
    fn what_cannot_be_told_is_ambiguous() {
        assert_eq!(
            assigned(&[(A, None)], &[(A, Some(FRENCH)), (A, Some(GERMAN))]),
            [Ambiguous(vec![0, 1])]
        );
        assert_eq!(
            assigned(&[(A, Some(FRENCH))], &[(A, None)]),
            [Ambiguous(vec![0])]
        );
        let sent = [(A, Some(FRENCH)), (A, Some(GERMAN))];
        assert_eq!(
            assigned(&sent, &[(A, None), (A, None)]),
            [Ambiguous(vec![0, 1]), Ambiguous(vec![0, 1])]
        );
    }

    #[test]
    fn an_item_is_given_to_one_entry_only() {
        assert_eq!(
            assigned(&[(A, None), (A, Some(FRENCH))], &[(A, None)]),
            [Item(0), Missing]
        );
    }

    #[test]
    fn ids_are_matched_without_regard_to_case() {
        let upper = (A.to_uppercase(), FRENCH.to_uppercase());
        assert_eq!(
            assigned(
                &[(B, None), (A, Some(FRENCH))],
                &[(&upper.0, Some(&upper.1)), (B, None)]
            ),
            [Item(1), Item(0)]
        );
    }
}
