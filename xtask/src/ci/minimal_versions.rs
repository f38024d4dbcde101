//! The check that the oldest versions which the manifests allow are enough.
//!
//! A user whose lock file holds an older version than ours gets that one, as long as `Cargo.toml` says that it will do.
//! So the packages that users depend on are copied, without what only their tests need; there cargo takes the lowest
//! version of each direct dependency, leaves the others as our lock file has them, and compiles.
//!
//! cargo's flag for that is unstable, hence `RUSTC_BOOTSTRAP`, which only the choice of versions gets to see.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Outcome;
use crate::failure::Failure;
use crate::process;

/// The packages that users depend on, and their folders. The first needs no check of its own, the others build it.
const PACKAGES: [(&str, &str); 3] = [
    ("webflow-cms-spec", "spec"),
    ("webflow-cms", "sdk"),
    ("webflow-cms-reference", "conformance/reference"),
];

const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";

pub(super) fn run() -> Result<Outcome, Failure> {
    let metadata = process::metadata()?;
    let target = Path::new(metadata["target_directory"].as_str().unwrap_or("target"));
    let folder = target.join("minimal-versions");
    let copy = folder.join("workspace");
    copy_packages(&copy, &metadata)?;

    let mut choose = process::cargo(["update", "--workspace", "-Z", "direct-minimal-versions"]);
    choose.current_dir(&copy).env("RUSTC_BOOTSTRAP", "1");
    let (status, _, errors) = process::both(&mut choose)?;
    if !status.success() {
        let is_offline = env::var_os("CARGO_NET_OFFLINE").is_some_and(|value| value == "true");
        return match unavailable(&errors, is_offline) {
            Some(reason) => Ok(Outcome::Skipped(reason)),
            None => {
                eprint!("{errors}");
                let what = "the lowest versions do not fit each other; raise those that the manifest allows";
                Err(Failure::new(what))
            }
        };
    }

    let mut check = process::cargo(["check", "--locked", "--lib"]);
    check.args(PACKAGES.iter().skip(1).flat_map(|(name, _)| ["-p", name]));
    check.arg("--target-dir").arg(folder.join("target"));
    // Nobody debugs these builds, and half of the time is the build script's dependencies.
    check.current_dir(&copy).env("CARGO_PROFILE_DEV_DEBUG", "0");
    process::run(&mut check)?;
    Ok(Outcome::Passed)
}

/// Copies what git knows of the packages. The files keep their times, by which cargo knows what it has compiled.
fn copy_packages(copy: &Path, metadata: &Value) -> Result<(), Failure> {
    let root = process::root();
    let mut list = Command::new("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        MANIFEST,
    ]);
    list.args(PACKAGES.map(|(_, folder)| folder));
    let list = process::output(list.current_dir(&root))?;
    let fails = |error: io::Error| Failure::to(format_args!("copy to {}", copy.display()), error);
    match fs::remove_dir_all(copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fails(error)),
        _ => {}
    }
    for path in list
        .split_terminator('\0')
        .filter(|path| root.join(path).is_file())
    {
        let (from, to) = (root.join(path), copy.join(path));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(fails)?;
        }
        if path.ends_with(MANIFEST) {
            let text = fs::read_to_string(&from).map_err(fails)?;
            let text = if path == MANIFEST {
                narrowed(&text)?
            } else {
                published(&text)
            };
            fs::write(&to, text).map_err(fails)?;
        } else {
            fs::copy(&from, &to).map_err(fails)?;
        }
        let time = fs::metadata(&from).and_then(|metadata| metadata.modified());
        let file = File::options().write(true).open(&to);
        file.and_then(|file| file.set_modified(time?))
            .map_err(fails)?;
    }
    let lock = fs::read_to_string(root.join(LOCK)).map_err(fails)?;
    fs::write(copy.join(LOCK), unlocked(&lock, &direct(metadata))).map_err(fails)
}

/// The workspace's manifest, with only the packages that were copied as its members.
fn narrowed(manifest: &str) -> Result<String, Failure> {
    let fails = || Failure::new("the workspace's manifest has no list of members");
    let (before, rest) = manifest.split_once("members = [").ok_or_else(fails)?;
    let (_, after) = rest.split_once(']').ok_or_else(fails)?;
    let members = PACKAGES.map(|(_, folder)| format!("\"{folder}\""));
    Ok(format!("{before}members = [{}]{after}", members.join(", ")))
}

/// A package's manifest, without what only its tests, benches and examples need.
fn published(manifest: &str) -> String {
    let mut is_kept = true;
    let lines = manifest.split_inclusive('\n').filter(|line| {
        if line.starts_with('[') {
            let is_target = ["[[bench]]", "[[test]]", "[[example]]"]
                .iter()
                .any(|name| line.starts_with(name));
            is_kept = !is_target && !line.contains("dev-dependencies");
        }
        is_kept
    });
    lines.collect()
}

/// The names of what the packages depend on directly, for more than their tests.
fn direct(metadata: &Value) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|package| PACKAGES.iter().any(|(name, _)| package["name"] == *name));
    let dependencies =
        ours.flat_map(|package| package["dependencies"].as_array().into_iter().flatten());
    let needed = dependencies.filter(|dependency| dependency["kind"] != "dev");
    needed
        .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned))
        .collect()
}

/// A lock file that leaves open which versions of these packages are taken.
fn unlocked(lock: &str, names: &BTreeSet<String>) -> String {
    const ENTRY: &str = "[[package]]\n";
    let mut entries = lock.split(ENTRY);
    let head = entries.next().unwrap_or_default().to_owned();
    let is_open = |entry: &&str| {
        let name = entry
            .strip_prefix("name = \"")
            .and_then(|rest| rest.split_once('"'));
        name.is_none_or(|(name, _)| names.contains(name))
    };
    entries
        .filter(|entry| !is_open(entry))
        .fold(head, |lock, entry| lock + ENTRY + entry)
}

/// Why cargo could not even try, if that is what it complains of.
///
/// One that is offline knows only the versions that were downloaded, so its complaints say nothing about the others.
fn unavailable(complaints: &str, is_offline: bool) -> Option<String> {
    let complaints = complaints.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| complaints.contains(phrase));
    if says(&["unknown `-z` flag", "the `-z` flag is only accepted"]) {
        return Some(
            "this cargo does not know -Z direct-minimal-versions; run it with a newer stable one"
                .to_owned(),
        );
    }
    let network = [
        "offline",
        "network failure",
        "network error",
        "failed to download",
        "could not resolve host",
        "could not connect",
        "couldn't connect",
        "unable to update registry",
        "failed to update registry",
    ];
    (is_offline || says(&network))
        .then(|| "the registry's index cannot be reached; run it again with a network".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::{direct, narrowed, published, unavailable, unlocked};

    #[test]
    fn only_the_packages_that_users_depend_on_stay_in_the_workspace() {
        let manifest =
            "[workspace]\nmembers = [\n    \"spec\",\n    \"xtask\",\n]\nresolver = \"3\"\n";
        assert_eq!(
            narrowed(manifest).ok().as_deref(),
            Some(
                "[workspace]\nmembers = [\"spec\", \"sdk\", \"conformance/reference\"]\nresolver = \"3\"\n"
            )
        );
        assert!(narrowed("[package]\n").is_err());
    }

    #[test]
    fn what_only_tests_need_is_left_out() {
        let manifest = "[package]\nname = \"a\"\n\n[[bench]]\nname = \"b\"\n\n[dependencies]\nc = \"1\"\n\n\
                        [dev-dependencies]\nd = \"1\"\n\n[target.'cfg(unix)'.dev-dependencies]\ne = \"1\"\n\n\
                        [build-dependencies]\nf = \"1\"\n";
        assert_eq!(
            published(manifest),
            "[package]\nname = \"a\"\n\n[dependencies]\nc = \"1\"\n\n[build-dependencies]\nf = \"1\"\n"
        );
    }

    #[test]
    fn direct_dependencies_are_those_of_all_our_packages_but_for_their_tests() {
        let metadata = json!({"packages": [
            {"name": "webflow-cms", "dependencies": [
                {"name": "a", "kind": null}, {"name": "b", "kind": "build"}, {"name": "c", "kind": "dev"},
            ]},
            {"name": "webflow-cms-spec", "dependencies": [{"name": "d", "kind": null}]},
            {"name": "xtask", "dependencies": [{"name": "e", "kind": null}]},
        ]});
        let expected = ["a", "b", "d"].map(str::to_owned);
        assert_eq!(direct(&metadata), BTreeSet::from(expected));
    }

    #[test]
    fn only_the_named_versions_are_left_open() {
        let entry = |name: &str, version: u8| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}.0.0\"\n\n")
        };
        let lock = |entries: &[String]| format!("version = 4\n\n{}", entries.concat());
        let all = lock(&[entry("a", 1), entry("ab", 1), entry("b", 1), entry("b", 2)]);
        let names = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(unlocked(&all, &names), lock(&[entry("ab", 1)]));
    }

    #[test]
    fn only_a_cargo_that_cannot_try_is_an_excuse() {
        for excuse in [
            "error: unknown `-Z` flag specified: direct-minimal-versions",
            "warning: spurious network error (3 tries remaining): [7] Could not connect to server",
            "attempting to make an HTTP request, but --offline was specified",
        ] {
            assert!(unavailable(excuse, false).is_some(), "{excuse}");
        }
        let conflict =
            "error: failed to select a version for `serde`.\n ... required by package `a v1.0.0`";
        assert_eq!(unavailable(conflict, false), None);
        assert!(unavailable(conflict, true).is_some());
    }
}
