//! A rule: a property of clients, its source, and how its cases are generated and checked.

use std::fmt::Debug;
use std::panic::Location;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use sha2::{Digest, Sha256};

use crate::harness::Harness;
use crate::panics;

/// A property that every client of the endpoint must have, with its cases.
pub struct Rule {
    /// The id, `group/name`. The group is the folder in `rules/` that holds the rule, with `-` for `_`.
    pub id: &'static str,
    /// The property, in one sentence.
    pub property: &'static str,
    /// The source of the property: a page of Webflow's reference, an observation, or a decision of this suite.
    pub source: &'static str,
    /// The boundaries that the cases must touch.
    pub boundaries: &'static [&'static str],
    /// Whether each case is a scenario of several runs. A rule of scenarios gets half as many cases.
    pub is_scenario: bool,
    /// Path of the source file that declares the rule, as the compiler names it.
    pub file: &'static str,
    /// Decides the random cases together with seed and number.
    stream: &'static str,
    cases: Box<dyn Cases>,
}

impl Rule {
    #[track_caller]
    pub(crate) fn new(
        id: &'static str,
        property: &'static str,
        source: &'static str,
        boundaries: &'static [&'static str],
        cases: Box<dyn Cases>,
    ) -> Self {
        Self {
            id,
            property,
            source,
            boundaries,
            is_scenario: false,
            file: Location::caller().file(),
            stream: id,
            cases,
        }
    }

    /// Marks each case as a scenario of several runs.
    pub(crate) fn of_scenarios(mut self) -> Self {
        self.is_scenario = true;
        self
    }

    /// Keeps the cases that the rule had under its former id, so that its known regressions stay what they are.
    pub(crate) fn formerly(mut self, id: &'static str) -> Self {
        self.stream = id;
        self
    }

    /// The part of the id before the slash.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(group, _)| group)
    }

    /// Runs one case. The seed, the rule and the number of the case decide the input; nothing else does.
    pub fn run_case(&self, seed: u64, case: u64, harness: &Harness<'_>) -> CaseResult {
        self.cases
            .run_case(case, rng(seed, self.stream, case), harness)
    }
}

fn rng(seed: u64, stream: &str, case: u64) -> TestRng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(case.to_le_bytes());
    hash.update(stream.as_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &hash.finalize())
}

/// The result of one case.
pub struct CaseResult {
    /// The input, as text.
    pub input: String,
    /// The boundaries that the input touches.
    pub hits: Vec<&'static str>,
    /// The failure. `None` if the property held.
    pub failure: Option<CaseFailure>,
}

/// A case in which the property did not hold.
#[derive(Clone, Debug)]
pub struct CaseFailure {
    /// The smallest input that was found to fail.
    pub input: String,
    /// The reason.
    pub reason: String,
}

pub(crate) trait Cases: Send + Sync {
    fn run_case(&self, case: u64, rng: TestRng, harness: &Harness<'_>) -> CaseResult;
}

/// Cases from three functions: `make` generates the input of a case by its number, `hits` names the boundaries that the
/// input touches, and `check` fails if the property does not hold for it.
pub(crate) fn property<T, M, H, C>(make: M, hits: H, check: C) -> Box<dyn Cases>
where
    T: Debug + 'static,
    M: Fn(u64) -> BoxedStrategy<T> + Send + Sync + 'static,
    H: Fn(&T) -> Vec<&'static str> + Send + Sync + 'static,
    C: Fn(&Harness<'_>, &T) -> Result<(), String> + Send + Sync + 'static,
{
    Box::new(Property { make, hits, check })
}

struct Property<M, H, C> {
    make: M,
    hits: H,
    check: C,
}

impl<T, M, H, C> Cases for Property<M, H, C>
where
    T: Debug + 'static,
    M: Fn(u64) -> BoxedStrategy<T> + Send + Sync,
    H: Fn(&T) -> Vec<&'static str> + Send + Sync,
    C: Fn(&Harness<'_>, &T) -> Result<(), String> + Send + Sync,
{
    fn run_case(&self, case: u64, rng: TestRng, harness: &Harness<'_>) -> CaseResult {
        let config = Config {
            failure_persistence: None,
            max_shrink_iters: 2_000,
            // In milliseconds. A client that hangs does so for every input.
            max_shrink_time: 60_000,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, rng);
        let tree = match (self.make)(case).new_tree(&mut runner) {
            Ok(tree) => tree,
            Err(reason) => {
                let failure = CaseFailure {
                    input: String::new(),
                    reason: format!("no input could be generated: {reason}"),
                };
                return CaseResult {
                    input: String::new(),
                    hits: Vec::new(),
                    failure: Some(failure),
                };
            }
        };
        let value = tree.current();
        let (input, hits) = (format!("{value:?}"), (self.hits)(&value));
        let outcome = runner.run_one(tree, |value| {
            (self.check)(harness, &value).map_err(proptest::test_runner::TestCaseError::fail)
        });
        let failure = outcome.err().map(|error| match error {
            TestError::Fail(reason, value) => CaseFailure {
                input: format!("{value:?}"),
                reason: panics::with_place(reason.message()),
            },
            TestError::Abort(reason) => CaseFailure {
                input: input.clone(),
                reason: reason.message().to_owned(),
            },
        });
        CaseResult {
            input,
            hits,
            failure,
        }
    }
}

/// Generates an edge for three cases of four, each edge in turn, so that all are touched often whatever the seed.
pub(crate) fn edges_first<T, S>(case: u64, edges: &[T], otherwise: S) -> BoxedStrategy<T>
where
    T: Clone + Debug + 'static,
    S: Strategy<Value = T> + 'static,
{
    let turn = case - case / 4;
    let edge = usize::try_from(turn)
        .ok()
        .and_then(|turn| edges.get(turn.checked_rem(edges.len())?));
    match edge {
        Some(edge) if case % 4 != 3 => proptest::strategy::Just(edge.clone()).boxed(),
        _ => otherwise.boxed(),
    }
}
