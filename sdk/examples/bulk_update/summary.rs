//! The summary of a run or a dry run for people, with the next steps.

use std::time::Duration;

use webflow_cms::bulk::{Counts, DryRun, Report, Statistics, StopReason};

use super::console::one_line;
use super::files::Files;
use super::format::{count, grouped, time};
use super::input::Reading;
use super::options::Options;
use super::shell;
use super::upload::{Uploaded, journal_hint, with_causes};

/// The summary of a dry run. Invalid rows were listed before, one by one.
pub(crate) fn of_plan(
    plan: &DryRun,
    invalid: u64,
    reading: &Reading,
    limit: Option<u64>,
) -> String {
    let mut lines = Vec::new();
    let mut others = plan.errors.saturating_sub(invalid);
    for (index, fault) in &plan.first_errors {
        // Faults of the source begin with their line and were listed before.
        if !fault.starts_with("line ") {
            others = others.saturating_sub(1);
            lines.push(format!("{}: {}", reading.place(*index), one_line(fault)));
        }
    }
    if others > 0 {
        lines.push(format!("and {} more that cannot be sent", grouped(others)));
    }
    lines.push(format!(
        "nothing was sent; without refusals a run takes {} with {} of JSON",
        count(plan.requests, "request"),
        count(plan.bytes, "byte"),
    ));
    if let Some(limit) = limit {
        let wait = match plan.duration {
            Duration::ZERO => "no wait".to_owned(),
            wait => time(wait),
        };
        let limit = count(limit, "request");
        lines.push(format!("the rate limit adds {wait} at {limit} a minute"));
    }
    for (number, what) in [
        (plan.skipped, ": updated or rejected by an earlier run"),
        (
            plan.unknown,
            ": unknown after an earlier run; check them on the site, or resend them with --resend-unknown",
        ),
        (plan.errors, " cannot be sent"),
    ] {
        if number > 0 {
            let rows = count(plan.items, "row");
            lines.push(format!("{} of {rows}{what}", grouped(number)));
        }
    }
    lines.extend(changed(reading));
    lines.join("\n")
}

/// The summary of a run.
pub(crate) fn of_run(uploaded: &Uploaded, files: &Files, options: &Options) -> String {
    let report = &uploaded.report;
    let mut lines = vec![counts(&report.counts, &uploaded.reading)];
    lines.extend(why_stopped(report));
    lines.extend(why_not_read(uploaded, options));
    lines.extend(changed(&uploaded.reading));
    lines.extend(effort(report));
    if report.not_in_input > 0 {
        let updates = count(report.not_in_input, "update");
        lines.push(format!(
            "{updates} of earlier runs are no longer in the input; their changes stay on the site"
        ));
    }
    lines.push(String::new());
    lines.extend(next_steps(uploaded, files, options));
    lines.join("\n")
}

/// Why the run stopped early.
fn why_stopped(report: &Report) -> Option<String> {
    let why = report.stop_reason.as_ref()?;
    Some(match why {
        StopReason::Journal(error) => format!(
            "the run stopped: {}{}",
            with_causes(&**error),
            journal_hint(&**error)
        ),
        _ => one_line(&why.to_string()),
    })
}

/// Whether all rows are likely to have the same fault.
fn is_common_fault(why: &StopReason) -> bool {
    matches!(
        why,
        StopReason::RepeatedRefusal { .. } | StopReason::TooManyRejected { .. }
    )
}

/// Why the input was not read to its end, unless the run itself stopped.
fn why_not_read(uploaded: &Uploaded, options: &Options) -> Option<String> {
    let Uploaded {
        report,
        reading,
        last_invalid,
        ..
    } = uploaded;
    let (place, ends_input) = last_invalid.as_ref()?;
    if report.stop_reason.is_some() || reading.is_complete() && !ends_input {
        return None;
    }
    let how = match options.keep_going || *ends_input {
        true => "",
        false => "; --keep-going also reads the rows after it",
    };
    Some(format!("reading stopped at {place}{how}"))
}

/// A note that the input had another number of rows than were counted before the run.
fn changed(reading: &Reading) -> Option<String> {
    let counted = reading.counted_otherwise()?;
    Some(format!(
        "{} changed during the run: {} counted, {} read; run the same command again",
        reading.name(),
        count(counted, "row"),
        grouped(reading.taken()),
    ))
}

fn counts(counts: &Counts, reading: &Reading) -> String {
    let Counts {
        updated,
        already_updated,
        rejected,
        not_attempted,
        unknown,
        ..
    } = *counts;
    let updated = updated + already_updated;
    let mut text = match reading.rows() {
        Some(rows) => format!("{} of {} updated", grouped(updated), count(rows, "item")),
        None => format!("{} updated", count(updated, "item")),
    };
    if already_updated > 0 {
        text.push_str(&format!(
            " ({} of them by an earlier run)",
            grouped(already_updated)
        ));
    }
    let unread = reading
        .rows()
        .map(|rows| rows.saturating_sub(counts.total()));
    for (number, what) in [
        (rejected, "rejected"),
        (unknown, "unknown"),
        (not_attempted, "not attempted"),
        (unread.unwrap_or_default(), "not read"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {what}", grouped(number)));
        }
    }
    if unread.is_none() {
        text.push_str(", the rest not read");
    }
    text
}

fn effort(report: &Report) -> Vec<String> {
    let statistics = &report.statistics;
    let Statistics {
        requests,
        retries,
        min_requests,
        isolation_requests,
        elapsed,
        ..
    } = *statistics;
    let mut text = format!("{} in {}", count(requests, "request"), time(elapsed));
    if requests > 0 {
        text.push_str(&format!(
            " (minimum {}), {} of them retries",
            grouped(min_requests),
            grouped(retries)
        ));
    }
    if isolation_requests > 0 {
        text.push_str(&format!(
            ", {} to isolate rejected items",
            grouped(isolation_requests)
        ));
    }
    let waits: Vec<_> = [
        (statistics.waited_for_rate_limit, "for the rate limit"),
        (statistics.waited_for_retry_after, "for Retry-After"),
        (statistics.waited_for_backoff, "after failures"),
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
                "waits, summed over concurrent requests: {}",
                waits.join(", ")
            ),
        ],
    }
}

fn next_steps(uploaded: &Uploaded, files: &Files, options: &Options) -> Vec<String> {
    let Uploaded {
        report,
        reading,
        dead_letters,
        invalid,
        ..
    } = uploaded;
    let Counts {
        rejected,
        not_attempted,
        unknown,
        ..
    } = report.counts;
    let (input, journal) = (reading.name(), files.journal.display());
    if uploaded.is_complete() {
        return vec![format!(
            "every item is updated; {journal} is no longer needed"
        )];
    }
    let letters = dead_letters.path.display();
    let mut lines = Vec::new();
    match &dead_letters.fault {
        Some(error) => lines.push(format!(
            "{letters}: {error}; the run was cancelled, and the same command resumes it"
        )),
        None if !dead_letters.is_kept => {}
        None if dead_letters.lines == 1 => {
            lines.push(format!(
                "{letters} has the row that was not updated, with the reason"
            ));
        }
        None => lines.push(format!(
            "{letters} has the {} that were not updated, each with the reason",
            count(dead_letters.lines, "row")
        )),
    }
    if *invalid > 0 {
        let rows = count(*invalid, "row");
        lines.push(format!(
            "- invalid: correct {rows} in {input} and run the same command again"
        ));
    }
    let stopped = report.stop_reason.as_ref();
    if stopped.is_some_and(is_common_fault) {
        lines.push(format!(
            "- not attempted: if all rows have the same fault, correct it in {input}; \
             the same command resumes from {journal}"
        ));
    } else if not_attempted > *invalid || !reading.is_complete() {
        let first = match stopped {
            None | Some(StopReason::Cancelled) => "",
            Some(_) => "once that is fixed, ",
        };
        lines.push(format!(
            "- not attempted: {first}the same command resumes from {journal}"
        ));
    }
    if unknown > 0 {
        lines.push(
            "- unknown: they may have changed, so check them on the site, or resend them: the same command with \
             --resend-unknown"
                .to_owned(),
        );
    }
    if rejected > 0 {
        lines.push(format!(
            "- rejected: correct them in {input} and run the same command again; updated rows are not resent"
        ));
        if dead_letters.is_kept && not_attempted + unknown == 0 {
            lines.push(format!(
                "  or correct them in {letters} and send that file:\n    \
                 cargo run --example bulk_update -- {}{}",
                options.for_another_file(),
                shell::word(&dead_letters.path)
            ));
        }
    }
    lines
}
