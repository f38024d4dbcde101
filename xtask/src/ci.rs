//! `cargo xtask ci`: the checks, in the order in which their failures are cheapest to hear of.

use std::env;
use std::process::{Command, Stdio};

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::{conformance, licences, process, tidy};

#[derive(Args)]
pub(crate) struct Options {
    /// Run this check only (may be given more than once)
    #[arg(long, value_name = "NAME", conflicts_with = "skip")]
    only: Vec<Check>,
    /// Leave this check out (may be given more than once)
    #[arg(long, value_name = "NAME")]
    skip: Vec<Check>,
    /// Print the checks instead of running them
    #[arg(long)]
    list: bool,
}

/// The checks, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Check {
    /// The code is formatted
    Format,
    /// Clippy finds nothing, and the SDK builds with each choice of TLS
    Lints,
    /// The documentation builds without a warning
    Docs,
    /// All tests pass
    Tests,
    /// The SDK keeps the rules of the conformance suite
    Conformance,
    /// Each dependency may be used under a licence that we accept
    Licences,
    /// The packages build from what would be published (needs cargo 1.90; only in CI, or when named)
    Package,
    /// The house rules that a compiler does not know are kept
    Tidy,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let plan = plan(options, in_ci);
    if options.list {
        for check in plan {
            println!("{:<12} {}", check.name(), check.help());
        }
        return Ok(());
    }
    for check in &plan {
        eprintln!("\n== {}", check.name());
        check.run().map_err(|failure| failed(*check, &failure))?;
    }
    let names: Vec<_> = plan.into_iter().map(Check::name).collect();
    eprintln!("\npassed: {}", names.join(", "));
    Ok(())
}

/// The checks to run. Packaging builds each published package and its dependencies a second time, from the packed
/// sources, so on a desk it runs only when asked for; `cargo package --no-verify` would be quick, but would not notice
/// a file that the build needs and the package lacks, which is what this check is for. A list has every check in it.
fn plan(options: &Options, in_ci: bool) -> Vec<Check> {
    let wanted = |check: &Check| match check {
        _ if !options.only.is_empty() => options.only.contains(check),
        _ if options.skip.contains(check) => false,
        Check::Package => in_ci || options.list,
        _ => true,
    };
    Check::value_variants()
        .iter()
        .copied()
        .filter(wanted)
        .collect()
}

fn failed(check: Check, failure: &Failure) -> Failure {
    let name = check.name();
    Failure::new(format!(
        "check `{name}` failed: {failure}\nrun it alone: cargo xtask ci --only {name}"
    ))
}

impl Check {
    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn help(self) -> String {
        let value = self.to_possible_value();
        value
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }

    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Format => cargo("fmt --all --check"),
            Self::Lints => lints(),
            Self::Docs => {
                let mut docs = command("doc --workspace --no-deps --locked");
                process::run(docs.env("RUSTDOCFLAGS", "-Dwarnings"))
            }
            Self::Tests => cargo("test --workspace --locked"),
            Self::Conformance => conformance::run(&conformance::Options::default()),
            Self::Licences => licences::run(),
            // `--allow-dirty`: what is checked is the working tree, as in all other checks. xtask is not published.
            Self::Package => cargo("package --workspace --exclude xtask --allow-dirty --locked"),
            Self::Tidy => tidy::run(),
        }
    }
}

fn lints() -> Result<(), Failure> {
    cargo("clippy --workspace --all-targets --locked -- -D warnings")?;
    cargo("check -p webflow-cms --locked --no-default-features")?;
    if has_native_tls() {
        return cargo("check -p webflow-cms --locked --no-default-features --features native-tls");
    }
    eprintln!(
        "note: OpenSSL's headers are not installed, so the feature native-tls was not checked"
    );
    Ok(())
}

/// Whether the platform's own TLS can be compiled against: Windows and Apple carry it, elsewhere it is OpenSSL.
fn has_native_tls() -> bool {
    let mut find = Command::new("pkg-config");
    find.args(["--exists", "openssl"]).stderr(Stdio::null());
    cfg!(any(windows, target_vendor = "apple"))
        || env::var_os("OPENSSL_DIR").is_some()
        || find.status().is_ok_and(|status| status.success())
}

fn command(line: &str) -> Command {
    let mut command = process::cargo(line.split_whitespace());
    command.current_dir(process::root());
    command
}

fn cargo(line: &str) -> Result<(), Failure> {
    process::run(&mut command(line))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::{Check, Options, failed, plan};
    use crate::failure::Failure;

    const NOTHING: Options = Options {
        only: Vec::new(),
        skip: Vec::new(),
        list: false,
    };

    #[test]
    fn the_checks_run_in_the_documented_order() {
        let names: Vec<_> = plan(&NOTHING, true).into_iter().map(Check::name).collect();
        let order = [
            "format",
            "lints",
            "docs",
            "tests",
            "conformance",
            "licences",
            "package",
            "tidy",
        ];
        assert_eq!(names, order);
    }

    #[test]
    fn packaging_runs_in_ci_or_when_named() {
        assert!(!plan(&NOTHING, false).contains(&Check::Package));
        assert!(plan(&NOTHING, true).contains(&Check::Package));
        let only = Options {
            only: vec![Check::Package],
            ..NOTHING
        };
        assert_eq!(plan(&only, false), [Check::Package]);
    }

    #[test]
    fn a_list_names_every_check_and_says_what_it_checks() {
        let list = plan(
            &Options {
                list: true,
                ..NOTHING
            },
            false,
        );
        assert_eq!(list, Check::value_variants());
        assert!(list.into_iter().all(|check| !check.help().is_empty()));
    }

    #[test]
    fn a_skipped_check_is_the_only_one_left_out() {
        let skipped = plan(
            &Options {
                skip: vec![Check::Package],
                ..NOTHING
            },
            true,
        );
        assert_eq!(skipped, plan(&NOTHING, false));
    }

    #[test]
    fn a_failure_names_the_check_and_how_to_run_it_alone() {
        let told = failed(
            Check::Docs,
            &Failure::new("`cargo doc` ended with exit status: 101"),
        )
        .to_string();
        assert_eq!(
            told,
            "check `docs` failed: `cargo doc` ended with exit status: 101\nrun it alone: cargo xtask ci --only docs"
        );
    }
}
