//! The match between the items of a response and the entries of its batch.

use std::collections::HashMap;

use crate::id::{CmsLocaleId, ItemId, ItemKey, ReceivedId};

/// The match of one entry of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Returned {
    /// The item at this position of the response, counted from 0.
    ///
    /// The item has the locale of the entry, or the item or the entry has no locale and the item matches no other
    /// entry.
    Item(usize),
    /// The response lacks the item in this locale.
    Missing,
    /// The response has the item, and its locale cannot be determined. These are the positions of the possible items,
    /// counted from 0.
    Ambiguous(Vec<usize>),
}

/// An item of a response: its id and its locale, if the response names it.
pub(crate) type Received<'a> = (&'a ReceivedId, Option<&'a ReceivedId>);

/// Assigns the items of a response to the entries of the batch. Both are in their original order.
pub(crate) fn assign(sent: &[ItemKey], received: &[Received<'_>]) -> Vec<Returned> {
    // Responses in the order of the request are the rule, and need no index.
    if is_in_order(sent, received) {
        return (0..sent.len()).map(Returned::Item).collect();
    }
    by_id(sent, received)
}

/// Whether each item matches the entry at its position and no other.
fn is_in_order(sent: &[ItemKey], received: &[Received<'_>]) -> bool {
    let mut is_exact = true;
    sent.len() == received.len()
        && sent.iter().zip(received).all(|(key, (id, locale))| {
            is_exact &= locale.is_some() == key.locale.is_some();
            let names_another = locale
                .zip(key.locale)
                .is_some_and(|(received, sent)| !received.is(sent.as_str()));
            id.is(key.id.as_str()) && !names_another
        })
        && (is_exact || are_distinct(sent))
}

/// Whether each item is sent in one locale only.
fn are_distinct(sent: &[ItemKey]) -> bool {
    let mut ids: Vec<_> = sent.iter().map(|key| key.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.len() == sent.len()
}

fn by_id(sent: &[ItemKey], received: &[Received<'_>]) -> Vec<Returned> {
    let mut groups = HashMap::<ItemId, Group<'_>>::with_capacity(sent.len());
    for (entry, key) in sent.iter().enumerate() {
        let group = groups.entry(key.id).or_default();
        match key.locale {
            Some(locale) => group.localized.push((entry, locale)),
            None => group.primary = Some(entry),
        }
    }
    for (position, (id, locale)) in received.iter().enumerate() {
        if let Some(group) = id.checked().and_then(|id| groups.get_mut(&id)) {
            match locale {
                Some(locale) => group.named.push((position, locale)),
                None => group.unnamed.push(position),
            }
        }
    }
    let mut assigned = vec![Returned::Missing; sent.len()];
    for group in groups.into_values() {
        group.assign(|entry, returned| {
            if let Some(place) = assigned.get_mut(entry) {
                *place = returned;
            }
        });
    }
    assigned
}

/// The positions of the entries and items of one id.
#[derive(Default)]
struct Group<'a> {
    /// The entry without a locale.
    primary: Option<usize>,
    localized: Vec<(usize, CmsLocaleId)>,
    unnamed: Vec<usize>,
    named: Vec<(usize, &'a ReceivedId)>,
}

impl Group<'_> {
    /// Calls `set` for each entry that is not missing.
    ///
    /// An item with the locale of an entry belongs to that entry; if there are several, the first does. An item without
    /// a locale may belong to any of the other entries, and first of all to the one without a locale. An item with
    /// another locale can only belong to the entry without a locale, since the service may name the primary locale.
    fn assign(mut self, mut set: impl FnMut(usize, Returned)) {
        let localized = std::mem::take(&mut self.localized);
        let mut left = Vec::new();
        for (entry, locale) in &localized {
            let own = |(_, named): &(usize, &ReceivedId)| named.is(locale.as_str());
            match self.named.iter().position(own) {
                Some(place) => set(*entry, Returned::Item(self.named.remove(place).0)),
                None => left.push(*entry),
            }
        }
        match (self.primary, &*self.unnamed, &*left) {
            (None, [], _) => {}
            (Some(entry), [], _) => set(entry, self.of_primary(&localized)),
            (Some(entry), [position], _) | (Some(entry), [position, ..], []) => {
                set(entry, Returned::Item(*position));
            }
            (None, [position], [entry]) => set(*entry, Returned::Item(*position)),
            (primary, unnamed, left) => {
                for entry in primary.iter().chain(left) {
                    set(*entry, Returned::Ambiguous(unnamed.to_vec()));
                }
            }
        }
    }

    /// Matches the entry without a locale if each item has one. Its item is the one in the only locale that no other
    /// entry has.
    fn of_primary(&self, localized: &[(usize, CmsLocaleId)]) -> Returned {
        let is_of_another = |named: &ReceivedId| {
            let mut locales = localized.iter();
            locales.any(|(_, locale)| named.is(locale.as_str()))
        };
        let others = self.named.iter().filter(|(_, named)| !is_of_another(named));
        let others: Vec<_> = others.collect();
        let positions = |items: &[&(usize, &ReceivedId)]| {
            let positions = items.iter().map(|(position, _)| *position);
            Returned::Ambiguous(positions.collect())
        };
        match &*others {
            [] if self.named.is_empty() => Returned::Missing,
            // Only repeated items are left, one of which may be in the primary locale.
            [] => positions(&self.named.iter().collect::<Vec<_>>()),
            [(first, locale), more @ ..] if more.iter().all(|(_, other)| other == locale) => {
                Returned::Item(*first)
            }
            others => positions(others),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::id::{CmsLocaleId, ItemId};

    const A: &str = "66f6ed9576ddacf3149d5ea6";
    const B: &str = "66f6ed9576ddacf3149d5eb7";
    const PRIMARY: &str = "66f6e966c9e1dc700a857c01";
    const FRENCH: &str = "66f6e966c9e1dc700a857c02";
    const GERMAN: &str = "66f6e966c9e1dc700a857c03";

    fn assigned(sent: &[(&str, Option<&str>)], received: &[(&str, Option<&str>)]) -> Vec<Returned> {
        with(sent, received, assign)
    }

    fn with<T>(
        sent: &[(&str, Option<&str>)],
        received: &[(&str, Option<&str>)],
        call: impl FnOnce(&[ItemKey], &[Received<'_>]) -> T,
    ) -> T {
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
        call(&sent, &received)
    }

    use Returned::{Ambiguous, Item, Missing};

    #[test]
    fn items_with_id_and_locale_are_matched_in_any_order() {
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
    fn an_entry_without_an_item_is_missing() {
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
    fn an_entry_whose_item_cannot_be_determined_is_ambiguous() {
        assert_eq!(
            assigned(&[(A, None)], &[(A, Some(FRENCH)), (A, Some(GERMAN))]),
            [Ambiguous(vec![0, 1])]
        );
        assert_eq!(
            assigned(&[(A, Some(FRENCH))], &[(A, None), (A, None)]),
            [Ambiguous(vec![0, 1])]
        );
        let both = [Ambiguous(vec![0, 1]), Ambiguous(vec![0, 1])];
        for sent in [
            [(A, Some(FRENCH)), (A, Some(GERMAN))],
            [(A, None), (A, Some(FRENCH))],
        ] {
            assert_eq!(assigned(&sent, &[(A, None), (A, None)]), both);
        }
        let sent = [(A, Some(FRENCH)), (A, Some(GERMAN))];
        assert_eq!(
            assigned(&sent, &[(A, None)]),
            [Ambiguous(vec![0]), Ambiguous(vec![0])],
            "one of them came back"
        );
    }

    #[test]
    fn an_item_without_a_locale_belongs_to_the_only_entry_that_it_can_match() {
        assert_eq!(assigned(&[(A, Some(PRIMARY))], &[(A, None)]), [Item(0)]);
        let sent = [(A, Some(PRIMARY)), (B, Some(PRIMARY)), (A, Some(FRENCH))];
        assert_eq!(
            assigned(&sent, &[(B, None), (A, Some(FRENCH)), (A, None)]),
            [Item(2), Item(0), Item(1)]
        );
        assert_eq!(
            assigned(&[(A, Some(PRIMARY))], &[(A, None), (A, Some(GERMAN))]),
            [Item(0)],
            "the other item has another locale"
        );
    }

    #[test]
    fn a_repeated_item_does_not_match_another_entry() {
        let sent = [(A, None), (A, Some(FRENCH))];
        let twice = [(A, Some(FRENCH)), (A, Some(FRENCH))];
        assert_eq!(assigned(&sent, &twice), [Ambiguous(vec![1]), Item(0)]);
        assert_eq!(assigned(&sent[1..], &twice), [Item(0)]);
        assert_eq!(
            assigned(&sent[..1], &twice),
            [Item(0)],
            "both are in one locale"
        );
        assert_eq!(assigned(&sent[..1], &[(A, None), (A, None)]), [Item(0)]);
    }

    #[test]
    fn an_item_is_assigned_to_one_entry_only() {
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

    type Key = (usize, Option<usize>);

    fn keys(keys: &[Key]) -> Vec<(&'static str, Option<&'static str>)> {
        let ids = [A, B, "66f6ed9576ddacf3149d5ec8"];
        let locales = [PRIMARY, FRENCH, GERMAN, "66f6e966c9e1dc700a857c04"];
        keys.iter()
            .map(|(id, locale)| (ids[*id], locale.map(|locale| locales[locale])))
            .collect()
    }

    fn key(ids: usize, locales: usize) -> impl Strategy<Value = Key> {
        (0..ids, proptest::option::of(0..locales))
    }

    /// A batch and a response: any items, or the items of the batch in any order with locales omitted and added.
    fn exchange() -> impl Strategy<Value = (Vec<Key>, Vec<Key>)> {
        let sent = proptest::collection::hash_set(key(2, 3), 1..6)
            .prop_map(Vec::from_iter)
            .prop_shuffle();
        sent.prop_flat_map(|sent| {
            let renamed = sent.clone().into_iter().map(|(id, locale)| {
                let anew = match locale {
                    None => proptest::option::of(Just(0)).boxed(),
                    Some(_) => prop_oneof![3 => Just(locale), 1 => Just(None)].boxed(),
                };
                anew.prop_map(move |locale| (id, locale))
            });
            let renamed = renamed.collect::<Vec<_>>();
            let received = prop_oneof![
                proptest::collection::vec(key(3, 4), 0..8),
                renamed.clone(),
                renamed.prop_shuffle(),
            ];
            (Just(sent), received)
        })
    }

    fn names_another(sent: Option<usize>, received: Option<usize>) -> bool {
        sent.zip(received)
            .is_some_and(|(sent, received)| sent != received)
    }

    proptest! {
        #[test]
        fn an_item_is_assigned_once_and_never_to_an_entry_of_another_id_or_locale((sent, received) in exchange()) {
            let mut given = HashSet::new();
            for ((id, locale), returned) in sent.iter().zip(assigned(&keys(&sent), &keys(&received))) {
                let positions = match returned {
                    Item(position) => {
                        prop_assert!(given.insert(position), "{position} is assigned twice");
                        vec![position]
                    }
                    Ambiguous(positions) => {
                        prop_assert!(!positions.is_empty());
                        positions
                    }
                    Missing => Vec::new(),
                };
                for position in positions {
                    prop_assert_eq!(received[position].0, *id);
                    prop_assert!(!names_another(*locale, received[position].1));
                }
            }
        }

        #[test]
        fn an_entry_is_missing_only_if_no_item_is_left_that_it_can_match((sent, received) in exchange()) {
            let returned = assigned(&keys(&sent), &keys(&received));
            for ((id, locale), _) in sent.iter().zip(&returned).filter(|(_, returned)| **returned == Missing) {
                for (position, item) in received.iter().enumerate() {
                    let fits = item.0 == *id && !names_another(*locale, item.1);
                    prop_assert!(!fits || returned.contains(&Item(position)), "{position} is left over");
                }
            }
        }

        #[test]
        fn an_entry_with_only_one_possible_item_gets_it((sent, received) in exchange()) {
            let returned = assigned(&keys(&sent), &keys(&received));
            let own = |entry: &Key| entry.1.is_some() && received.contains(entry);
            for (entry, returned) in sent.iter().zip(&returned).filter(|(entry, _)| own(entry)) {
                let named = received.iter().position(|item| item == entry).map(Item);
                prop_assert_eq!(Some(returned), named.as_ref());
            }
            // For the other entries, items without an entry of their own.
            let open = |entry: &&Key| !own(entry);
            let can_match = |item: &Key, entry: &Key| {
                item.0 == entry.0 && !sent.contains(item) | item.1.is_none() && !names_another(entry.1, item.1)
            };
            for (entry, returned) in sent.iter().zip(&returned).filter(|(entry, _)| open(entry)) {
                let fit: Vec<_> = (0..received.len()).filter(|item| can_match(&received[*item], entry)).collect();
                let [item] = *fit else { continue };
                if sent.iter().filter(open).filter(|other| can_match(&received[item], other)).count() == 1 {
                    prop_assert_eq!(returned, &Item(item));
                }
            }
        }

        #[test]
        fn matching_by_id_agrees_with_the_order_of_the_request((sent, received) in exchange()) {
            with(&keys(&sent), &keys(&received), |sent, received| {
                if is_in_order(sent, received) {
                    let in_order: Vec<_> = (0..sent.len()).map(Item).collect();
                    prop_assert_eq!(by_id(sent, received), in_order);
                }
                Ok(())
            })?;
        }

        #[test]
        fn items_sent_in_one_locale_each_are_all_matched_whatever_locales_the_response_has(
            sent in proptest::collection::btree_map(0..3_usize, proptest::option::of(0..3_usize), 1..4),
            named in proptest::collection::vec(any::<bool>(), 3),
            is_reversed in any::<bool>(),
        ) {
            let sent: Vec<_> = sent.into_iter().collect();
            let named = sent.iter().zip(named).map(|((id, locale), named)| (*id, named.then_some(locale.unwrap_or(0))));
            let mut received: Vec<_> = named.collect();
            let mut positions: Vec<_> = (0..sent.len()).map(Item).collect();
            if is_reversed {
                received.reverse();
                positions.reverse();
            }
            prop_assert_eq!(assigned(&keys(&sent), &keys(&received)), positions);
        }
    }
}
