//! The check that a new version breaks nothing that its number does not allow to break.
//!
//! cargo-semver-checks compares the published packages with the last release. It is no dependency of the project, and
//! before the first release there is nothing to compare with: then the check is skipped, and says what is missing.

use std::process::{Command, Stdio};

use super::Outcome;
use crate::failure::Failure;
use crate::process;

pub(super) fn run() -> Result<Outcome, Failure> {
    let mut tags = Command::new("git");
    tags.args([
        "tag",
        "--list",
        "v*",
        "--merged",
        "HEAD",
        "--sort=-version:refname",
    ]);
    let tags = process::output(tags.current_dir(process::root()))?;
    let mut version = process::cargo(["semver-checks", "--version"]);
    version.stdout(Stdio::null()).stderr(Stdio::null());
    let is_installed = version.status().is_ok_and(|status| status.success());
    match plan(&tags, is_installed) {
        Err(missing) => Ok(Outcome::Skipped(missing)),
        Ok(baseline) => {
            let line = [
                "semver-checks",
                "--workspace",
                "--exclude",
                "xtask",
                "--baseline-rev",
                &baseline,
            ];
            process::run(process::cargo(line).current_dir(process::root()))?;
            Ok(Outcome::Passed)
        }
    }
}

/// The tag of the last release, or what is missing.
fn plan(tags: &str, is_installed: bool) -> Result<String, String> {
    let is_release = |tag: &&str| {
        let version = tag.strip_prefix('v').unwrap_or_default();
        let parts: Vec<_> = version.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
    };
    let Some(tag) = tags.lines().find(is_release) else {
        return Err(
            "there is no release to compare with; tag the first one, such as v0.1.0".to_owned(),
        );
    };
    if !is_installed {
        return Err(format!(
            "{tag} is there to compare with, but cargo-semver-checks is not installed; run `cargo install --locked \
             cargo-semver-checks`"
        ));
    }
    Ok(tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::plan;

    #[test]
    fn the_last_release_is_what_a_version_is_compared_with() {
        let tags = "v0.3.0-rc.1\nvery-old\nv0.2.10\nv0.2.9\n";
        assert_eq!(plan(tags, true), Ok("v0.2.10".to_owned()));
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        for (tags, is_installed, expected) in [
            ("", true, "tag the first one"),
            ("v1\nvery-old\n", true, "tag the first one"),
            (
                "v0.1.0\n",
                false,
                "cargo install --locked cargo-semver-checks",
            ),
        ] {
            let missing = plan(tags, is_installed).expect_err("something is missing");
            assert!(missing.contains(expected), "{missing}");
        }
    }
}
