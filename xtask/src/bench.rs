//! `cargo xtask bench`: numbers to look at, on which no check depends.

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::process;

#[derive(Args)]
pub(crate) struct Options {
    /// What to look at
    bench: Bench,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bench {
    /// How many requests a bulk run sends, and how close it comes to the pace that is allowed
    Bulk,
    /// How many requests it takes to find the bad entries of a refused batch
    Isolation,
    /// How much memory and time a bulk run takes, in an optimized build
    Memory,
    /// How long the rate limit makes requests take, beside the least time, and whether any is refused
    #[value(name = "rate_limit")]
    RateLimit,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    process::run(process::cargo(options.bench.command_line()).current_dir(process::root()))
}

impl Bench {
    fn command_line(self) -> impl Iterator<Item = &'static str> {
        // Where it is not time that is counted, a second build of all that the tests need, optimized, is for nothing.
        let line = match self {
            Self::Bulk => {
                "bench --quiet --profile dev --locked -p webflow-cms-conformance --bench bulk"
            }
            Self::Isolation => {
                "bench --quiet --profile dev --locked -p webflow-cms --bench isolation"
            }
            Self::Memory => "bench --quiet --locked -p webflow-cms --bench memory",
            Self::RateLimit => {
                "bench --quiet --profile dev --locked -p webflow-cms-conformance --bench rate_limit"
            }
        };
        line.split(' ')
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::Bench;
    use crate::process;

    #[test]
    fn every_bench_is_a_file_of_its_name() {
        for bench in Bench::value_variants() {
            let value = bench.to_possible_value().expect("none is hidden");
            let package = match bench {
                Bench::Isolation | Bench::Memory => "sdk",
                Bench::Bulk | Bench::RateLimit => "conformance",
            };
            let file = format!("{package}/benches/{}.rs", value.get_name());
            assert!(process::root().join(&file).is_file(), "{file}");
            assert_eq!(bench.command_line().last(), Some(value.get_name()));
        }
    }
}
