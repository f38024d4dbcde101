//! Starting cargo and git, always in the open: what is run is printed.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::failure::Failure;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map_or(package.clone(), Path::to_path_buf)
}

/// The cargo that started xtask, in the directory that it was started from.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(arguments: I) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs a command to its end, with its output in sight.
///
/// # Errors
///
/// A message that names the command, if it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{}` ended with {status}",
        shown(command)
    )))
}

/// Runs a command to its end, with its output in sight, and hands out how it ended.
///
/// # Errors
///
/// If it cannot be started.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, Failure> {
    eprintln!("$ {}", shown(command));
    command
        .status()
        .map_err(|error| Failure::to(format_args!("start `{}`", shown(command)), error))
}

/// Runs a command to its end, and hands out how it ended and what it wrote to standard output. Its standard error stays
/// in sight.
///
/// # Errors
///
/// If it cannot be started, or if what it wrote is not UTF-8.
pub(crate) fn captured(command: &mut Command) -> Result<(ExitStatus, String), Failure> {
    eprintln!("$ {}", shown(command));
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::to(format_args!("start `{}`", shown(command)), error))?;
    let text = String::from_utf8(done.stdout)
        .map_err(|error| Failure::to(format_args!("read `{}`", shown(command)), error))?;
    Ok((done.status, text))
}

/// What a command wrote to standard output.
///
/// # Errors
///
/// As [`run`] and [`captured`].
pub(crate) fn output(command: &mut Command) -> Result<String, Failure> {
    let (status, text) = captured(command)?;
    if status.success() {
        return Ok(text);
    }
    Err(Failure::new(format!(
        "`{}` ended with {status}",
        shown(command)
    )))
}

/// Runs a command to its end out of sight, and hands out how it ended and what it wrote, to standard output and to
/// standard error.
///
/// # Errors
///
/// If it cannot be started, or if what it wrote is not UTF-8.
pub(crate) fn both(command: &mut Command) -> Result<(ExitStatus, String, String), Failure> {
    eprintln!("$ {}", shown(command));
    let done = command
        .output()
        .map_err(|error| Failure::to(format_args!("start `{}`", shown(command)), error))?;
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .map_err(|error| Failure::to(format_args!("read `{}`", shown(command)), error))
    };
    Ok((done.status, text(done.stdout)?, text(done.stderr)?))
}

/// Cargo's metadata of the workspace's own packages.
///
/// # Errors
///
/// As [`output`], or if it is no JSON.
pub(crate) fn metadata() -> Result<Value, Failure> {
    let mut metadata = cargo(["metadata", "--format-version", "1", "--no-deps"]);
    let metadata = output(metadata.current_dir(root()))?;
    serde_json::from_str(&metadata).map_err(|error| Failure::to("read cargo's metadata", error))
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(command.get_program());
    let variables = command
        .get_envs()
        .filter_map(|(key, value)| Some(format!("{}={} ", key.display(), quoted(value?))));
    let arguments = command
        .get_args()
        .map(|argument| format!(" {}", argument.display()));
    variables
        .chain([name.display().to_string()])
        .chain(arguments)
        .collect()
}

/// A value as a shell takes it for one word.
fn quoted(value: &OsStr) -> String {
    let value = value.display().to_string();
    if value.contains(' ') {
        return format!("'{value}'");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{cargo, root, shown};

    #[test]
    fn the_root_is_where_the_lock_file_is() {
        assert!(root().join("Cargo.lock").is_file());
    }

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = cargo(["doc", "--workspace"]);
        command.env("RUSTDOCFLAGS", "-Dwarnings --cfg docsrs");
        assert_eq!(
            shown(&command),
            "RUSTDOCFLAGS='-Dwarnings --cfg docsrs' cargo doc --workspace"
        );
    }
}
