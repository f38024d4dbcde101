//! The rules about several files: what one claims, another must make true.

use super::{Finding, Source};

const MANIFEST: &str = "Cargo.toml";
const README: &str = "README.md";
const CI_RUN: &str = ".ci/run";
const WORKFLOW: &str = ".github/workflows/ci.yml";

/// The commands that the README tells a newcomer to run.
const COMMANDS: [&str; 2] = ["cargo test --workspace", "cargo xtask conformance"];

/// The packages that are published, each of which has to carry the licences.
const PUBLISHED: [&str; 4] = ["spec", "sdk", "conformance", "conformance/reference"];

pub(super) fn findings(sources: &[Source]) -> Vec<Finding> {
    let text = |path: &str| {
        sources
            .iter()
            .find(|source| source.path == path)
            .map(|source| source.text.as_str())
    };
    let (manifest, readme, ci_run, workflow) =
        (text(MANIFEST), text(README), text(CI_RUN), text(WORKFLOW));
    let mut findings = Vec::new();
    for (path, found) in [
        (MANIFEST, manifest),
        (README, readme),
        (CI_RUN, ci_run),
        (WORKFLOW, workflow),
    ] {
        if found.is_none() {
            findings.push(Finding::in_file(path, "is missing"));
        }
    }
    let (manifest, readme) = (manifest.unwrap_or_default(), readme.unwrap_or_default());
    let (ci_run, workflow) = (ci_run.unwrap_or_default(), workflow.unwrap_or_default());
    findings.extend(msrv(manifest, readme, workflow));
    findings.extend(commands(readme, &[ci_run, workflow]));
    findings.extend(licence_copies(sources));
    findings
}

/// The README and the workflow name the oldest Rust that the manifest names, and no other by number.
fn msrv(manifest: &str, readme: &str, workflow: &str) -> Vec<Finding> {
    let Some(declared) = rust_version(manifest) else {
        return vec![Finding::in_file(MANIFEST, "has no `rust-version`")];
    };
    let claim = |path, found: Vec<&str>, how: &str| {
        (found.is_empty() || found.iter().any(|version| *version != declared)).then(|| {
            let found = if found.is_empty() {
                "none".to_owned()
            } else {
                found.join(", ")
            };
            Finding::in_file(
                path,
                format!("the oldest Rust is {declared}, to be written as {how}; found: {found}"),
            )
        })
    };
    let in_readme = versions_after(readme, "Rust ");
    let in_workflow = versions_after(workflow, "\"");
    [
        claim(README, in_readme, &format!("`Rust {declared}`")),
        claim(WORKFLOW, in_workflow, &format!("`\"{declared}\"`")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The value of the first `rust-version` in a manifest.
fn rust_version(manifest: &str) -> Option<&str> {
    let value = manifest.lines().find_map(|line| {
        line.strip_prefix("rust-version")?
            .trim_start()
            .strip_prefix('=')
    })?;
    value.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The versions of Rust, `1.` and on, that stand right after `before`.
fn versions_after<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before)
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            rest.get(..end).unwrap_or_default().trim_end_matches('.')
        })
        .filter(|version| version.starts_with("1."))
        .collect()
}

/// What the README tells a newcomer to run is what CI runs.
fn commands(readme: &str, scripts: &[&str]) -> Vec<Finding> {
    let runs = |script: &str, command: &str| {
        script
            .lines()
            .any(|line| !line.trim_start().starts_with('#') && has_command(line, command))
    };
    let mut findings = Vec::new();
    for command in COMMANDS {
        if !readme.lines().any(|line| has_command(line, command)) {
            findings.push(Finding::in_file(
                README,
                format!("does not name `{command}`"),
            ));
        }
        if !scripts.iter().any(|script| runs(script, command)) {
            findings.push(Finding::in_file(
                CI_RUN,
                format!("neither this nor the workflow runs `{command}`"),
            ));
        }
    }
    findings
}

/// Whether the command is in the line, and no longer one that begins alike.
fn has_command(line: &str, command: &str) -> bool {
    line.split(command)
        .skip(1)
        .any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_'))
}

/// Each published package carries the licences, since a package cannot reach the files above it.
fn licence_copies(sources: &[Source]) -> Vec<Finding> {
    let text = |path: &str| {
        sources
            .iter()
            .find(|source| source.path == path)
            .map(|source| source.text.as_str())
    };
    let mut findings = Vec::new();
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        let original = text(name);
        if original.is_none() {
            findings.push(Finding::in_file(name, "is missing"));
        }
        for package in PUBLISHED {
            let copy = format!("{package}/{name}");
            if text(&copy) != original {
                findings.push(Finding::in_file(&copy, format!("is not a copy of {name}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Finding, Source, commands, findings, licence_copies, msrv};

    const MANIFEST: &str = "[workspace.package]\nedition = \"2024\"\nrust-version = \"1.88\"\n";
    const README: &str =
        "Needs Rust 1.88.\n\n    cargo test --workspace\n    cargo xtask conformance --cases 9\n";
    const WORKFLOW: &str = "matrix:\n  toolchain: [\"1.88\", stable]\n";
    const CI_RUN: &str = "run cargo test --workspace\nrun cargo xtask conformance\n";

    fn paths(findings: &[Finding]) -> Vec<&str> {
        findings
            .iter()
            .map(|finding| finding.path.as_str())
            .collect()
    }

    fn repository() -> Vec<Source> {
        let mut files = vec![
            ("Cargo.toml", MANIFEST),
            ("README.md", README),
            (".ci/run", CI_RUN),
            (".github/workflows/ci.yml", WORKFLOW),
        ];
        for name in [
            "LICENSE-MIT",
            "spec/LICENSE-MIT",
            "sdk/LICENSE-MIT",
            "conformance/LICENSE-MIT",
            "conformance/reference/LICENSE-MIT",
        ] {
            files.push((name, "MIT"));
        }
        for name in [
            "LICENSE-APACHE",
            "spec/LICENSE-APACHE",
            "sdk/LICENSE-APACHE",
            "conformance/LICENSE-APACHE",
            "conformance/reference/LICENSE-APACHE",
        ] {
            files.push((name, "Apache"));
        }
        files
            .into_iter()
            .map(|(path, text)| Source {
                path: path.to_owned(),
                text: text.to_owned(),
            })
            .collect()
    }

    #[test]
    fn claims_that_are_true_are_not_found() {
        assert_eq!(findings(&repository()), []);
    }

    #[test]
    fn a_missing_file_is_found() {
        for path in [
            "Cargo.toml",
            "README.md",
            ".ci/run",
            ".github/workflows/ci.yml",
        ] {
            let mut sources = repository();
            sources.retain(|source| source.path != path);
            assert!(
                findings(&sources).contains(&Finding::in_file(path, "is missing")),
                "{path}"
            );
        }
    }

    #[test]
    fn an_oldest_rust_that_differs_is_found() {
        assert_eq!(
            paths(&msrv(MANIFEST, "Rust 1.85 or later", WORKFLOW)),
            ["README.md"]
        );
        assert_eq!(
            paths(&msrv(MANIFEST, "Rust 1.88, or better Rust 1.90.", WORKFLOW)),
            ["README.md"]
        );
        assert_eq!(
            paths(&msrv(MANIFEST, README, "toolchain: [\"1.8\"]")),
            [".github/workflows/ci.yml"]
        );
        assert_eq!(
            paths(&msrv("rust-version = \"1.89\"", README, WORKFLOW)),
            ["README.md", ".github/workflows/ci.yml"]
        );
    }

    #[test]
    fn an_oldest_rust_that_is_not_named_is_found() {
        assert_eq!(
            paths(&msrv(MANIFEST, "Needs Rust.", WORKFLOW)),
            ["README.md"]
        );
        assert_eq!(
            paths(&msrv(MANIFEST, README, "toolchain: [stable]")),
            [".github/workflows/ci.yml"]
        );
        assert_eq!(
            paths(&msrv("rust-version.workspace = true", README, WORKFLOW)),
            ["Cargo.toml"]
        );
    }

    #[test]
    fn a_command_that_the_readme_does_not_name_is_found() {
        let readme = "cargo test --workspaces\ncargo xtask conformance\n";
        assert_eq!(
            commands(readme, &[CI_RUN]),
            [Finding::in_file(
                "README.md",
                "does not name `cargo test --workspace`"
            )]
        );
    }

    #[test]
    fn a_command_that_ci_does_not_run_is_found() {
        let commented = "cargo test --workspace\n# cargo xtask conformance\n";
        assert_eq!(paths(&commands(README, &[commented, ""])), [".ci/run"]);
        assert_eq!(
            commands(README, &[commented, "      - run: cargo xtask conformance"]),
            []
        );
    }

    #[test]
    fn a_licence_that_was_not_copied_or_that_differs_is_found() {
        for path in ["spec/LICENSE-MIT", "sdk/LICENSE-APACHE"] {
            let (mut missing, mut differing) = (repository(), repository());
            missing.retain(|source| source.path != path);
            differing
                .iter_mut()
                .filter(|source| source.path == path)
                .for_each(|source| source.text.push('!'));
            assert_eq!(paths(&licence_copies(&missing)), [path]);
            assert_eq!(paths(&licence_copies(&differing)), [path]);
        }
    }
}
