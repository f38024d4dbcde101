//! Returned items that name no locale.

use proptest::prelude::*;
use webflow_cms_reference::Step;

use crate::client::{Entry, Returned};
use crate::rule::{Rule, property};
use crate::rules::fixture::locale::{FORMS, unname};
use crate::rules::fixture::site;

pub(super) fn rules() -> Vec<Rule> {
    vec![response_without_locale()]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// Each entry names the primary locale.
    Primary,
    /// Each entry names the same secondary locale.
    OneLocale,
    /// Each item in the primary locale, named by the entry, and in others, named by the response.
    PrimaryAmongOthers,
    /// Each item in two locales that the response does not name.
    TwoLocales,
    /// Each item in one locale, and the response names another one.
    Another,
}

const SENT: [(Sent, &str); 5] = [
    (Sent::Primary, "the primary locale is named"),
    (Sent::OneLocale, "every entry has one locale"),
    (Sent::PrimaryAmongOthers, "others are named in the response"),
    (Sent::TwoLocales, "two match"),
    (Sent::Another, "another one is named"),
];

impl Sent {
    fn locales(self) -> &'static [&'static str] {
        match self {
            Self::Primary => &[site::PRIMARY],
            Self::OneLocale | Self::Another => &[site::SECONDARY[1]],
            Self::PrimaryAmongOthers => &[site::PRIMARY, site::SECONDARY[0], site::SECONDARY[2]],
            Self::TwoLocales => &[site::PRIMARY, site::SECONDARY[1]],
        }
    }
}

fn response_without_locale() -> Rule {
    const EDGES: [&str; 10] = [
        SENT[0].1,
        SENT[1].1,
        SENT[2].1,
        SENT[3].1,
        SENT[4].1,
        FORMS[0],
        FORMS[1],
        "1 item",
        "a full batch",
        "in another order",
    ];
    Rule::new(
        "locales/response-without-locale",
        "a returned item without a locale, or with a null one, is matched if only one entry fits; if several fit, \
         they are reported as ambiguous and not as missing; an item in another locale matches no entry",
        "reference page: the locale may be missing; a null one was observed on sites without localization",
        &EDGES,
        property(
            |case| {
                let pick = |of: u64, by: u64| usize::try_from(case / by % of).unwrap_or(0);
                let sent = SENT[pick(5, 1)].0;
                let most = 100 / sent.locales().len();
                let size = match pick(3, 5) {
                    0 => Just(1).boxed(),
                    1 => Just(most).boxed(),
                    _ => (2..=most).boxed(),
                };
                (
                    Just(sent),
                    Just(pick(2, 3)),
                    size,
                    any::<bool>(),
                    any::<u64>(),
                )
                    .boxed()
            },
            |(sent, form, size, is_shuffled, _)| {
                let sent_edge = SENT.iter().find(|(other, _)| other == sent);
                let mut touched: Vec<_> = sent_edge.map(|(_, edge)| *edge).into_iter().collect();
                touched.push(FORMS[*form]);
                if *size == 1 {
                    touched.push(EDGES[7]);
                }
                if *size == 100 / sent.locales().len() {
                    touched.push(EDGES[8]);
                }
                if *is_shuffled && *size > 1 {
                    touched.push(EDGES[9]);
                }
                touched
            },
            |harness, (sent, form, size, is_shuffled, seed)| {
                let entries: Vec<Entry> = (0..*size)
                    .flat_map(|number| {
                        let entry =
                            move |locale: &&str| site::marked((number, 0)).locale(Some(locale));
                        sent.locales().iter().map(entry)
                    })
                    .collect();
                harness.reset(site::model_of(&entries));
                let (sent, form, is_shuffled, seed) = (*sent, *form, *is_shuffled, *seed);
                harness.core().script([Step::model_then(move |response| {
                    response.edit_items(|items| {
                        for item in items.iter_mut() {
                            let locale = item["cmsLocaleId"].as_str().unwrap_or_default();
                            match sent {
                                Sent::PrimaryAmongOthers if locale != site::PRIMARY => {}
                                Sent::Another => item["cmsLocaleId"] = site::SECONDARY[0].into(),
                                _ => unname(item, form),
                            }
                        }
                        if is_shuffled {
                            fastrand::Rng::with_seed(seed).shuffle(items);
                        }
                    })
                })]);
                let outcome = harness.update(&harness.call(entries.clone()));
                let updated = outcome.updated()?;
                if updated.entries.len() != entries.len() {
                    return Err(format!("{} entries are reported", updated.entries.len()));
                }
                for (position, (entry, reported)) in
                    entries.iter().zip(&updated.entries).enumerate()
                {
                    let is_right = match (sent, reported) {
                        (Sent::TwoLocales, reported) => *reported == Returned::Ambiguous,
                        (Sent::Another, reported) => *reported == Returned::Missing,
                        (_, Returned::Item(at)) => updated.items.get(*at).is_some_and(|item| {
                            let named = item.cms_locale_id.as_ref();
                            item.id == entry.id
                                && named
                                    .is_none_or(|named| Some(named) == entry.cms_locale_id.as_ref())
                        }),
                        _ => false,
                    };
                    if !is_right {
                        return Err(format!("entry {position} is reported as {reported:?}"));
                    }
                }
                Ok(())
            },
        ),
    )
}
