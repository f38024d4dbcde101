//! The report of a run as a table for the terminal.

use std::fmt::Write as _;

use crate::run::{Report, RuleReport};

/// Renders a report as text: one line for each rule below its group, then the failures.
#[must_use]
pub fn table(report: &Report) -> String {
    let mut text = format!("{} · seed {}\n", report.client, report.seed);
    let width = report
        .rules
        .iter()
        .map(|rule| rule.id.len())
        .max()
        .unwrap_or(0);
    let mut group = "";
    for rule in &report.rules {
        let (this, _) = rule.id.split_once('/').unwrap_or((rule.id, ""));
        if this != group {
            group = this;
            let _ = writeln!(
                text,
                "\n{group}{:>space$}   cases  fewest hits  digest",
                "",
                space = width.saturating_sub(group.len()) + 5
            );
        }
        let _ = writeln!(text, "{}", line(rule, width));
    }
    let failed: Vec<_> = report.rules.iter().filter(|rule| !rule.passed()).collect();
    for rule in &failed {
        explain(&mut text, rule);
    }
    let cases: u64 = report.rules.iter().map(|rule| rule.cases).sum();
    let passed = report.rules.len() - failed.len();
    let _ = write!(
        text,
        "\n{passed} rules passed, {} failed, {cases} cases",
        failed.len()
    );
    text
}

fn line(rule: &RuleReport, width: usize) -> String {
    let result = if rule.passed() { "pass" } else { "FAIL" };
    let fewest = rule.boundaries.values().min().copied().unwrap_or(0);
    format!(
        "{result} {:<width$}   {:>6}  {fewest:>11}  {}",
        rule.id, rule.cases, rule.digest
    )
}

fn explain(text: &mut String, rule: &RuleReport) {
    let _ = writeln!(text, "\n{}: {}", rule.id, rule.property);
    for reason in &rule.insufficient {
        let _ = writeln!(text, "  insufficient: {reason}");
    }
    if let Some(failure) = &rule.failure {
        let _ = writeln!(text, "  case {}: {}", failure.case, failure.reason);
        let _ = writeln!(text, "  smallest input: {}", shortened(&failure.input));
        let _ = writeln!(text, "  reproduce: {}", failure.reproduce);
    }
}

fn shortened(input: &str) -> String {
    const MAX: usize = 2_000;
    match input.char_indices().nth(MAX) {
        None => input.to_owned(),
        Some((end, _)) => format!(
            "{}… ({} bytes; the JSON report has all of it)",
            &input[..end],
            input.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::run::Failure;

    fn report(failure: Option<Failure>, insufficient: Vec<String>) -> Report {
        let rule = RuleReport {
            id: "group/name",
            property: "a property",
            source: "a source",
            cases: 200,
            digest: "00ff".to_owned(),
            boundaries: BTreeMap::from([("edge", 50), ("other edge", 12)]),
            failure,
            insufficient,
        };
        Report {
            version: 2,
            client: "a client".to_owned(),
            seed: 7,
            rules: vec![rule],
        }
    }

    #[test]
    fn a_pass_shows_cases_hits_and_digest() {
        let text = table(&report(None, Vec::new()));
        assert!(
            text.contains("pass group/name      200           12  00ff"),
            "{text}"
        );
        assert!(
            text.ends_with("1 rules passed, 0 failed, 200 cases"),
            "{text}"
        );
    }

    #[test]
    fn a_failure_shows_the_property_the_input_and_how_to_reproduce_it() {
        let failure = Failure {
            case: 3,
            input: "[1]".to_owned(),
            reason: "it broke".to_owned(),
            reproduce: "the command".to_owned(),
        };
        let text = table(&report(Some(failure), Vec::new()));
        for part in [
            "FAIL group/name",
            "a property",
            "case 3: it broke",
            "smallest input: [1]",
            "reproduce: the command",
            "1 failed",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn insufficient_cases_are_a_failure_that_says_why() {
        let text = table(&report(None, vec!["only 3 cases".to_owned()]));
        assert!(
            text.contains("FAIL group/name") && text.contains("insufficient: only 3 cases"),
            "{text}"
        );
    }
}
