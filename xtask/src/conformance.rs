//! `cargo xtask conformance`: runs the suite's own command.

use std::ffi::OsString;

use clap::Args;

use crate::failure::Failure;
use crate::process;

/// The package, which is also the name of its command.
const SUITE: &str = "webflow-cms-conformance";

#[derive(Args, Default)]
pub(crate) struct Options {
    /// Arguments of the suite, such as --cases N, --seed S, --rule ID, --case K and --json FILE
    ///
    /// They are not declared here, so that the suite can gain one without xtask being told.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENTS"
    )]
    arguments: Vec<OsString>,
}

/// Runs the suite from where the user is, so that a relative file name means what they meant.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let status = process::status(&mut process::cargo(command_line(options)))?;
    match status.code() {
        Some(0) => Ok(()),
        // A code above 255 exists on Windows only, and has no meaning of its own there.
        Some(code) => Err(Failure::Exit(u8::try_from(code).unwrap_or(u8::MAX))),
        None => Err(Failure::new(format!(
            "the conformance suite ended with {status}"
        ))),
    }
}

fn command_line(options: &Options) -> Vec<OsString> {
    let mut line: Vec<OsString> = ["run", "--quiet", "-p", SUITE, "--bin", SUITE, "--"]
        .map(OsString::from)
        .into();
    line.extend(options.arguments.iter().cloned());
    line
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Options, command_line};
    use crate::{Arguments, Command};

    fn parsed(arguments: &[&str]) -> Options {
        let line = ["xtask", "conformance"].iter().chain(arguments);
        match Arguments::try_parse_from(line).map(|arguments| arguments.command) {
            Ok(Command::Conformance(options)) => options,
            Ok(_) => panic!("another command was understood"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn every_flag_reaches_the_suite_unchanged_and_in_order() {
        let flags = [
            "--cases",
            "9",
            "--seed",
            "7",
            "--rule",
            "batch-limit",
            "--case",
            "3",
            "--json",
            "a b.json",
            "--help",
        ];
        let line = command_line(&parsed(&flags));
        let after = line.iter().skip_while(|argument| *argument != "--").skip(1);
        assert!(after.eq(flags.iter()), "{line:?}");
    }

    #[test]
    fn without_flags_the_suite_is_run_with_its_own_defaults() {
        let line = command_line(&parsed(&[]));
        assert_eq!(line.last().and_then(|last| last.to_str()), Some("--"));
    }
}
