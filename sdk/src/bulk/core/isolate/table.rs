//! The table of `cargo xtask bench isolation`: the requests to find the bad entries of a batch of 100, by the kind of
//! fault.

use super::trial::{Random, Summary, bound, hardest, requests, run, scattered};

const LEN: usize = 100;

/// The number of random patterns in a row: 30, or 1,000 in the bench.
fn runs() -> usize {
    let runs = option_env!("WEBFLOW_CMS_ISOLATION_RUNS");
    runs.map_or(30, |runs| runs.parse().expect("a number"))
}

/// A line of the table.
struct Row {
    name: String,
    ours: Summary,
    halving: Summary,
    /// The maximum of the mean, or of the only value.
    limit: Option<f64>,
}

impl Row {
    fn new(
        name: String,
        patterns: impl IntoIterator<Item = Vec<bool>>,
        limit: Option<f64>,
    ) -> Self {
        let (ours, halving): (Vec<_>, Vec<_>) = patterns
            .into_iter()
            .map(|bad| (requests(&bad), requests_by_halving(&bad)))
            .unzip();
        Self {
            name,
            ours: Summary::of(ours),
            halving: Summary::of(halving),
            limit,
        }
    }

    fn print(&self) {
        let Self {
            name,
            ours,
            halving,
            limit,
        } = self;
        let Summary { mean, p99, worst } = ours;
        let limit = limit.map_or_else(|| "-".to_owned(), |limit| format!("{limit:.2}"));
        let halving = halving.mean;
        println!("{name:<22} {mean:>5.1} {p99:>4} {worst:>6} {limit:>6} {halving:>11.1}");
    }
}

fn rows() -> Vec<Row> {
    let mut random = Random(1);
    let mut rows = Vec::new();
    for count in [1, 2, 3, 4, 5, 10, 20, 30, 50, 70, 90] {
        let patterns = (0..runs()).map(|_| scattered(&mut random, LEN, count));
        let limit = (count <= 5).then(|| bound(LEN, count));
        rows.push(Row::new(format!("{count} anywhere"), patterns, limit));
    }
    for count in [2, 5, 10, 20, 50] {
        let patterns = (0..=LEN - count).map(|start| run(LEN, start, count));
        let limit = (count == 10).then_some(37.0);
        rows.push(Row::new(format!("{count} neighbours"), patterns, limit));
    }
    for period in [2, 3, 5, 10] {
        let every = |first| (0..LEN).map(|place| place % period == first).collect();
        let name = format!("one in {period}, evenly");
        rows.push(Row::new(name, (0..period).map(every), None));
    }
    rows.push(Row::new("all".to_owned(), [vec![true; LEN]], Some(125.0)));
    let hardest = [hardest_found(&mut random)];
    rows.push(Row::new(
        "the hardest found".to_owned(),
        hardest,
        Some(170.0),
    ));
    rows
}

/// Returns the number of requests of a search that sends both halves of each refused group.
fn requests_by_halving(bad: &[bool]) -> usize {
    if bad.len() == 1 || !bad.contains(&true) {
        return 1;
    }
    let (left, right) = bad.split_at(bad.len() / 2);
    1 + requests_by_halving(left) + requests_by_halving(right)
}

/// Returns the worst pattern of many short searches, from starts of every density, and of a long one from there.
fn hardest_found(random: &mut Random) -> Vec<bool> {
    let searches = (1..=50).map(|half| {
        let start = scattered(random, LEN, 2 * half);
        hardest(random, start, runs())
    });
    let best = searches.max_by_key(|(requests, _)| *requests);
    best.map(|(_, start)| hardest(random, start, 30 * runs()).1)
        .unwrap_or_default()
}

#[test]
fn the_requests_to_find_the_bad_entries_of_a_batch() {
    println!("requests to settle a refused batch of {LEN}, the first refusal included\n");
    println!("{:<22}  mean  p99  worst  bound  by halving", "bad entries");
    for row in rows() {
        row.print();
        assert!(
            row.limit.is_none_or(|limit| row.ours.mean <= limit),
            "{}",
            row.name
        );
    }
}
