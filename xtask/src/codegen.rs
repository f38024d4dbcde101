//! `cargo xtask codegen`: the code that the build script of `webflow-cms` generates, for reading.
//!
//! Nothing generated is committed, so this is where a reviewer looks at it. The package need not build for that: it is
//! enough that its build script has run.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::failure::Failure;
use crate::process;

const PACKAGE: &str = "webflow-cms";

#[derive(Args)]
pub(crate) struct Options {
    /// Print this file only
    #[arg(conflicts_with = "list")]
    name: Option<String>,
    /// Print the names of the files
    #[arg(long)]
    list: bool,
}

/// A generated file.
#[derive(Debug, PartialEq, Eq)]
struct Generated {
    name: String,
    code: String,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let directory = built()?;
    let files = read(&directory)
        .map_err(|error| Failure::to(format_args!("read {}", directory.display()), error))?;
    let text = if options.list {
        files
            .iter()
            .map(|file| format!("{}\n", file.name))
            .collect()
    } else if let Some(name) = &options.name {
        one(&files, name)?.code.clone()
    } else {
        all(&files)
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // The reader of a pipe has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::to("print the generated code", error)),
    }
}

/// Builds the package as far as it goes, and returns the directory that its build script wrote to.
fn built() -> Result<PathBuf, Failure> {
    let mut build = process::cargo([
        "build",
        "-p",
        PACKAGE,
        "--message-format=json-render-diagnostics",
    ]);
    let (status, messages) = process::captured(build.current_dir(process::root()))?;
    let directory = out_dir(messages.lines(), PACKAGE).ok_or_else(|| {
        Failure::new(format!(
            "the build script of {PACKAGE} did not run to its end"
        ))
    })?;
    if !status.success() {
        eprintln!(
            "note: {PACKAGE} does not build; what follows is what its build script generated"
        );
    }
    Ok(directory)
}

/// The `OUT_DIR` of a package, from cargo's messages, one a line. Lines that are not messages are passed over.
fn out_dir<'a>(lines: impl Iterator<Item = &'a str>, package: &str) -> Option<PathBuf> {
    lines
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "build-script-executed")
        .filter(|message| message["package_id"].as_str().and_then(package_name) == Some(package))
        .filter_map(|message| message["out_dir"].as_str().map(PathBuf::from))
        .last()
}

/// The name in a package id: `path+file:///a/sdk#name@1.0.0`, or `path+file:///a/name#1.0.0` where the directory has
/// the same name.
fn package_name(id: &str) -> Option<&str> {
    let (source, fragment) = id.rsplit_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name),
        None => source.rsplit('/').next(),
    }
}

/// The Rust files of a directory, by name.
fn read(directory: &Path) -> io::Result<Vec<Generated>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_name().unwrap_or_default().display().to_string();
            let code = fs::read_to_string(&path)?;
            files.push(Generated { name, code });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// The file of that name, with or without `.rs`.
fn one<'a>(files: &'a [Generated], name: &str) -> Result<&'a Generated, Failure> {
    let stem = |name: &str| name.strip_suffix(".rs").unwrap_or(name).to_owned();
    files
        .iter()
        .find(|file| stem(&file.name) == stem(name))
        .ok_or_else(|| {
            let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            Failure::new(format!(
                "no generated file is named {name}; there are: {}",
                names.join(", ")
            ))
        })
}

/// All files, each beneath a comment that names it.
fn all(files: &[Generated]) -> String {
    files
        .iter()
        .map(|file| format!("// ---- {} ----\n\n{}\n", file.name, file.code))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;

    use super::{Generated, all, one, out_dir};

    const FAILED: &str = r#"{"reason":"build-finished","success":false}"#;

    fn message(reason: &str, id: &str, out_dir: &str) -> String {
        json!({"reason": reason, "package_id": id, "out_dir": out_dir}).to_string()
    }

    fn other() -> String {
        message(
            "build-script-executed",
            "path+file:///a/spec#webflow-cms-spec@0.1.0",
            "/o/spec",
        )
    }

    fn ours() -> String {
        message(
            "build-script-executed",
            "path+file:///a/sdk#webflow-cms@0.1.0",
            "/o/sdk",
        )
    }

    fn compiled() -> String {
        message(
            "compiler-artifact",
            "path+file:///a/sdk#webflow-cms@0.1.0",
            "/o/no",
        )
    }

    fn files() -> Vec<Generated> {
        ["models.rs", "raw.rs"]
            .map(|name| Generated {
                name: name.to_owned(),
                code: format!("mod in_{};\n", &name[..3]),
            })
            .into()
    }

    #[test]
    fn the_directory_is_found_though_the_build_failed() {
        let (other, ours, compiled) = (other(), ours(), compiled());
        let lines = [
            &other,
            "warning: not a message",
            &compiled,
            &ours,
            &compiled,
            FAILED,
        ];
        let found = out_dir(lines.into_iter(), "webflow-cms");
        assert_eq!(found, Some(PathBuf::from("/o/sdk")));
    }

    #[test]
    fn a_package_is_known_by_its_directory_where_cargo_leaves_its_name_out() {
        let ours = message(
            "build-script-executed",
            "path+file:///a/webflow-cms#0.1.0",
            "/o/dir",
        );
        let found = out_dir([ours.as_str()].into_iter(), "webflow-cms");
        assert_eq!(found, Some(PathBuf::from("/o/dir")));
    }

    #[test]
    fn a_package_whose_name_only_begins_alike_is_not_taken() {
        let (other, compiled) = (other(), compiled());
        let lines = [&other, &compiled, FAILED];
        assert_eq!(out_dir(lines.into_iter(), "webflow-cms"), None);
    }

    #[test]
    fn a_file_is_found_with_and_without_its_extension() {
        let files = files();
        assert_eq!(one(&files, "raw").ok(), files.get(1));
        assert_eq!(one(&files, "raw.rs").ok(), files.get(1));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let refused = one(&files(), "wire")
            .expect_err("there is no such file")
            .to_string();
        assert_eq!(
            refused,
            "no generated file is named wire; there are: models.rs, raw.rs"
        );
    }

    #[test]
    fn each_file_is_printed_beneath_its_name() {
        let expected =
            "// ---- models.rs ----\n\nmod in_mod;\n\n// ---- raw.rs ----\n\nmod in_raw;\n\n";
        assert_eq!(all(&files()), expected);
    }
}
