//! What must hold of every run, whatever happens: the outcomes, the journal, the wire and the server's model agree.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Position};
use super::play::{Ended, Played};
use super::wire::Sent;
use crate::client::bulk::{Counts, ItemReport, ItemStatus, NotAttemptedReason, Recorded};

type Checked = Result<(), String>;

/// All of it.
pub(super) fn agree(case: &Case, played: &Played) -> Checked {
    every_item_once(case, played)?;
    updated_is_true(case, played)?;
    last_write_wins(case, played)?;
    no_later_after_unknown(case, played)?;
    journal_is_true(case, played)?;
    limits(case, played)
}

fn each_leg(played: &Played, check: impl Fn(usize, &Ended) -> Checked) -> Checked {
    let legs = played.legs.iter().enumerate();
    let mut checked = legs.map(|(number, leg)| {
        check(number, leg).map_err(|reason| format!("run {number}: {reason}"))
    });
    checked.try_for_each(|checked| checked)
}

impl ItemReport {
    fn position(&self) -> usize {
        usize::try_from(self.index).unwrap_or(usize::MAX)
    }
}

impl Ended {
    pub(super) fn ends(&self) -> BTreeMap<usize, ItemStatus> {
        let settled = self.settled.iter();
        settled
            .map(|settled| (settled.position(), settled.end))
            .collect()
    }

    /// The entries that are called rejected, and changed perhaps.
    pub(super) fn marked(&self) -> BTreeSet<usize> {
        let marked = self.settled.iter().filter(|settled| settled.may_have_acted);
        marked.map(ItemReport::position).collect()
    }
}

impl Played {
    /// What a leg has sent.
    pub(super) fn sent_in(&self, leg: &Ended) -> &[Sent] {
        self.sent.get(leg.sent.clone()).unwrap_or_default()
    }

    /// What this leg and those before it have sent.
    fn sent_until(&self, leg: &Ended) -> &[Sent] {
        self.sent.get(..leg.sent.end).unwrap_or_default()
    }
}

pub(super) fn every_item_once(case: &Case, played: &Played) -> Checked {
    each_leg(played, |_, leg| {
        let mut seen = BTreeSet::new();
        for settled in &leg.settled {
            let index = settled.position();
            if index >= leg.taken {
                return Err(format!(
                    "entry {index} comes out, and {} were taken",
                    leg.taken
                ));
            }
            if !seen.insert(index) {
                return Err(format!("entry {index} comes out twice"));
            }
            let is_error = matches!(case.input.get(index), Some(Position::Error) | None);
            if is_error != (settled.end == ItemStatus::NotAttempted(NotAttemptedReason::Source)) {
                return Err(format!("position {index} is reported as {:?}", settled.end));
            }
        }
        if leg.dropped {
            return Ok(());
        }
        let may_be_left = case.is_slow() && leg.interrupted_at.is_some();
        if leg.taken != case.taken() && !may_be_left {
            return Err(format!(
                "{} of {} positions were taken",
                leg.taken,
                case.taken()
            ));
        }
        if let Some(lost) = (0..leg.taken).find(|index| !seen.contains(index)) {
            return Err(format!("entry {lost} does not come out"));
        }
        let counted = Counts::of(&leg.settled);
        if leg.counts == counted {
            return Ok(());
        }
        Err(format!(
            "it counts {:?}, and {counted:?} came out",
            leg.counts
        ))
    })
}

pub(super) fn updated_is_true(case: &Case, played: &Played) -> Checked {
    each_leg(played, |number, leg| {
        let mut trail: BTreeMap<usize, Vec<&Sent>> = BTreeMap::new();
        for sent in played.sent_until(leg) {
            for index in &sent.entries {
                trail.entry(*index).or_default().push(sent);
            }
        }
        let confirmed: BTreeSet<usize> = confirmed(played.sent_in(leg));
        let before = played.sent.get(..leg.sent.start).unwrap_or_default();
        let confirmed_before = self::confirmed(before);
        let was_dropped = played.legs.iter().take(number).any(|leg| leg.dropped);
        let marked = leg.marked();
        for (index, end) in leg.ends() {
            let sent = trail.get(&index).map_or(&[][..], Vec::as_slice);
            let is_applied = sent.iter().any(|sent| sent.applied().contains(&index));
            let may_have_acted = sent.iter().any(|sent| sent.may_have_acted());
            let leaves = |sent: &&Sent| sent.leaves_unknown(index, case.assume_atomic);
            let has_cause = played.unread > 0 || was_dropped || sent.iter().any(leaves);
            let fault = match end {
                ItemStatus::Updated => {
                    (!confirmed.contains(&index)).then_some("no response says so")
                }
                ItemStatus::AlreadyUpdated => {
                    (!confirmed_before.contains(&index)).then_some("no response has said so")
                }
                ItemStatus::Rejected | ItemStatus::AlreadyRejected
                    if !is_refused(case, sent, index) =>
                {
                    Some("nothing is wrong with it")
                }
                ItemStatus::Unknown => (!has_cause).then_some("nothing leaves room for doubt"),
                _ if marked.contains(&index) => {
                    (!has_cause).then_some("nothing may have changed it, as is said")
                }
                _ if is_applied => Some("it was applied"),
                _ if may_have_acted => Some("a request may have acted"),
                ItemStatus::Rejected
                | ItemStatus::AlreadyRejected
                | ItemStatus::NotAttempted(_) => None,
            };
            if let Some(fault) = fault {
                return Err(format!("entry {index} is called {end:?}, and {fault}"));
            }
        }
        Ok(())
    })
}

fn confirmed(sent: &[Sent]) -> BTreeSet<usize> {
    let each = |sent: &Sent| -> Vec<usize> {
        let entries = sent.entries.iter().copied();
        entries.filter(|index| sent.confirms(*index)).collect()
    };
    sent.iter().flat_map(each).collect()
}

/// Whether there is a reason to reject an entry.
fn is_refused(case: &Case, sent: &[&Sent], index: usize) -> bool {
    let alone = |sent: &&Sent| sent.status == Some(413) && sent.entries == [index];
    case.key(index).is_some_and(|key| case.is_bad(key))
        || case.is_too_long(index)
        || sent.iter().any(alone)
        // A firewall that is busy twice speaks of the entry, as far as can be reported.
        || sent.iter().filter(|sent| sent.status == Some(403) && sent.entries == [index]).count() > 1
}

pub(super) fn last_write_wins(case: &Case, played: &Played) -> Checked {
    let mut asked = BTreeMap::new();
    for sent in &played.sent {
        for index in &sent.entries {
            let Some(key) = case.key(*index) else {
                continue;
            };
            match asked.insert(key, *index) {
                Some(later) if later > *index => {
                    return Err(format!(
                        "entry {index} is sent after entry {later} of the same key"
                    ));
                }
                _ => {}
            }
        }
    }
    let mut by_time: Vec<&Sent> = played.sent.iter().collect();
    by_time.sort_by_key(|sent| sent.acted_at);
    let mut written = BTreeMap::new();
    for sent in by_time {
        for index in sent.applied() {
            let Some(key) = case.key(*index) else {
                continue;
            };
            match written.insert(key, *index) {
                Some(later) if later > *index => {
                    return Err(format!(
                        "entry {index} is applied after entry {later} of the same key"
                    ));
                }
                _ => {}
            }
        }
    }
    for (key, mark) in &played.marks {
        if *mark != written.get(key).copied() {
            return Err(format!(
                "{key:?} holds {mark:?}, and {:?} was applied last",
                written.get(key)
            ));
        }
    }
    let Some(last) = played.legs.last() else {
        return Ok(());
    };
    let ends = last.ends();
    for key in case.keys() {
        let of_key = |index: &usize| case.key(*index) == Some(key);
        let entries: Vec<usize> = (0..case.taken()).filter(of_key).collect();
        let is_updated = |index: &usize| {
            matches!(
                ends.get(index),
                Some(ItemStatus::Updated | ItemStatus::AlreadyUpdated)
            )
        };
        let holds = played.marks.get(&key).copied().flatten();
        if entries.iter().all(is_updated) && holds != entries.last().copied() {
            return Err(format!(
                "all of {entries:?} are updated, and {holds:?} is there"
            ));
        }
    }
    Ok(())
}

pub(super) fn no_later_after_unknown(case: &Case, played: &Played) -> Checked {
    each_leg(played, |_, leg| {
        let ends = leg.ends();
        let sent: BTreeSet<usize> = played
            .sent_in(leg)
            .iter()
            .flat_map(|sent| sent.entries.iter().copied())
            .collect();
        let mut doubtful = BTreeMap::new();
        let mut open = BTreeMap::new();
        for (index, end) in ends {
            let Some(key) = case.key(index) else { continue };
            if let Some(earlier) = doubtful.get(&key)
                && !case.continue_after_unknown
                && (sent.contains(&index) || end == ItemStatus::Updated)
            {
                return Err(format!(
                    "entry {index} is sent, and what came of {earlier} is unknown"
                ));
            }
            if end == ItemStatus::NotAttempted(NotAttemptedReason::Blocked)
                && !open.contains_key(&key)
            {
                return Err(format!(
                    "entry {index} is held back, and nothing is before it"
                ));
            }
            match end {
                ItemStatus::Unknown => {
                    doubtful.insert(key, index);
                    if !case.continue_after_unknown {
                        open.insert(key, index);
                    }
                }
                ItemStatus::NotAttempted(_) => {
                    open.insert(key, index);
                }
                _ => {}
            }
        }
        Ok(())
    })
}

pub(super) fn journal_is_true(case: &Case, played: &Played) -> Checked {
    each_leg(played, |_, leg| {
        let Some(journal) = &leg.journal else {
            return Ok(());
        };
        let ends = leg.ends();
        let marked = leg.marked();
        for (index, recorded) in journal {
            let end = ends.get(index).copied();
            let expected = match end {
                Some(ItemStatus::Updated | ItemStatus::AlreadyUpdated) => Recorded::Updated,
                Some(ItemStatus::Rejected | ItemStatus::AlreadyRejected) => Recorded::Rejected {
                    may_have_acted: marked.contains(index),
                },
                Some(ItemStatus::Unknown) => Recorded::Unknown,
                Some(ItemStatus::NotAttempted(_)) => Recorded::New,
                None => *recorded,
            };
            if *recorded != expected {
                return Err(format!(
                    "entry {index} is reported as {end:?} and recorded as {recorded:?}"
                ));
            }
        }
        for sent in played.sent_until(leg) {
            let lost = |index: &&usize| {
                let recorded = journal.get(*index);
                let applied = sent.applied().contains(*index);
                let is_denied = matches!(
                    recorded,
                    Some(
                        Recorded::New
                            | Recorded::Rejected {
                                may_have_acted: false
                            }
                    )
                );
                (applied || sent.may_have_acted()) && is_denied
            };
            if let Some(index) = sent.entries.iter().find(lost) {
                return Err(format!(
                    "entry {index} may be changed, and is recorded as {:?}",
                    journal.get(index)
                ));
            }
        }
        let confirmed = confirmed(played.sent_until(leg));
        let wrong = |(index, recorded): &(&usize, &Recorded)| {
            **recorded == Recorded::Updated && !confirmed.contains(*index)
        };
        if let Some((index, _)) = journal.iter().find(wrong) {
            return Err(format!(
                "entry {index} is recorded as updated, and no response says so"
            ));
        }
        Ok(())
    })?;
    let mut before: Option<&BTreeMap<usize, Recorded>> = None;
    for (number, leg) in played.legs.iter().enumerate() {
        if let Some(before) = before {
            let resend = case.legs.get(number).is_some_and(|leg| leg.resend);
            skips(before, leg, played.sent_in(leg), resend)
                .map_err(|reason| format!("run {number}: {reason}"))?;
        }
        before = leg.journal.as_ref();
    }
    Ok(())
}

/// A resumed run does not send what is settled, and says what it was settled as.
fn skips(before: &BTreeMap<usize, Recorded>, leg: &Ended, sent: &[Sent], resend: bool) -> Checked {
    let ends = leg.ends();
    for (index, recorded) in before {
        let (kind, final_end) = match recorded {
            Recorded::Updated => ("updated", ItemStatus::AlreadyUpdated),
            Recorded::Rejected { .. } => ("rejected", ItemStatus::AlreadyRejected),
            Recorded::Unknown if !resend => ("in doubt", ItemStatus::Unknown),
            Recorded::Unknown | Recorded::New => continue,
        };
        if sent.iter().any(|sent| sent.has(*index)) {
            return Err(format!("entry {index} was {kind}, and is sent again"));
        }
        match ends.get(index) {
            Some(end) if *end != final_end => {
                return Err(format!(
                    "entry {index} was {kind}, and is reported as {end:?}"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// No request holds more than it may, or a key twice.
pub(super) fn limits(case: &Case, played: &Played) -> Checked {
    for (number, sent) in played.sent.iter().enumerate() {
        let keys: BTreeSet<_> = sent.entries.iter().map(|index| case.key(*index)).collect();
        if keys.len() != sent.entries.len() {
            return Err(format!("request {number} holds a key twice"));
        }
        if keys.is_empty() || keys.len() > 100 {
            return Err(format!("request {number} has {} entries", keys.len()));
        }
        if case.max_batch_bytes.is_some_and(|most| sent.bytes > most) {
            return Err(format!("request {number} has {} bytes", sent.bytes));
        }
    }
    Ok(())
}
