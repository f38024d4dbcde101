//! Runs rules against a client on several threads and collects the report.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use crate::client::ClientUnderTest;
use crate::harness::Harness;
use crate::panics;
use crate::rule::Rule;

/// Version of the report's format.
const VERSION: u32 = 2;

/// Minimum number of cases of a rule. A rule with fewer fails.
pub const MIN_CASES: u64 = 100;
/// Minimum number of cases that touch each boundary of a rule. A rule with fewer fails.
pub const MIN_HITS: u64 = 10;

/// Configures a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed. With a rule and the number of a case it decides the input of the case.
    pub seed: u64,
    /// Number of cases of each rule. A rule of scenarios gets half as many, but at least [`MIN_CASES`].
    pub cases: u64,
    /// The number of one case to reproduce, alone. The minimum numbers of cases and hits do not apply to it.
    pub case: Option<u64>,
    /// Number of threads that run cases.
    pub threads: usize,
}

/// The report of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Version of the report's format: 2. It changes when a reader of an older version would be misled.
    pub version: u32,
    /// Name of the client under test.
    pub client: String,
    /// The seed.
    pub seed: u64,
    /// The result of each rule, in the order of the rules.
    pub rules: Vec<RuleReport>,
}

/// The result of one rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// Id of the rule.
    pub id: &'static str,
    /// The property.
    pub property: &'static str,
    /// The source of the property.
    pub source: &'static str,
    /// Number of cases that were run.
    pub cases: u64,
    /// Digest of all inputs in order. Equal digests mean equal cases.
    pub digest: String,
    /// Number of cases that touched each boundary.
    pub boundaries: BTreeMap<&'static str, u64>,
    /// The first case that failed.
    pub failure: Option<Failure>,
    /// Reasons why the cases prove too little, although none failed. Empty if they are sufficient.
    pub insufficient: Vec<String>,
}

impl RuleReport {
    /// Whether no case failed and the cases are sufficient.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failure.is_none() && self.insufficient.is_empty()
    }
}

impl Report {
    /// Whether every rule passed, and there was at least one.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.rules.is_empty() && self.rules.iter().all(RuleReport::passed)
    }
}

/// A case in which a property did not hold.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Number of the case.
    pub case: u64,
    /// The smallest input that was found to fail.
    pub input: String,
    /// The reason.
    pub reason: String,
    /// Command that reproduces the case.
    pub reproduce: String,
}

/// Runs rules against a client. `regressions` names the known regressions of a rule as (seed, case); they run first.
///
/// # Errors
///
/// If the reference servers cannot bind a port, or a rule itself panics.
pub fn run(
    client: &dyn ClientUnderTest,
    rules: &[Rule],
    plan: &Plan,
    runtime: &Handle,
    regressions: &dyn Fn(&str) -> Vec<(u64, u64)>,
) -> std::io::Result<Report> {
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(BTreeMap::new());
    let known: Vec<_> = rules.iter().map(|rule| regressions(rule.id)).collect();
    let work = || -> std::io::Result<()> {
        panics::keep();
        let harness = Harness::start(client, runtime.clone())?;
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let (Some(rule), Some(known)) = (rules.get(position), known.get(position)) else {
                return Ok(());
            };
            let report = catch_unwind(AssertUnwindSafe(|| run_rule(rule, plan, known, &harness)));
            let report = report.map_err(|panic| {
                let message = panics::caught(&*panic);
                std::io::Error::other(format!("the rule {} itself failed: {message}", rule.id))
            })?;
            reports
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(position, report);
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(std::io::Error::other("a thread of the suite panicked")))
        })
    })?;
    let reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Report {
        version: VERSION,
        client: client.name().to_owned(),
        seed: plan.seed,
        rules: reports.into_values().collect(),
    })
}

fn run_rule(rule: &Rule, plan: &Plan, known: &[(u64, u64)], harness: &Harness<'_>) -> RuleReport {
    let mut digest = Sha256::new();
    let mut boundaries: BTreeMap<_, _> = rule.boundaries.iter().map(|name| (*name, 0)).collect();
    let mut failure = None;
    let mut cases = 0;
    let fresh = match plan.case {
        Some(case) => case..case.saturating_add(1),
        None if rule.is_scenario => 0..scenarios(plan.cases),
        None => 0..plan.cases,
    };
    let known = known
        .iter()
        .copied()
        .filter(|_| plan.case.is_none())
        .map(|pair| (pair, false));
    for ((seed, case), fresh) in known.chain(fresh.map(|case| ((plan.seed, case), true))) {
        panics::forget();
        let result = rule.run_case(seed, case, harness);
        if fresh {
            cases += 1;
            digest.update(result.input.as_bytes());
            digest.update([0]);
            for hit in &result.hits {
                if let Some(count) = boundaries.get_mut(hit) {
                    *count += 1;
                }
            }
        }
        if let Some(failed) = result.failure {
            failure = Some(Failure {
                case,
                input: failed.input,
                reason: failed.reason,
                reproduce: format!(
                    "cargo xtask conformance --rule {} --seed {seed} --case {case}",
                    rule.id
                ),
            });
            break;
        }
    }
    let is_exempt = failure.is_some() || plan.case.is_some();
    let insufficient = if is_exempt {
        Vec::new()
    } else {
        insufficient(cases, &boundaries)
    };
    RuleReport {
        id: rule.id,
        property: rule.property,
        source: rule.source,
        cases,
        digest: hexadecimal(&digest.finalize()),
        boundaries,
        failure,
        insufficient,
    }
}

/// Number of scenarios where other rules get `cases` cases: half of them, but no fewer than are sufficient.
fn scenarios(cases: u64) -> u64 {
    cases.div_ceil(2).max(cases.min(MIN_CASES))
}

/// The reasons why the cases are insufficient.
fn insufficient(cases: u64, boundaries: &BTreeMap<&'static str, u64>) -> Vec<String> {
    let rare = boundaries.iter().filter(|(_, hits)| **hits < MIN_HITS);
    let mut reasons: Vec<_> = rare
        .map(|(name, hits)| format!("only {hits} cases touched `{name}` (minimum {MIN_HITS})"))
        .collect();
    if cases < MIN_CASES {
        reasons.insert(0, format!("only {cases} cases ran (minimum {MIN_CASES})"));
    }
    if boundaries.is_empty() {
        reasons.push("the rule has no boundary".to_owned());
    }
    reasons
}

fn hexadecimal(digest: &[u8]) -> String {
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rule::property;

    #[test]
    fn too_few_cases_or_hits_or_no_boundary_at_all_are_insufficient() {
        let enough = BTreeMap::from([("edge", MIN_HITS)]);
        assert!(insufficient(MIN_CASES, &enough).is_empty());
        assert_eq!(insufficient(MIN_CASES - 1, &enough).len(), 1);
        assert_eq!(
            insufficient(MIN_CASES, &BTreeMap::from([("edge", MIN_HITS - 1)])).len(),
            1
        );
        assert_eq!(insufficient(MIN_CASES, &BTreeMap::new()).len(), 1);
        assert_eq!(
            insufficient(0, &BTreeMap::from([("edge", 0)])).len(),
            2,
            "no case run is no pass"
        );
    }

    fn run_alone(rule: Rule) -> std::io::Result<Report> {
        panics::collect();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let plan = Plan {
            seed: 0,
            cases: 1,
            case: None,
            threads: 1,
        };
        let client = crate::clients::Sdk::default();
        run(&client, &[rule], &plan, runtime.handle(), &|_| Vec::new())
    }

    fn rule(
        hits: fn(&u64) -> Vec<&'static str>,
        check: fn(&Harness<'_>, &u64) -> Result<(), String>,
    ) -> Rule {
        let cases = property(|case| Just(case).boxed(), hits, check);
        Rule::new("a/rule", "a property", "a source", &["edge"], cases)
    }

    #[test]
    fn a_rule_that_panics_says_what_and_where() {
        let here = format!("panicked at {}:", file!());
        let checks = rule(|_| Vec::new(), |_, case| panic!("the check of {case}"));
        let report = run_alone(checks).expect("a report");
        let failure = report.rules[0].failure.as_ref().expect("a failure");
        assert!(failure.reason.contains(&here), "{}", failure.reason);
        assert!(
            failure.reason.ends_with("the check of 0"),
            "{}",
            failure.reason
        );

        let counts = rule(|case| panic!("the edges of {case}"), |_, _| Ok(()));
        let error = run_alone(counts).expect_err("no report").to_string();
        for part in ["a/rule", &here, "the edges of 0"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn stories_are_half_as_many_but_enough() {
        let pairs = [
            (0, 0),
            (99, 99),
            (100, 100),
            (150, 100),
            (200, 100),
            (201, 101),
            (5_000, 2_500),
        ];
        for (cases, expected) in pairs {
            assert_eq!(scenarios(cases), expected, "{cases}");
        }
    }

    #[test]
    fn a_report_without_rules_has_not_passed() {
        let report = Report {
            version: VERSION,
            client: String::new(),
            seed: 0,
            rules: Vec::new(),
        };
        assert!(!report.passed());
    }
}
