//! `cargo xtask bench isolation`: what it costs to find the bad entries of a batch of 100, by the kind of fault.

#[path = "../src/bulk/isolate.rs"]
#[expect(dead_code, reason = "a bench does not give up a search")]
mod isolate;
#[path = "../src/bulk/isolate/trial.rs"]
mod trial;

use trial::{Random, Summary, bound, hardest, requests, run, scattered};

const LEN: usize = 100;
const RUNS: usize = 1_000;

fn main() {
    let mut random = Random(1);
    println!("requests to settle a refused batch of {LEN}, the first refusal included\n");
    println!("{:<22}  mean  p99  worst  bound  by halving", "bad entries");
    for count in [1, 2, 3, 4, 5, 10, 20, 30, 50, 70, 90] {
        let patterns = (0..RUNS).map(|_| scattered(&mut random, LEN, count));
        let limit = (count <= 5).then(|| bound(LEN, count));
        row(&format!("{count} anywhere"), patterns, limit);
    }
    for count in [2, 5, 10, 20, 50] {
        let patterns = (0..=LEN - count).map(|start| run(LEN, start, count));
        let limit = (count == 10).then_some(37.0);
        row(&format!("{count} neighbours"), patterns, limit);
    }
    for period in [2, 3, 5, 10] {
        let every = |first| (0..LEN).map(|place| place % period == first).collect();
        row(
            &format!("one in {period}, evenly"),
            (0..period).map(every),
            None,
        );
    }
    row("all", [vec![true; LEN]], Some(125.0));
    row(
        "the hardest found",
        [hardest_found(&mut random)],
        Some(170.0),
    );
}

fn row(name: &str, patterns: impl IntoIterator<Item = Vec<bool>>, bound: Option<f64>) {
    let (ours, halving): (Vec<_>, Vec<_>) = patterns
        .into_iter()
        .map(|bad| (requests(&bad), requests_by_halving(&bad)))
        .unzip();
    let Summary { mean, p99, worst } = Summary::of(ours);
    let halving = Summary::of(halving).mean;
    let bound = bound.map_or_else(|| "-".to_owned(), |bound| format!("{bound:.2}"));
    println!("{name:<22} {mean:>5.1} {p99:>4} {worst:>6} {bound:>6} {halving:>11.1}");
}

/// How many requests it takes by sending both halves of whatever was refused.
fn requests_by_halving(bad: &[bool]) -> usize {
    if bad.len() == 1 || !bad.contains(&true) {
        return 1;
    }
    let (left, right) = bad.split_at(bad.len() / 2);
    1 + requests_by_halving(left) + requests_by_halving(right)
}

/// The worst of many short searches, from starts of every density, and of a long one from there.
fn hardest_found(random: &mut Random) -> Vec<bool> {
    let searches = (1..=50).map(|half| {
        let start = scattered(random, LEN, 2 * half);
        hardest(random, start, 1_000)
    });
    let best = searches.max_by_key(|(requests, _)| *requests);
    best.map(|(_, start)| hardest(random, start, 30_000).1)
        .unwrap_or_default()
}
