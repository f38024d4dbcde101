//! `cargo xtask tidy`: the house rules that a compiler does not know.

mod claims;
mod layers;
mod source;
mod syntax;
mod words;

use std::fmt::{self, Display};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// A text file of the repository, with its path from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    path: String,
    text: String,
}

/// A place where a rule is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    /// From 1; none if it is about the whole file.
    line: Option<usize>,
    what: String,
}

impl Finding {
    fn in_file(path: &str, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            what: what.into(),
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

pub(crate) fn run() -> Result<(), Failure> {
    let sources = sources()?;
    let layers = layers::check(&sources);
    let findings: Vec<_> = findings(&sources)
        .into_iter()
        .chain(layers.findings)
        .chain(layers::package_findings(&process::metadata()?))
        .chain(words::findings(&sources))
        .collect();
    for line in layers.summary {
        println!("{line}");
    }
    if findings.is_empty() {
        println!("{} files are tidy", sources.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    Err(Failure::new(format!(
        "{} house rules are not kept",
        findings.len()
    )))
}

/// Every finding of the checks that read text.
fn findings(sources: &[Source]) -> Vec<Finding> {
    sources
        .iter()
        .flat_map(source::findings)
        .chain(claims::findings(sources))
        .collect()
}

/// What is, or would be, committed: tracked and new files, not ignored ones.
fn sources() -> Result<Vec<Source>, Failure> {
    let root = process::root();
    let mut list = Command::new("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let list = process::output(list.current_dir(&root))?;
    match read(&root, &list) {
        sources if sources.is_empty() => Err(Failure::new("git names no file that can be read")),
        sources => Ok(sources),
    }
}

/// The text files of a list with a zero byte after each name. Binary files, and tracked ones that were deleted, have
/// nothing to say.
fn read(root: &Path, list: &str) -> Vec<Source> {
    let read = |path: &str| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        Some(Source {
            path: path.to_owned(),
            text,
        })
    };
    list.split_terminator('\0').filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::{Finding, Source, findings, read};
    use crate::process;

    #[test]
    fn a_finding_says_where_it_is() {
        assert_eq!(Finding::at("a.rs", 3, "what").to_string(), "a.rs:3: what");
        assert_eq!(Finding::in_file("a.rs", "what").to_string(), "a.rs: what");
    }

    #[test]
    fn both_single_files_and_their_agreement_are_checked() {
        let bare = Source {
            path: "a.rs".to_owned(),
            text: "mod b;\n".to_owned(),
        };
        let told = findings(&[bare]);
        assert!(
            told.iter().any(|finding| finding.path == "a.rs"),
            "{told:?}"
        );
        assert!(
            told.iter().any(|finding| finding.path == "README.md"),
            "{told:?}"
        );
    }

    #[test]
    fn a_file_that_was_deleted_is_passed_over() {
        let list = "xtask/src/gone.rs\0xtask/src/tidy.rs\0";
        let sources = read(&process::root(), list);
        let paths: Vec<_> = sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(paths, ["xtask/src/tidy.rs"]);
    }
}
