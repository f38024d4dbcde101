//! What a rule is.

use std::fmt::Debug;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use sha2::{Digest, Sha256};

use crate::harness::Harness;
use crate::panics;

/// A law of the endpoint, and how it is tried.
pub struct Rule {
    /// `group/name`, by which a run can choose it.
    pub id: &'static str,
    /// What must hold, in one sentence.
    pub law: &'static str,
    /// What the law rests on.
    pub source: &'static str,
    /// The edges that the cases must touch.
    pub boundaries: &'static [&'static str],
    /// Whether a case is a whole story, of which a run attempts half as many as of other cases.
    pub is_scenario: bool,
    property: Box<dyn Property>,
}

impl Rule {
    pub(crate) fn new(
        id: &'static str,
        law: &'static str,
        source: &'static str,
        boundaries: &'static [&'static str],
        property: Box<dyn Property>,
    ) -> Self {
        Self {
            id,
            law,
            source,
            boundaries,
            is_scenario: false,
            property,
        }
    }

    /// The rule, each case of which is a whole story.
    pub(crate) fn of_scenarios(mut self) -> Self {
        self.is_scenario = true;
        self
    }

    /// The part of the id before the slash.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(group, _)| group)
    }

    /// Tries one case. The seed, the rule's id and the number of the case decide the input, and nothing else does.
    pub fn run_case(&self, seed: u64, case: u64, harness: &Harness<'_>) -> CaseResult {
        self.property
            .run_case(case, rng(seed, self.id, case), harness)
    }
}

fn rng(seed: u64, rule: &str, case: u64) -> TestRng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(case.to_le_bytes());
    hash.update(rule.as_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &hash.finalize())
}

/// What came of one case.
pub struct CaseResult {
    /// The input, as text.
    pub input: String,
    /// The boundaries that the input touches.
    pub hits: Vec<&'static str>,
    /// What went wrong.
    pub failure: Option<CaseFailure>,
}

/// A case that broke the law.
#[derive(Clone, Debug)]
pub struct CaseFailure {
    /// The smallest input that was found to break it.
    pub input: String,
    /// What was wrong.
    pub reason: String,
}

pub(crate) trait Property: Send + Sync {
    fn run_case(&self, case: u64, rng: TestRng, harness: &Harness<'_>) -> CaseResult;
}

/// A property: how the input of a case is made, which boundaries it touches, and what must hold.
pub(crate) fn property<T, M, H, C>(make: M, hits: H, check: C) -> Box<dyn Property>
where
    T: Debug + 'static,
    M: Fn(u64) -> BoxedStrategy<T> + Send + Sync + 'static,
    H: Fn(&T) -> Vec<&'static str> + Send + Sync + 'static,
    C: Fn(&Harness<'_>, &T) -> Result<(), String> + Send + Sync + 'static,
{
    Box::new(Law { make, hits, check })
}

struct Law<M, H, C> {
    make: M,
    hits: H,
    check: C,
}

impl<T, M, H, C> Property for Law<M, H, C>
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
            // In milliseconds. A client that hangs does so for each input that is tried.
            max_shrink_time: 60_000,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, rng);
        let tree = match (self.make)(case).new_tree(&mut runner) {
            Ok(tree) => tree,
            Err(reason) => {
                let failure = CaseFailure {
                    input: String::new(),
                    reason: format!("no input could be made: {reason}"),
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

/// Three cases of four take an edge, in turn, so that each edge is touched often whatever the seed.
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
