//! Entries with every combination of members, and with the texts and numbers that programs change on the way.

use proptest::collection::vec;
use proptest::prelude::*;

use super::site;
use crate::client::{Entry, EntryForm};

/// What the entries have in them.
pub(crate) const EDGES: [&str; 14] = [
    "id only",
    "flags without fields",
    "a flag that is false",
    "a locale",
    "every member",
    "a cleared field",
    "letters of both cases",
    "blanks at the ends",
    "composed characters",
    "decomposed characters",
    "characters beyond 16 bits",
    "right to left",
    "an escaped character",
    "a long number",
];

/// Texts, each with the edge that it is.
const TEXTS: [(&str, &str); 7] = [
    ("MiXed CASE straße İıǅ", "letters of both cases"),
    (" \t\u{a0} both ends \u{2003}\n", "blanks at the ends"),
    (
        "Cr\u{e8}me \u{c5}ngstr\u{f6}m \u{ac00}",
        "composed characters",
    ),
    (
        "Cre\u{300}me A\u{30a}ngstro\u{308}m \u{1100}\u{1161} \u{fb01}",
        "decomposed characters",
    ),
    (
        "👩‍👩‍👧‍👦 \u{1d49c}\u{10348}\u{10ffff}",
        "characters beyond 16 bits",
    ),
    ("\u{202e}שלום\u{202c} العربية\u{200f}", "right to left"),
    (
        "\"quoted\" \\ \u{0}\u{1f}\u{2028} </script> &amp;",
        "an escaped character",
    ),
];

const LONG: &str = "12345678901234567890.0123456789";

/// What an entry has beside its id: bits for the members, the number of a text, and a value.
type Choice = (u8, usize, String);

/// So many entries of different keys. Texts and combinations of members come in turn.
pub(crate) fn entries(size: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<Entry>> {
    let choice = || (0..64_u8, 0..TEXTS.len(), site::value());
    (size, any::<u16>())
        .prop_flat_map(move |(size, first)| (vec(choice(), size), Just(usize::from(first))))
        .prop_map(|(choices, first)| {
            let choices = choices.into_iter().enumerate();
            choices
                .map(|(number, choice)| entry(number, first + number, choice))
                .collect()
        })
}

fn entry(number: usize, turn: usize, (bits, text, value): Choice) -> Entry {
    // Neighbours are one item in different locales, of which every second is the primary one.
    let mut entry = Entry::new(site::item(number / 2));
    let place = (number % 2) * (1 + number / 2 % site::SECONDARY.len());
    entry = entry.locale(site::locale(place));
    let bit = |number: u8| bits >> number & 1 == 1;
    // Every few entries have no more than an id, or all there is.
    let (archived, draft, fields) = match turn % 5 {
        0 => (false, false, false),
        1 => (true, true, true),
        2 => (bit(0), true, false),
        _ => (bit(0), bit(1), true),
    };
    entry.is_archived = archived.then(|| bit(2));
    entry.is_draft = draft.then(|| bit(3));
    entry.form = match turn % 3 {
        0 => EntryForm::Fields,
        1 => EntryForm::FieldByField,
        _ => EntryForm::Line,
    };
    if !fields {
        return entry;
    }
    let text = TEXTS[(turn / 2 + text) % TEXTS.len()].0;
    let text = site::quoted(text);
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut members = vec![
        named("Name Of It", &text),
        named("größe", &text),
        named("list", &format!("[{text},{value}]")),
    ];
    if bit(4) {
        members.push(named("name", &text));
        members.push(named("old", "null"));
    }
    if bit(5) {
        members.push(named("price", LONG));
    }
    entry.fields(&site::object(members))
}

/// The edges that some of the entries are.
pub(crate) fn touched(entries: &[Entry]) -> Vec<&'static str> {
    EDGES
        .into_iter()
        .filter(|edge| entries.iter().any(|entry| is(entry, edge)))
        .collect()
}

fn is(entry: &Entry, edge: &str) -> bool {
    let flags = [entry.is_archived, entry.is_draft];
    let fields = entry.field_data.as_ref().map(|fields| fields.get());
    let is_flagged = flags.iter().any(Option::is_some);
    let holds = |text: &str| fields.is_some_and(|fields| fields.contains(text));
    match edge {
        "id only" => !is_flagged && fields.is_none() && entry.cms_locale_id.is_none(),
        "flags without fields" => is_flagged && fields.is_none(),
        "a flag that is false" => flags.contains(&Some(false)),
        "a locale" => entry.cms_locale_id.is_some(),
        "every member" => {
            flags.iter().all(Option::is_some) && fields.is_some() && entry.cms_locale_id.is_some()
        }
        "a cleared field" => holds("\"old\":null"),
        "a long number" => holds(LONG),
        text => TEXTS
            .iter()
            .any(|(sample, name)| *name == text && holds(&site::quoted(sample))),
    }
}
