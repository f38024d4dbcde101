//! The workspace's checks and tools, as `cargo xtask <command>`: the same on a desk and in CI.

mod bench;
mod ci;
mod codegen;
mod conformance;
mod failure;
mod licences;
mod process;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print numbers to look at, such as what it costs to find a bad entry
    Bench(bench::Options),
    /// Run the checks in their order and stop at the first that fails
    Ci(ci::Options),
    /// Print the client that the build script generates
    Codegen(codegen::Options),
    /// Run the conformance suite; all arguments are handed on to it
    #[command(disable_help_flag = true)]
    Conformance(conformance::Options),
    /// Check the licence of each package that the lock file names
    Licences,
    /// Check the house rules that a compiler does not know
    Tidy,
}

fn main() -> ExitCode {
    if let Some(code) = ci::as_rustdoc() {
        return code;
    }
    let done = match Arguments::parse().command {
        Command::Bench(options) => bench::run(&options),
        Command::Ci(options) => ci::run(&options),
        Command::Codegen(options) => codegen::run(&options),
        Command::Conformance(options) => conformance::run(&options),
        Command::Licences => licences::run(),
        Command::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Exit(code)) => ExitCode::from(code),
        Err(Failure::Message(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
