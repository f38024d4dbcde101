//! The rules, one folder for each group. The group of an id names its folder.
//!
//! Rules hold their own literals (the limit of 100, the statuses, the names of keys), taken from Webflow's reference
//! page and not from the OpenAPI document, so that an error in the document is found and not repeated.

mod batch_limits;
mod bulk;
mod error_mapping;
pub(crate) mod fixture;
mod locales;
mod payload;
mod rate_limit;
mod response;
mod retries;

use crate::rule::Rule;

/// Every rule, in the order of the report.
#[must_use]
pub fn all() -> Vec<Rule> {
    let bulk = bulk::rules().into_iter().map(Rule::of_scenarios);
    [
        batch_limits::rules(),
        locales::rules(),
        error_mapping::rules(),
        payload::rules(),
        response::rules(),
        retries::rules(),
        rate_limit::rules(),
        bulk.collect(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const REFERENCE: &str = "reference page of Update Items";
const HOUSE: &str = "this suite: invalid input is refused before the network";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Component, Path};

    use super::all;

    #[test]
    fn the_group_of_an_id_names_the_folder_of_its_rule() {
        for rule in all() {
            let folders: Vec<_> = Path::new(rule.file)
                .components()
                .filter_map(|part| match part {
                    Component::Normal(name) => name.to_str(),
                    _ => None,
                })
                .collect();
            let rules = folders.iter().rposition(|folder| *folder == "rules");
            let folder = rules.and_then(|rules| folders.get(rules + 1));
            let group = rule.group().replace('-', "_");
            assert_eq!(
                folder,
                Some(&group.as_str()),
                "{} in {}",
                rule.id,
                rule.file
            );
        }
    }

    #[test]
    fn the_readme_names_every_group_and_no_other() {
        let readme = include_str!("../../README.md");
        let cells = readme.lines().filter_map(|line| line.strip_prefix("| `"));
        let named: BTreeSet<_> = cells.filter_map(|line| line.split('`').next()).collect();
        let rules = all();
        let groups: BTreeSet<_> = rules.iter().map(|rule| rule.group()).collect();
        assert_eq!(named, groups);
    }

    #[test]
    fn no_two_rules_have_the_same_id() {
        let rules = all();
        let ids: BTreeSet<_> = rules.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), rules.len());
    }
}
