//! The ledger of a scenario: the state after each run, and the checks of the next one.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::bulk::{Counts, ItemReport, ItemStatus, NotAttemptedReason, Recorded};
use crate::rules::bulk::fixture::case::Key;
use crate::rules::bulk::fixture::wire::Sent;
use crate::rules::bulk::progress::scenario::{Input, Line, Row};

type Checked = Result<(), String>;

/// The record of a run.
pub(crate) struct RunRecord {
    pub(crate) lines: Vec<Line>,
    /// Whether unknown rows were resent.
    pub(crate) is_resent: bool,
    pub(crate) is_atomic: bool,
    /// Whether responses do not name the primary locale.
    pub(crate) are_locales_unnamed: bool,
    pub(crate) continue_after_source_error: bool,
    pub(crate) reports: Vec<ItemReport>,
    pub(crate) counts: Counts,
    pub(crate) is_dropped: bool,
    pub(crate) is_complete: bool,
    /// Number of positions that were taken from the source.
    pub(crate) taken: usize,
    pub(crate) sent: Vec<Sent>,
    /// Number of connections that were reset before a request was read.
    pub(crate) unread: usize,
    /// The journal's record of each row after the run.
    pub(crate) reading: BTreeMap<usize, Recorded>,
}

impl RunRecord {
    fn ends(&self) -> impl Iterator<Item = (usize, &ItemReport)> {
        let position = |report: &ItemReport| usize::try_from(report.index).unwrap_or(usize::MAX);
        self.reports
            .iter()
            .map(move |report| (position(report), report))
    }

    /// The positions with such a status.
    pub(crate) fn ends_as(&self, is: impl Fn(ItemStatus) -> bool) -> BTreeSet<usize> {
        let ends = self.ends().filter(|(_, report)| is(report.status));
        ends.map(|(index, _)| index).collect()
    }

    pub(crate) fn is_all_updated(&self) -> bool {
        let updated =
            self.ends_as(|end| matches!(end, ItemStatus::Updated | ItemStatus::AlreadyUpdated));
        updated.len() == self.lines.len()
    }

    /// Whether only rejected rows remain.
    pub(crate) fn is_all_finished(&self) -> bool {
        let is_open = |end| matches!(end, ItemStatus::Unknown | ItemStatus::NotAttempted(_));
        self.ends_as(is_open).is_empty()
    }

    pub(crate) fn has_finished_any(&self) -> bool {
        !self
            .ends_as(|end| matches!(end, ItemStatus::Updated | ItemStatus::Rejected))
            .is_empty()
    }

    /// The first report of a row that is not updated.
    pub(crate) fn rest(&self) -> String {
        let is_open = |end| !matches!(end, ItemStatus::Updated | ItemStatus::AlreadyUpdated);
        let open = self.ends().find(|(_, report)| is_open(report.status));
        open.map_or_else(String::new, |(_, report)| format!("{report:?}"))
    }

    fn row(&self, index: usize) -> Option<Row> {
        self.lines.get(index).copied().flatten()
    }

    fn by_key(&self) -> BTreeMap<Key, Vec<(usize, Row)>> {
        let mut by_key: BTreeMap<Key, Vec<(usize, Row)>> = BTreeMap::new();
        for (index, line) in self.lines.iter().enumerate() {
            if let Some(row) = line {
                by_key.entry(row.key).or_default().push((index, *row));
            }
        }
        by_key
    }

    /// Whether the row has no copy, so that a request with its mark holds this row.
    fn is_unique(&self, row: &Row) -> bool {
        self.lines
            .iter()
            .flatten()
            .filter(|other| other.mark == row.mark)
            .count()
            == 1
    }

    fn with(&self, mark: usize) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.has(mark))
    }

    /// Whether a request with the row may have changed the item.
    fn may_have_acted(&self, mark: usize) -> bool {
        let mut sent = self.with(mark);
        sent.any(|sent| sent.may_have_acted() || sent.applied().contains(&mark))
    }

    /// Whether there is a reason for an unknown status of the row.
    fn may_be_unknown(&self, mark: usize) -> bool {
        self.unread > 0 || self.with(mark).any(|sent| self.leaves_unknown(sent, mark))
    }

    fn leaves_unknown(&self, sent: &Sent, mark: usize) -> bool {
        // An item without a locale can be matched with another entry if some are missing.
        let is_ambiguous = self.are_locales_unnamed && sent.lacks_any();
        is_ambiguous || sent.leaves_unknown(mark, self.is_atomic)
    }
}

/// The state of a row before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The row must be sent, and so must all later rows of its key.
    New,
    /// The same, and the item may have been changed before.
    MaybeChanged,
    /// The row must not be sent.
    Finished(Recorded),
}

/// The state after all runs so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The journal's records of the rows of each key after the last run.
    before: BTreeMap<Key, Vec<(usize, Recorded)>>,
    /// How often a complete response confirmed the update of a mark.
    confirmed: BTreeMap<usize, usize>,
    /// How often a mark was sent alone and refused with 403, which need not be about the item.
    forbidden: BTreeMap<usize, usize>,
    /// Marks whose status may be unknown.
    maybe_unknown: BTreeSet<usize>,
    keys: BTreeSet<Key>,
    /// Whether a run was dropped, or a connection was reset before its request was read.
    is_unsure: bool,
}

impl Ledger {
    /// Whether no run has sent any of the first 100 rows.
    pub(crate) fn is_other_input(&self, input: &Input) -> bool {
        let rows = input.lines.iter().flatten().take(100);
        !rows.map(|row| row.key).any(|key| self.keys.contains(&key))
    }

    /// Checks a run against the runs before it and adds it to the ledger.
    pub(crate) fn check(&mut self, reported: &RunRecord) -> Checked {
        let standings = self.standings(reported);
        every_row_once(reported)?;
        let confirmed = self.confirmed.clone();
        self.take_in(reported);
        for (index, report) in reported.ends() {
            let Some(row) = reported.row(index) else {
                continue;
            };
            let standing = standings.get(&index).copied().unwrap_or(Standing::New);
            self.is_true(reported, &row, standing, report)
                .map_err(|fault| {
                    format!("row {index} ({row:?}) is reported as {report:?}, and {fault}")
                })?;
        }
        self.are_successes(reported, &confirmed)?;
        finished_is_not_sent(reported, &standings)?;
        order_is_kept(reported)?;
        self.journal_agrees(reported, &standings)?;
        self.before = reported
            .by_key()
            .into_iter()
            .map(|(key, rows)| {
                let recorded = |(index, row): &(usize, Row)| {
                    let recorded = reported.reading.get(index).copied();
                    (row.mark, recorded.unwrap_or(Recorded::New))
                };
                (key, rows.iter().map(recorded).collect())
            })
            .collect();
        Ok(())
    }

    fn take_in(&mut self, reported: &RunRecord) {
        for sent in &reported.sent {
            for mark in &sent.entries {
                *self.confirmed.entry(*mark).or_default() += usize::from(sent.confirms(*mark));
                if reported.leaves_unknown(sent, *mark) {
                    self.maybe_unknown.insert(*mark);
                }
            }
            if let [mark] = sent.entries.as_slice()
                && sent.status == Some(403)
            {
                *self.forbidden.entry(*mark).or_default() += 1;
            }
        }
        let sent = reported.lines.iter().flatten();
        let sent = sent.filter(|row| reported.with(row.mark).next().is_some());
        self.keys.extend(sent.map(|row| row.key));
        self.is_unsure |= reported.is_dropped || reported.unread > 0;
    }

    /// The state of each row. The rows of a key are finished if they equal those of the previous run, up to the first
    /// row that is not finished.
    fn standings(&self, reported: &RunRecord) -> BTreeMap<usize, Standing> {
        let mut standings = BTreeMap::new();
        for (key, rows) in reported.by_key() {
            let before = self.before.get(&key).map_or(&[][..], Vec::as_slice);
            let mut is_open = false;
            for (nth, (index, row)) in rows.into_iter().enumerate() {
                let same = before
                    .get(nth)
                    .filter(|(mark, _)| *mark == row.mark && !is_open);
                let standing = match same.map(|(_, recorded)| *recorded) {
                    None | Some(Recorded::New) => Standing::New,
                    Some(Recorded::Unknown) if reported.is_resent => Standing::MaybeChanged,
                    Some(recorded) => Standing::Finished(recorded),
                };
                is_open |= !matches!(standing, Standing::Finished(_));
                standings.insert(index, standing);
            }
        }
        standings
    }

    fn is_true(
        &self,
        reported: &RunRecord,
        row: &Row,
        standing: Standing,
        report: &ItemReport,
    ) -> Checked {
        let mark = row.mark;
        let acted = reported.is_unique(row) && reported.may_have_acted(mark);
        let marked = report.may_have_acted;
        let fault = match (report.status, standing) {
            (ItemStatus::AlreadyUpdated, Standing::Finished(Recorded::Updated)) => None,
            (
                ItemStatus::AlreadyRejected,
                Standing::Finished(Recorded::Rejected { may_have_acted }),
            ) => (may_have_acted != marked).then_some("the journal disagrees"),
            (ItemStatus::Unknown, Standing::Finished(Recorded::Unknown)) => None,
            (_, Standing::Finished(_)) => Some("it was finished with another status"),
            (ItemStatus::AlreadyUpdated | ItemStatus::AlreadyRejected, _) => {
                Some("it was not finished")
            }
            (ItemStatus::Updated, _) => None,
            (ItemStatus::Unknown, Standing::MaybeChanged) => None,
            (ItemStatus::Unknown, _) => {
                (!reported.may_be_unknown(mark)).then_some("no request explains that")
            }
            (ItemStatus::Rejected, _) if !self.is_refused(row) => Some("nothing is wrong with it"),
            (ItemStatus::Rejected, _) if marked => {
                let has_cause = self.is_unsure || self.maybe_unknown.contains(&mark);
                (!has_cause).then_some("no request may have changed it, as is reported")
            }
            (_, Standing::MaybeChanged) => Some("an earlier run may have changed it"),
            (ItemStatus::Rejected | ItemStatus::NotAttempted(_), _) => {
                acted.then_some("a request may have changed it")
            }
        };
        fault.map_or(Ok(()), |fault| Err(format!("{fault} ({standing:?})")))
    }

    /// Whether the service rejects a row, or refused it twice for another reason.
    fn is_refused(&self, row: &Row) -> bool {
        row.is_bad()
            || self
                .forbidden
                .get(&row.mark)
                .is_some_and(|times| *times > 1)
    }

    /// Checks that no row is reported as updated more often than responses confirmed it.
    fn are_successes(&self, reported: &RunRecord, before: &BTreeMap<usize, usize>) -> Checked {
        let count = |end: ItemStatus| {
            let mut count: BTreeMap<usize, usize> = BTreeMap::new();
            for index in reported.ends_as(|other| other == end) {
                if let Some(row) = reported.row(index) {
                    *count.entry(row.mark).or_default() += 1;
                }
            }
            count
        };
        for (mark, times) in count(ItemStatus::Updated) {
            let now = reported
                .sent
                .iter()
                .filter(|sent| sent.confirms(mark))
                .count();
            if times > now {
                return Err(format!(
                    "mark {mark} is reported as updated {times} times, and {now} responses confirm it"
                ));
            }
        }
        for (mark, times) in count(ItemStatus::AlreadyUpdated) {
            let said = before.get(&mark).copied().unwrap_or_default();
            if times > said {
                return Err(format!(
                    "mark {mark} is reported as already updated {times} times, and {said} responses confirmed it"
                ));
            }
        }
        if reported.is_complete && !reported.is_all_updated() {
            return Err("it is reported as complete, and is not".to_owned());
        }
        Ok(())
    }

    fn journal_agrees(
        &self,
        reported: &RunRecord,
        standings: &BTreeMap<usize, Standing>,
    ) -> Checked {
        let ends: BTreeMap<usize, &ItemReport> = reported.ends().collect();
        for (index, recorded) in &reported.reading {
            let Some(row) = reported.row(*index) else {
                continue;
            };
            let standing = standings.get(index).copied().unwrap_or(Standing::New);
            let expected = match ends.get(index) {
                Some(report) => match report.status {
                    ItemStatus::Updated | ItemStatus::AlreadyUpdated => Some(Recorded::Updated),
                    ItemStatus::Rejected | ItemStatus::AlreadyRejected => {
                        Some(Recorded::Rejected {
                            may_have_acted: report.may_have_acted,
                        })
                    }
                    ItemStatus::Unknown => Some(Recorded::Unknown),
                    ItemStatus::NotAttempted(_) => Some(Recorded::New),
                },
                None => match standing {
                    Standing::Finished(recorded) => Some(recorded),
                    _ => None,
                },
            };
            let acted = reported.is_unique(&row) && reported.may_have_acted(row.mark);
            let is_right = match (expected, recorded) {
                (Some(expected), _) => *recorded == expected,
                (None, Recorded::Updated) => self.confirmed.contains_key(&row.mark),
                (None, Recorded::Rejected { .. }) => self.is_refused(&row),
                (None, Recorded::New) => !acted && standing != Standing::MaybeChanged,
                (None, Recorded::Unknown) => {
                    let is_sent = reported.with(row.mark).next().is_some() || reported.unread > 0;
                    // A dropped run may have been about to send it.
                    standing == Standing::MaybeChanged || is_sent || reported.is_dropped
                }
            };
            if !is_right {
                let end = ends.get(index);
                return Err(format!(
                    "row {index} ({row:?}) is reported as {end:?} and recorded as {recorded:?}"
                ));
            }
        }
        Ok(())
    }
}

fn every_row_once(reported: &RunRecord) -> Checked {
    let mut seen = BTreeSet::new();
    for (index, report) in reported.ends() {
        if index >= reported.taken || !seen.insert(index) {
            return Err(format!("row {index} is reported twice, or was not taken"));
        }
        let is_error = reported.row(index).is_none();
        if is_error != (report.status == ItemStatus::NotAttempted(NotAttemptedReason::Source)) {
            return Err(format!("row {index} is reported as {report:?}"));
        }
    }
    if reported.is_dropped {
        return Ok(());
    }
    let error = reported.lines.iter().position(Option::is_none);
    let expected = match error {
        Some(error) if !reported.continue_after_source_error => error + 1,
        _ => reported.lines.len(),
    };
    if reported.taken != expected {
        return Err(format!("{} of {expected} rows were taken", reported.taken));
    }
    if let Some(lost) = (0..expected).find(|index| !seen.contains(index)) {
        return Err(format!("row {lost} is not reported"));
    }
    let counted = Counts::of(&reported.reports);
    if reported.counts != counted {
        return Err(format!(
            "it counts {:?}, and {counted:?} were reported",
            reported.counts
        ));
    }
    Ok(())
}

fn finished_is_not_sent(reported: &RunRecord, standings: &BTreeMap<usize, Standing>) -> Checked {
    let is_finished = |index: usize| matches!(standings.get(&index), Some(Standing::Finished(_)));
    let open: BTreeSet<usize> = (0..reported.lines.len())
        .filter(|index| !is_finished(*index))
        .filter_map(|index| Some(reported.row(index)?.mark))
        .collect();
    for sent in &reported.sent {
        if let Some(mark) = sent.entries.iter().find(|mark| !open.contains(mark)) {
            return Err(format!("mark {mark} was finished, and is resent"));
        }
    }
    Ok(())
}

/// Checks that the rows of a key reach the server in their order, and none after an unfinished one.
fn order_is_kept(reported: &RunRecord) -> Checked {
    let mut by_time: Vec<&Sent> = reported.sent.iter().collect();
    by_time.sort_by_key(|sent| sent.acted_at);
    let ends: BTreeMap<usize, &ItemReport> = reported.ends().collect();
    for (key, rows) in reported.by_key() {
        let marks: Vec<usize> = rows.iter().map(|(_, row)| row.mark).collect();
        let asked = reported.sent.iter().flat_map(|sent| &sent.entries);
        let applied = by_time.iter().flat_map(|sent| sent.applied());
        if !follow(&marks, asked) || !follow(&marks, applied) {
            return Err(format!(
                "the rows of {key:?} are sent in another order than {marks:?}"
            ));
        }
        let mut open = None;
        for (index, row) in rows {
            let end = ends.get(&index).map(|report| report.status);
            let is_sent = reported.is_unique(&row) && reported.with(row.mark).next().is_some();
            if let Some(open) = open
                && (is_sent || matches!(end, Some(ItemStatus::Updated | ItemStatus::Rejected)))
            {
                return Err(format!(
                    "row {index} is sent although row {open} is not finished"
                ));
            }
            if matches!(end, Some(ItemStatus::Unknown | ItemStatus::NotAttempted(_))) {
                open = Some(index);
            }
        }
    }
    Ok(())
}

/// Whether the sent marks that are among `marks` follow their order. Each may occur several times.
fn follow<'a>(marks: &[usize], sent: impl Iterator<Item = &'a usize>) -> bool {
    let mut at = 0;
    for mark in sent.filter(|mark| marks.contains(mark)) {
        match marks
            .get(at..)
            .and_then(|rest| rest.iter().position(|next| next == mark))
        {
            Some(further) => at += further,
            None => return false,
        }
    }
    true
}
