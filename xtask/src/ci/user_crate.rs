//! The check that a crate outside of the workspace can be tested with the SDK and the reference server alone.
//!
//! Within the workspace a dependency that was forgotten, or a feature that another package happens to turn on, goes
//! unnoticed. The user's crate is a workspace of its own, so it gets only what it asks for, and it is counted how many
//! packages that is. It takes the versions of our lock file, and so needs no network where the other tests have run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Outcome;
use crate::failure::Failure;
use crate::process;

/// The folder of the crate.
const FOLDER: &str = "conformance/reference/user-crate";

pub(super) fn run() -> Result<Outcome, Failure> {
    let folder = process::root().join(FOLDER);
    let (manifest, lock) = (folder.join("Cargo.toml"), folder.join("Cargo.lock"));
    fs::copy(process::root().join("Cargo.lock"), &lock)
        .map_err(|error| Failure::to(format_args!("copy the lock file to {FOLDER}"), error))?;
    let metadata = process::metadata()?;
    let target = Path::new(metadata["target_directory"].as_str().unwrap_or("target"));

    let (network, all): (&[&str], _) = match tree(&manifest, &["--offline"]) {
        Ok(all) => (&["--offline"], all),
        Err(_) => (&[], tree(&manifest, &[])?),
    };
    let all = packages(&all);
    let linked = packages(&tree(
        &manifest,
        &[network, &["--edges", "normal,build"]].concat(),
    )?);

    let mut format = process::cargo(["fmt", "--check", "--manifest-path"]);
    process::run(format.arg(&manifest))?;
    let mut test = process::cargo(["test", "--manifest-path"]);
    test.arg(&manifest)
        .arg("--target-dir")
        .arg(target)
        .args(network);
    process::run(&mut test)?;
    println!(
        "a user's crate pulls {} packages, {} of them without its tests",
        all.len(),
        linked.len()
    );
    Ok(Outcome::Passed)
}

/// What a crate depends on, one package a line.
fn tree(manifest: &Path, arguments: &[&str]) -> Result<String, Failure> {
    let mut tree = process::cargo([
        "tree",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--manifest-path",
    ]);
    let (status, text, errors) = process::both(tree.arg(manifest).args(arguments))?;
    if status.success() {
        return Ok(text);
    }
    Err(Failure::new(format!(
        "cargo cannot tell what {FOLDER} depends on: {errors}"
    )))
}

/// The packages in a tree, each with its version; the first is the crate itself.
fn packages(tree: &str) -> BTreeSet<String> {
    let names = tree.lines().map(|line| {
        let words = line.split(' ').take(2);
        words.collect::<Vec<_>>().join(" ")
    });
    let names = names.filter(|name| !name.is_empty() && !name.starts_with('['));
    names.skip(1).collect()
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn each_package_is_counted_once_for_each_of_its_versions_and_the_crate_itself_is_not() {
        let tree = "user v0.0.0 (a/user)\na v1.0.0\nb v1.0.0 (proc-macro)\na v1.0.0 (*)\n\n\
                    [dev-dependencies]\na v2.0.0\nc v1.0.0 (a/c)\n";
        let packages: Vec<_> = packages(tree).into_iter().collect();
        assert_eq!(packages, ["a v1.0.0", "a v2.0.0", "b v1.0.0", "c v1.0.0"]);
    }
}
