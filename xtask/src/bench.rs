//! `cargo xtask bench`: numbers to look at, on which no check depends.

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::process;

#[derive(Args)]
pub(crate) struct Options {
    /// What to look at
    bench: Bench,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// How many requests a bulk run sends, and how close it comes to the pace that is allowed
    Bulk,
    /// How many requests it takes to find the bad entries of a refused batch
    Isolation,
    /// How much memory and time a bulk run takes, in an optimized build
    Memory,
    /// The time that the rate limit costs, the least possible time, and the requests that are refused
    #[value(name = "rate_limit")]
    RateLimit,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let mut bench = process::cargo(options.bench.command_line());
    if options.bench == Bench::Isolation {
        bench.env("WEBFLOW_CMS_ISOLATION_RUNS", "1000");
    }
    process::run(bench.current_dir(process::root()))
}

impl Bench {
    fn command_line(self) -> impl Iterator<Item = &'static str> {
        // Where it is not time that is counted, a second build of all that the tests need, optimized, is for nothing.
        let line = match self {
            Self::Bulk => {
                "bench --quiet --profile dev --locked -p webflow-cms-conformance --bench bulk"
            }
            Self::Isolation => {
                // What it measures is private, so a test prints the table.
                "test --quiet --locked -p webflow-cms --lib -- --nocapture isolate::table"
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
    use clap::ValueEnum as _;

    use super::Bench;
    use crate::process;

    #[test]
    fn every_bench_is_a_file_that_its_command_names() {
        for bench in Bench::value_variants() {
            let (file, name) = match bench {
                Bench::Isolation => ("sdk/src/bulk/core/isolate/table", "isolate::table"),
                Bench::Bulk => ("conformance/benches/bulk", "bulk"),
                Bench::Memory => ("sdk/benches/memory", "memory"),
                Bench::RateLimit => ("conformance/benches/rate_limit", "rate_limit"),
            };
            assert!(
                process::root().join(file).with_extension("rs").is_file(),
                "{file}"
            );
            assert_eq!(bench.command_line().last(), Some(name));
        }
    }
}
