//! Dead letters of entries that were not updated.

use proptest::prelude::*;
use serde_json::json;
use webflow_cms_reference::{Fault, Reply};

use crate::client::bulk::{ItemReport, ItemStatus};
use crate::client::{Entry, Options};
use crate::rule::{Rule, property};
use crate::rules::bulk::ACCOUNT;
use crate::rules::bulk::fixture::case::Trouble;
use crate::rules::bulk::fixture::follow::{Follow, Leg};
use crate::rules::fixture::{exact, members, site, wire};

pub(super) fn rules() -> Vec<Rule> {
    vec![dead_letters_are_complete()]
}

const ENDS: [&str; 6] = [
    "rejected",
    "rejected in an earlier run",
    "not attempted since the run stopped",
    "not attempted since it was cancelled",
    "not attempted since nothing could be sent",
    "unknown",
];

/// The service's reason for a rejected entry.
const WORDS: &str = "Expected value to be a number";

fn refusal(wild: bool) -> Reply {
    match wild {
        true => Reply::new(400).json(&json!({"msg": "Validation Failure", "problems": [WORDS]})),
        false => Reply::new(400).json(&json!({
            "code": "validation_error", "message": "Validation Error",
            "externalReference": null, "details": [{"param": "price", "description": WORDS}]
        })),
    }
}

fn dead_letters_are_complete() -> Rule {
    const ALL: [&str; ENDS.len() + members::EDGES.len()] =
        crate::rules::fixture::edges::joined(ENDS, members::EDGES);
    Rule::new(
        "bulk/dead-letters-are-complete",
        "each entry that was not updated leaves a dead letter of one line: every member of the entry as it was given, \
         and the reason beside them, in the service's words if it gave any; an updated entry leaves none",
        ACCOUNT,
        &ALL,
        property(
            |case| {
                let form = usize::try_from(case % 6).unwrap_or(0);
                let size = match form {
                    0 | 1 => 1..6_usize,
                    _ => 6..24_usize,
                };
                (Just(form), members::entries(size), any::<bool>()).boxed()
            },
            |(form, entries, _)| {
                let touched = members::touched(entries).into_iter();
                touched.chain([ENDS[*form]]).collect()
            },
            |harness, (form, entries, wild)| {
                let model = site::model_of(entries);
                let follow =
                    Follow::begin(harness, model, entries, Options::default(), |session| {
                        session.max_attempts = 1;
                    })?;
                let mut follow = follow.with_journal(harness);
                let mut leg = Leg::default();
                match form {
                    // Every request is refused, so every entry is rejected in the end.
                    0 | 1 => follow.script((0..40).map(|_| refusal(*wild))),
                    2 => leg.troubles = vec![Trouble::Status(401, None)],
                    3 => leg.cancelled_after = Some(0),
                    4 => leg.troubles = vec![Trouble::Status(429, None)],
                    _ => leg.troubles = vec![Trouble::Fault(Fault::ResetAfterActing)],
                }
                let (mut reports, _) = follow.run(&leg)?;
                let has_words = *form == 0;
                if *form == 1 {
                    reports = follow.run(&Leg::default())?.0;
                }
                if reports.len() != entries.len() {
                    return Err(format!("{} entries are reported", reports.len()));
                }
                for report in &reports {
                    let entry = usize::try_from(report.index).ok();
                    let entry = entry.and_then(|index| entries.get(index));
                    let entry = entry.ok_or("a report has no entry")?;
                    is_expected(*form, report.status)
                        .and_then(|()| is_whole(report, entry, has_words))
                        .map_err(|reason| format!("entry {}: {reason}", report.index))?;
                }
                Ok(())
            },
        ),
    )
}

fn is_expected(form: usize, end: ItemStatus) -> Result<(), String> {
    let is_right = match form {
        0 => end == ItemStatus::Rejected,
        1 => end == ItemStatus::AlreadyRejected,
        // A request in flight when the run was cancelled may update its entries.
        3 => matches!(end, ItemStatus::NotAttempted(_) | ItemStatus::Updated),
        2 | 4 => matches!(end, ItemStatus::NotAttempted(_)),
        _ => end == ItemStatus::Unknown,
    };
    if is_right {
        Ok(())
    } else {
        Err(format!("it is reported as {end:?}"))
    }
}

fn is_whole(report: &ItemReport, entry: &Entry, has_words: bool) -> Result<(), String> {
    let is_updated = matches!(
        report.status,
        ItemStatus::Updated | ItemStatus::AlreadyUpdated
    );
    let letter = match &report.dead_letter {
        None if is_updated => return Ok(()),
        None => return Err("it has no dead letter".to_owned()),
        Some(_) if is_updated => return Err("it is updated, and has a dead letter".to_owned()),
        Some(letter) => letter,
    };
    if letter.contains(['\n', '\r']) {
        return Err("its dead letter is more than a line".to_owned());
    }
    let mut members = exact::members(letter).ok_or("its dead letter is not an object")?;
    let known = ["id", "cmsLocaleId", "isArchived", "isDraft", "fieldData"];
    let reasons: Vec<_> = members
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(_, value)| value.get().to_owned())
        .collect();
    members.retain(|name, _| known.contains(&name.as_str()));
    wire::is_entry(&members, entry).map_err(|reason| format!("in its dead letter {reason}"))?;
    if reasons.iter().all(|reason| reason.len() < 8) {
        return Err("its dead letter has no reason".to_owned());
    }
    if has_words && !reasons.iter().any(|reason| reason.contains(WORDS)) {
        return Err(format!(
            "its dead letter lacks the service's words: {reasons:?}"
        ));
    }
    if has_words && !report.reason.contains(WORDS) {
        return Err(format!(
            "its reason lacks the service's words: {:?}",
            report.reason
        ));
    }
    Ok(())
}
