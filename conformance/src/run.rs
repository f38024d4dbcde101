//! Running the rules.

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

/// The least number of cases that a rule needs to count as tried.
pub const MIN_CASES: u64 = 100;
/// The least number of cases that must touch each boundary of a rule.
pub const MIN_HITS: u64 = 10;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides, with a rule's id and a case's number, the input of the case.
    pub seed: u64,
    /// How many cases each rule gets; a rule of whole stories gets half, but no fewer than count as tried.
    pub cases: u64,
    /// One case alone, by its number: a reproduce, to which the least numbers do not apply.
    pub case: Option<u64>,
    /// How many threads try cases.
    pub threads: usize,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The form of this report; it changes when a reader of an older form would be misled.
    pub version: u32,
    /// The client that was judged.
    pub client: String,
    /// The seed.
    pub seed: u64,
    /// Each rule, in order.
    pub rules: Vec<RuleReport>,
}

/// What came of a rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// The rule's id.
    pub id: &'static str,
    /// The law.
    pub law: &'static str,
    /// What the law rests on.
    pub source: &'static str,
    /// How many cases were tried.
    pub cases: u64,
    /// A digest of all inputs in order: equal digests mean equal cases.
    pub digest: String,
    /// How many cases touched each boundary.
    pub boundaries: BTreeMap<&'static str, u64>,
    /// The first case that broke the law.
    pub failure: Option<Failure>,
    /// Why the rule does not count as tried although no case failed.
    pub insufficient: Vec<String>,
}

impl RuleReport {
    /// Whether the law held, and was tried often enough to say so.
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

/// A case that broke a law.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The number of the case.
    pub case: u64,
    /// The smallest input that was found to break the law.
    pub input: String,
    /// What was wrong.
    pub reason: String,
    /// The command that attempts this case again.
    pub reproduce: String,
}

/// Runs rules against a client, on several threads. Known regressions of each rule, as (seed, case), come first.
///
/// # Errors
///
/// If no port can be had for the reference servers.
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
            let tried = catch_unwind(AssertUnwindSafe(|| run_rule(rule, plan, known, &harness)));
            let report = tried.map_err(|panic| {
                let said = panics::caught(&*panic);
                std::io::Error::other(format!("the rule {} itself failed: {said}", rule.id))
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
        version: 1,
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
        None if rule.is_scenario => 0..stories(plan.cases),
        None => 0..plan.cases,
    };
    let known = known
        .iter()
        .copied()
        .filter(|_| plan.case.is_none())
        .map(|pair| (pair, false));
    for ((seed, case), fresh) in known.chain(fresh.map(|case| ((plan.seed, case), true))) {
        panics::forget();
        let tried = rule.run_case(seed, case, harness);
        if fresh {
            cases += 1;
            digest.update(tried.input.as_bytes());
            digest.update([0]);
            for hit in &tried.hits {
                if let Some(count) = boundaries.get_mut(hit) {
                    *count += 1;
                }
            }
        }
        if let Some(broken) = tried.failure {
            failure = Some(Failure {
                case,
                input: broken.input,
                reason: broken.reason,
                reproduce: format!(
                    "cargo xtask conformance --rule {} --seed {seed} --case {case}",
                    rule.id
                ),
            });
            break;
        }
    }
    let tried = failure.is_some() || plan.case.is_some();
    let insufficient = if tried {
        Vec::new()
    } else {
        too_few(cases, &boundaries)
    };
    RuleReport {
        id: rule.id,
        law: rule.law,
        source: rule.source,
        cases,
        digest: hexadecimal(&digest.finalize()),
        boundaries,
        failure,
        insufficient,
    }
}

/// How many stories are tried where other rules get so many cases: half of them, but not for that too few.
fn stories(cases: u64) -> u64 {
    cases.div_ceil(2).max(cases.min(MIN_CASES))
}

/// Why so few cases prove nothing.
fn too_few(cases: u64, boundaries: &BTreeMap<&'static str, u64>) -> Vec<String> {
    let rare = boundaries.iter().filter(|(_, hits)| **hits < MIN_HITS);
    let mut reasons: Vec<_> = rare
        .map(|(name, hits)| format!("only {hits} cases touched `{name}`, {MIN_HITS} are the least"))
        .collect();
    if cases < MIN_CASES {
        reasons.insert(
            0,
            format!("only {cases} cases were tried, {MIN_CASES} are the least"),
        );
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
    fn too_few_cases_or_hits_or_no_boundary_at_all_prove_nothing() {
        let enough = BTreeMap::from([("edge", MIN_HITS)]);
        assert!(too_few(MIN_CASES, &enough).is_empty());
        assert_eq!(too_few(MIN_CASES - 1, &enough).len(), 1);
        assert_eq!(
            too_few(MIN_CASES, &BTreeMap::from([("edge", MIN_HITS - 1)])).len(),
            1
        );
        assert_eq!(too_few(MIN_CASES, &BTreeMap::new()).len(), 1);
        assert_eq!(
            too_few(0, &BTreeMap::from([("edge", 0)])).len(),
            2,
            "no case run is no pass"
        );
    }

    fn try_alone(rule: Rule) -> std::io::Result<Report> {
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
        let property = property(|case| Just(case).boxed(), hits, check);
        Rule::new("a/rule", "a law", "a source", &["edge"], property)
    }

    #[test]
    fn a_rule_that_panics_says_what_and_where() {
        let here = format!("panicked at {}:", file!());
        let checks = rule(|_| Vec::new(), |_, case| panic!("the check of {case}"));
        let report = try_alone(checks).expect("a report");
        let failure = report.rules[0].failure.as_ref().expect("a failure");
        assert!(failure.reason.contains(&here), "{}", failure.reason);
        assert!(
            failure.reason.ends_with("the check of 0"),
            "{}",
            failure.reason
        );

        let counts = rule(|case| panic!("the edges of {case}"), |_, _| Ok(()));
        let error = try_alone(counts).expect_err("no report").to_string();
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
            assert_eq!(stories(cases), expected, "{cases}");
        }
    }

    #[test]
    fn a_report_without_rules_has_not_passed() {
        let report = Report {
            version: 1,
            client: String::new(),
            seed: 0,
            rules: Vec::new(),
        };
        assert!(!report.passed());
    }
}
