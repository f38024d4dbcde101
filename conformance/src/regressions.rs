//! The known regressions: cases that failed once, run before all others.

/// One case on each line: rule, seed and number of the case. Text after `#` says what failed.
const KNOWN: &str = include_str!("regressions.txt");

/// The known regressions of a rule, as (seed, case).
#[must_use]
pub fn of(rule: &str) -> Vec<(u64, u64)> {
    KNOWN
        .lines()
        .filter_map(read)
        .filter(|(id, ..)| *id == rule)
        .map(|(_, seed, case)| (seed, case))
        .collect()
}

fn read(line: &str) -> Option<(&str, u64, u64)> {
    let mut words = line.split('#').next()?.split_whitespace();
    Some((
        words.next()?,
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn every_line_names_a_rule_and_a_case() {
        let rules = rules::all();
        for line in KNOWN
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        {
            let (id, ..) = read(line).unwrap_or_else(|| panic!("not a case: {line}"));
            assert!(
                rules.iter().any(|rule| rule.id == id),
                "no such rule: {line}"
            );
        }
    }
}
