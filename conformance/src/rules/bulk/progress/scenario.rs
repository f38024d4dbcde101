//! A scenario: an input that is edited between runs, and the faults of each run.

use std::collections::{BTreeMap, BTreeSet};

use webflow_cms_reference::{Model, PrimaryEcho, Variant};

use crate::client::{Entry, RateLimiter};
use crate::rules::bulk::fixture::case::{At, Interrupt, Key, Trouble, Words};
use crate::rules::bulk::fixture::wire::Address;
use crate::rules::fixture::site;

/// Items from this number on exist in the primary locale only.
const PRIMARY_ONLY: usize = 5_000;

/// Items from this number on do not exist.
const NO_ITEM: usize = 10_000;

/// A row of the input. Only copies of a row have the same mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) mark: usize,
    pub(crate) key: Key,
    /// The number of the defect, if the service rejects the value.
    pub(crate) flaw: Option<usize>,
}

/// A position of the input: a row, or `None` for an error of the source.
pub(crate) type Line = Option<Row>;

/// The status and body of the refusal of each defect.
pub(crate) fn flaws() -> Vec<(u16, Words)> {
    let words = Words::all();
    let of = |status| words.iter().map(move |words| (status, *words));
    [400, 404, 409, 422].into_iter().flat_map(of).collect()
}

impl Row {
    /// Whether the item and the locale exist.
    pub(crate) fn is_there(key: Key) -> bool {
        key.0 < PRIMARY_ONLY || (key.0 < NO_ITEM && key.1 == 0)
    }

    /// Whether the service rejects the row.
    pub(crate) fn is_bad(&self) -> bool {
        self.flaw.is_some() || !Self::is_there(self.key)
    }
}

/// An edit of the input between two runs. Positions are taken modulo its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// Gives rejected rows another value or another item, by bits.
    Correct(u64),
    /// Gives a row another value, whether or not it is updated.
    Change(u16, Option<usize>),
    Drop(u16),
    Add(u16, Key, Option<usize>),
    /// Inserts a copy of a row.
    Repeat(u16, u16),
    /// Moves a row between rows of other keys.
    Move(u16, u16),
    /// Inserts an error of the source.
    Spoil(u16),
}

/// One run of the scenario.
#[derive(Clone, Debug)]
pub(crate) struct PlannedRun {
    pub(crate) edits: Vec<Edit>,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) interrupt: Option<(Interrupt, At)>,
    pub(crate) resend: bool,
}

/// The localization of the site, and the locales in its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) is_localized: bool,
    pub(crate) echo: PrimaryEcho,
    /// Whether rows name the primary locale.
    pub(crate) is_named: bool,
    pub(crate) is_atomic: bool,
    pub(crate) is_reversed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) site: Site,
    /// Keys and defects. `None` is an error of the source.
    pub(crate) rows: Vec<Option<(Key, Option<usize>)>>,
    pub(crate) latency: u64,
    pub(crate) concurrency: usize,
    pub(crate) max_batch_bytes: Option<usize>,
    pub(crate) attempts: u32,
    pub(crate) retry_ambiguous: bool,
    pub(crate) rate_limiter: RateLimiter,
    pub(crate) max_consecutive_failures: u32,
    pub(crate) continue_after_source_error: bool,
    pub(crate) runs: Vec<PlannedRun>,
    /// Seed of the corrections of rows that are still rejected.
    pub(crate) corrections: u64,
}

/// The input with its history.
pub(crate) struct Input {
    pub(crate) lines: Vec<Line>,
    /// All rows that ever existed, by mark.
    pub(crate) known: BTreeMap<usize, Row>,
    /// The marks of dropped rows, and of the rows that they replaced.
    pub(crate) dropped: BTreeSet<usize>,
    /// The mark of the row that each row replaced.
    replaced: BTreeMap<usize, usize>,
    site: Site,
}

impl Input {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut input = Self {
            lines: Vec::new(),
            known: BTreeMap::new(),
            dropped: BTreeSet::new(),
            replaced: BTreeMap::new(),
            site: scenario.site,
        };
        for row in &scenario.rows {
            let line = row.map(|(key, flaw)| input.row(key, flaw));
            input.lines.push(line);
        }
        input
    }

    fn row(&mut self, key: Key, flaw: Option<usize>) -> Row {
        let key = match self.site.is_localized {
            true => key,
            false => (key.0, 0),
        };
        let mark = self.known.len();
        let row = Row { mark, key, flaw };
        self.known.insert(mark, row);
        row
    }

    fn replace(&mut self, place: usize, row: Row, key: Key, flaw: Option<usize>) {
        let new = self.row(key, flaw);
        if new.key == row.key {
            self.replaced.insert(new.mark, row.mark);
        }
        self.lines[place] = Some(new);
    }

    fn drop(&mut self, mark: usize) {
        let mut next = Some(mark);
        while let Some(mark) = next {
            self.dropped.insert(mark);
            next = self.replaced.get(&mark).copied();
        }
    }

    pub(crate) fn address(&self, mark: usize) -> Option<Address> {
        let key = self.known.get(&mark)?.key;
        let locale = match site::locale(key.1) {
            None if self.site.is_named => Some(site::PRIMARY),
            locale => locale,
        };
        Some((site::item(key.0), locale))
    }

    pub(crate) fn entry(&self, line: &Line) -> Result<Entry, String> {
        let row = line.ok_or("it cannot be read")?;
        let (id, locale) = self.address(row.mark).ok_or("it is unknown")?;
        let fields = match row.flaw {
            None => format!("{{\"mark\":{}}}", row.mark),
            Some(flaw) => format!("{{\"mark\":{},\"flaw\":{flaw}}}", row.mark),
        };
        Ok(Entry::new(id).locale(locale).fields(&fields))
    }

    /// The positions of the rows of each key, in order.
    pub(crate) fn by_key(&self) -> BTreeMap<Key, Vec<usize>> {
        let mut by_key: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            if let Some(row) = line {
                by_key.entry(row.key).or_default().push(index);
            }
        }
        by_key
    }

    /// Applies an edit. `rejected` are the positions of rejected rows.
    pub(crate) fn edit(&mut self, edit: Edit, rejected: &BTreeSet<usize>) {
        let len = self.lines.len();
        let at = |place: u16| usize::from(place) % len.max(1);
        match edit {
            Edit::Correct(bits) => self.correct(bits, rejected, false),
            Edit::Change(place, flaw) => {
                if let Some(Some(row)) = self.lines.get(at(place)).copied() {
                    self.replace(at(place), row, row.key, flaw);
                }
            }
            Edit::Drop(place) => {
                if at(place) < len
                    && let Some(row) = self.lines.remove(at(place))
                {
                    self.drop(row.mark);
                }
            }
            Edit::Add(place, key, flaw) => {
                let row = self.row(key, flaw);
                self.lines.insert(usize::from(place) % (len + 1), Some(row));
            }
            Edit::Repeat(place, to) => {
                if let Some(line) = self.lines.get(at(place)).copied() {
                    self.lines.insert(usize::from(to) % (len + 1), line);
                }
            }
            Edit::Move(place, to) => self.shift(at(place), at(to)),
            Edit::Spoil(place) => self.lines.insert(usize::from(place) % (len + 1), None),
        }
    }

    /// Corrects all rejected rows, and replaces errors of the source by rows.
    pub(crate) fn correct_all(&mut self, bits: u64, rejected: &BTreeSet<usize>) {
        self.correct(bits, rejected, true);
        for place in 0..self.lines.len() {
            if self.lines[place].is_none() {
                let row = self.row((place % 7, 0), None);
                self.lines[place] = Some(row);
            }
        }
    }

    fn correct(&mut self, bits: u64, rejected: &BTreeSet<usize>, all: bool) {
        for place in rejected {
            let Some(Some(row)) = self.lines.get(*place).copied() else {
                continue;
            };
            let number = u32::try_from(*place % 20).unwrap_or(0);
            let bits = bits.rotate_right(3 * number);
            if !all && bits & 1 == 0 {
                continue;
            }
            let key = match Row::is_there(row.key) && bits & 2 == 0 {
                true => row.key,
                false => {
                    self.drop(row.mark);
                    (usize::try_from(bits >> 8 & 31).unwrap_or(0), row.key.1)
                }
            };
            self.replace(*place, row, key, None);
        }
    }

    fn shift(&mut self, from: usize, to: usize) {
        let Some(Some(row)) = self.lines.get(from).copied() else {
            return;
        };
        let between = self.lines.get(from.min(to)..=from.max(to));
        let others = between.into_iter().flatten().flatten();
        if others.filter(|other| other.key == row.key).count() == 1 {
            self.lines.remove(from);
            self.lines.insert(to, Some(row));
        }
    }
}

impl Scenario {
    /// The model of the site, with all items that rows can address.
    pub(crate) fn model(&self) -> Model {
        let mut model = Model::new()
            .collection(site::COLLECTION, site::PRIMARY, &site::SECONDARY)
            .atomic(self.site.is_atomic);
        for (flaw, (status, words)) in flaws().into_iter().enumerate() {
            model = model.refuse_value("flaw", flaw, words.reply(status, 0));
        }
        for (item, locale) in self.keys() {
            if Row::is_there((item, locale)) {
                let variant = Variant::named("Before", "before");
                let locale = site::locale(locale);
                model = model.insert(site::COLLECTION, &site::item(item), locale, variant);
            }
        }
        model
    }

    fn keys(&self) -> BTreeSet<Key> {
        let added = self.runs.iter().flat_map(|planned| &planned.edits);
        let added = added.filter_map(|edit| match edit {
            Edit::Add(_, key, _) => Some(*key),
            _ => None,
        });
        let rows = self.rows.iter().flatten().map(|(key, _)| *key);
        // Corrections may choose these items.
        let items = rows.chain(added).map(|key| key.0).chain(0..32);
        items
            .flat_map(|item| (0..4).map(move |locale| (item, locale)))
            .collect()
    }
}
