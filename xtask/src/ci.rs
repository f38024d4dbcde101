//! `cargo xtask ci`: the checks, in the order in which their failures are cheapest to hear of.

mod docs;
mod features;
mod minimal_versions;
mod semver;
mod user_crate;

use std::env;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::{conformance, licences, process, tidy};

pub(crate) use self::docs::as_rustdoc;

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
    /// Clippy finds nothing
    Lints,
    /// Each combination of the SDK's features compiles
    Features,
    /// The documentation builds without a warning, as docs.rs builds it too
    Docs,
    /// All tests pass
    Tests,
    /// The SDK keeps the rules of the conformance suite
    Conformance,
    /// A crate outside of the workspace can be tested with the SDK and the reference server alone
    UserCrate,
    /// Each dependency may be used under a licence that we accept
    Licences,
    /// The oldest versions of the dependencies that the manifests allow are enough
    MinimalVersions,
    /// Nothing breaks that the version does not allow to break (needs cargo-semver-checks and a tag)
    Semver,
    /// The packages build from what would be published (needs cargo 1.90; only in CI, or when named)
    Package,
    /// The house rules that a compiler does not know are kept
    Tidy,
}

/// How a check ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// It could not run, for this reason.
    Skipped(String),
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let in_ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let plan = plan(options, in_ci);
    if options.list {
        for check in plan {
            println!("{:<16} {}", check.name(), check.help());
        }
        return Ok(());
    }
    let (mut passed, mut skipped) = (Vec::new(), Vec::new());
    for check in plan {
        eprintln!("\n== {}", check.name());
        let start = Instant::now();
        match check.run().map_err(|failure| failed(check, &failure))? {
            Outcome::Passed => passed.push(format!(
                "{} ({} s)",
                check.name(),
                start.elapsed().as_secs()
            )),
            Outcome::Skipped(reason) => {
                skipped.push(format!("skipped: {}: {reason}", check.name()));
            }
        }
    }
    if !passed.is_empty() {
        eprintln!("\npassed: {}", passed.join(", "));
    }
    for line in skipped {
        eprintln!("{line}");
    }
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

    fn run(self) -> Result<Outcome, Failure> {
        match self {
            Self::Format => cargo("fmt --all --check"),
            Self::Lints => cargo("clippy --workspace --all-targets --locked -- -D warnings"),
            Self::Features => return features::run(),
            Self::Docs => return docs::run(),
            Self::Tests => cargo("test --workspace --locked"),
            Self::Conformance => conformance::run(&conformance::Options::default()),
            Self::UserCrate => return user_crate::run(),
            Self::Licences => licences::run(),
            Self::MinimalVersions => return minimal_versions::run(),
            Self::Semver => return semver::run(),
            // `--allow-dirty`: what is checked is the working tree, as in all other checks. xtask is not published.
            Self::Package => cargo("package --workspace --exclude xtask --allow-dirty --locked"),
            Self::Tidy => tidy::run(),
        }?;
        Ok(Outcome::Passed)
    }
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
            "features",
            "docs",
            "tests",
            "conformance",
            "user-crate",
            "licences",
            "minimal-versions",
            "semver",
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
