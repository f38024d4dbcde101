//! What came of a run, in plain words, and what to do next.

use std::error::Error as _;
use std::time::Duration;

use webflow_cms::ErrorKind;
use webflow_cms::bulk::{Counts, DryRun, NotAttempted, Report, Settlement, Statistics, Unknown};

use super::input::Input;
use super::options::{Files, Options};
use super::upload::Uploaded;
use super::words::{count, grouped, time};

/// What a run would do.
pub(crate) fn of_plan(plan: &DryRun, input: &Input, pace: Duration) -> String {
    let mut lines = vec![format!(
        "nothing was sent; a run would take {} with {} of JSON, and {} at one each {:.2} s, if nothing is refused",
        count(plan.requests, "request"),
        count(plan.bytes, "byte"),
        time(plan.time),
        pace.as_secs_f64(),
    )];
    for (number, what) in [
        (plan.settled_before, "settled by an earlier run"),
        (
            plan.in_doubt,
            "in doubt after an earlier run, to be looked at, or sent again with --resend-in-doubt",
        ),
        (plan.faults, "cannot be sent"),
    ] {
        if number > 0 {
            lines.push(format!(
                "{} of {}: {what}",
                grouped(number),
                count(plan.items, "item")
            ));
        }
    }
    for (index, fault) in &plan.first_faults {
        let place = format!("{}:{}", input.name(), input.line_of(*index));
        lines.push(match fault.starts_with(&place) {
            true => format!("  {fault}"),
            false => format!("  {place}: {fault}"),
        });
    }
    if plan.faults > plan.first_faults.len() as u64 {
        lines.push("  and more".to_owned());
    }
    lines.join("\n")
}

/// What a run did.
pub(crate) fn of_run(
    uploaded: &Uploaded,
    input: &Input,
    files: &Files,
    options: &Options,
) -> String {
    let report = &uploaded.report;
    let mut lines = vec![counts(&report.counts, input.items)];
    lines.extend(why_stopped(report));
    lines.extend(effort(report));
    lines.push(String::new());
    lines.extend(next_steps(uploaded, input, files, options));
    lines.join("\n")
}

/// Why the run ended before its end, with the last refusal, or the first failure, behind it.
fn why_stopped(report: &Report) -> Option<String> {
    let why = report.stopped.as_ref()?;
    let refusal = match why {
        NotAttempted::Stopped(error) => error.source().map(ToString::to_string),
        _ => None,
    };
    let mut others = report.others.iter().map(|outcome| &outcome.settlement);
    let failure = || {
        others.find_map(|settlement| match settlement {
            Settlement::NotAttempted(NotAttempted::NotSent(error))
            | Settlement::Unknown(Unknown::Failed(error)) => Some(error.to_string()),
            _ => None,
        })
    };
    Some(match refusal.or_else(failure) {
        Some(cause) if is_in_vain(why) => format!("{why}; {cause}"),
        _ => why.to_string(),
    })
}

fn is_in_vain(why: &NotAttempted) -> bool {
    matches!(why, NotAttempted::Stopped(error) if error.kind() == ErrorKind::InVain)
}

fn counts(counts: &Counts, items: u64) -> String {
    let Counts {
        updated,
        updated_before,
        rejected,
        not_attempted,
        unknown,
        ..
    } = *counts;
    let mut text = format!(
        "{} of {} updated",
        grouped(updated + updated_before),
        count(items, "item")
    );
    if updated_before > 0 {
        text.push_str(&format!(" ({} of them before)", grouped(updated_before)));
    }
    let unread = items.saturating_sub(counts.settled());
    for (number, what) in [
        (rejected, "rejected"),
        (unknown, "unknown"),
        (not_attempted, "not attempted"),
        (unread, "not read"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {what}", grouped(number)));
        }
    }
    text
}

fn effort(report: &Report) -> Vec<String> {
    let statistics = &report.statistics;
    let Statistics {
        requests,
        sent_again,
        least_requests,
        elapsed,
        ..
    } = *statistics;
    let to_isolate = requests.saturating_sub(least_requests + sent_again);
    let mut text = format!("{} in {}", count(requests, "request"), time(elapsed));
    if requests > 0 {
        text.push_str(&format!(
            ", {:.1} times the least: {} for the items, {} sent again",
            statistics.overhead(),
            grouped(least_requests.min(requests.saturating_sub(sent_again))),
            grouped(sent_again),
        ));
    }
    if to_isolate > 0 {
        let why = match report.stopped {
            None => "to find what was refused in a batch",
            Some(_) => "more",
        };
        text.push_str(&format!(", {} {why}", grouped(to_isolate)));
    }
    let waits: Vec<_> = [
        (statistics.waited_for_pace, "for the pace"),
        (
            statistics.waited_for_service,
            "since the service asked for it",
        ),
        (statistics.waited_by_itself, "after failures"),
    ]
    .into_iter()
    .filter(|(wait, _)| !wait.is_zero())
    .map(|(wait, why)| format!("{} {why}", time(wait)))
    .collect();
    match waits.is_empty() {
        true => vec![text],
        false => vec![
            text,
            format!(
                "waits, added up over requests at work together: {}",
                waits.join(", ")
            ),
        ],
    }
}

fn next_steps(uploaded: &Uploaded, input: &Input, files: &Files, options: &Options) -> Vec<String> {
    let Uploaded {
        report,
        dead_letters,
        unreadable,
    } = uploaded;
    let Counts {
        rejected,
        not_attempted,
        unknown,
        ..
    } = report.counts;
    let (journal, letters) = (files.journal.display(), files.dead_letters.display());
    if report.is_complete() {
        return vec![format!(
            "every item is updated; {journal} is not needed any more"
        )];
    }
    let mut lines = Vec::new();
    match dead_letters {
        Ok(0) => {}
        Ok(number) => lines.push(format!(
            "{letters} holds the {} that were not made, each with the reason",
            count(*number, "update")
        )),
        Err(failure) => lines.push(failure.to_string()),
    }
    if *unreadable > 0 {
        let lines_of_input = count(*unreadable, "line");
        lines.push(format!(
            "- {lines_of_input} of the input cannot be read: correct what is there, and keep all lines in their places"
        ));
    }
    match &report.stopped {
        // The journal knows by their content the items that were sent, so it is of no use for corrected ones.
        Some(why) if is_in_vain(why) && rejected > 0 => lines.push(
            "- not attempted: batch after batch was refused; if all have the same fault, correct it there in all lines"
                .to_owned(),
        ),
        stopped if not_attempted > 0 || report.counts.settled() < input.items => {
            let mended = match (stopped, unreadable) {
                (Some(NotAttempted::Stopped(_)), _) | (_, 1..) => "once that is mended, ",
                _ => "",
            };
            lines.push(format!(
                "- not attempted: {mended}the same command with --resume goes on by {journal}"
            ));
        }
        _ => {}
    }
    if unknown > 0 {
        lines.push(
            "- unknown: may have been changed, so look at them on the site; to send them again,\n  \
             the same command with --resume --resend-in-doubt"
                .to_owned(),
        );
    }
    if rejected > 0 && not_attempted + unknown == 0 {
        let live = options.live_again();
        lines.push(format!(
            "- rejected: would be refused again as they are; correct them there and send that file\n  \
             cargo run --example bulk_update -- {live}{letters}"
        ));
    } else if rejected > 0 {
        lines.push(
            "- rejected: would be refused again as they are; correct them there when the others are settled"
                .to_owned(),
        );
    }
    lines
}
