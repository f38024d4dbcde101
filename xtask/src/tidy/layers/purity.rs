//! What a pure layer may not have in it: waiting, clocks and IO.

use super::imports::Import;
use super::tokens;
use super::tree::Tree;
use crate::tidy::{Finding, Source};

/// Names that give it away wherever they stand.
const NAMES: [&str; 4] = ["async", "await", "Clock", "Sleep"];

/// Crates and modules, as the beginnings of paths.
const PATHS: &[&[&str]] = &[
    &["tokio"],
    &["futures"],
    &["futures_core"],
    &["futures_util"],
    &["hyper"],
    &["reqwest"],
    &["std", "env"],
    &["std", "fs"],
    &["std", "io"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "Instant"],
    &["std", "time", "SystemTime"],
];

/// Findings for one file of a pure layer, its tests included.
pub(super) fn findings(
    layer: &str,
    source: &Source,
    tree: &Tree,
    imports: &[&Import],
) -> Vec<Finding> {
    let what = |thing: &str| {
        format!(
            "`{thing}` is not for `{layer}`, which neither waits nor reads a clock nor does IO: take its result as an \
             argument, or do it in a layer above"
        )
    };
    let mut findings = Vec::new();
    for import in imports {
        let path = tree.foreign(&import.module, &import.written);
        let is_impure = |impure: &&&[&str]| {
            path.iter().zip(**impure).filter(|(a, b)| a == *b).count() == impure.len()
        };
        if let Some(impure) = PATHS.iter().find(is_impure) {
            let finding = Finding::at(&source.path, import.line, what(&impure.join("::")));
            findings.push(finding);
        }
    }
    let tokens = source.text.parse().map(tokens::names).unwrap_or_default();
    for (line, name) in tokens {
        if NAMES.contains(&name.as_str()) {
            findings.push(Finding::at(&source.path, line, what(&name)));
        }
    }
    findings
}
