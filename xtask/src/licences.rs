//! `cargo xtask licences`: may each package that the lock file names be used under a licence that we accept?
//!
//! cargo-deny does the same and more, and was looked at. It has to be installed first, though, and a fresh clone has
//! only cargo: this check runs wherever the tests run.

mod policy;

use std::collections::BTreeMap;

use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

use self::policy::{ALLOWED, EXCEPTIONS, Exception};
use crate::failure::Failure;
use crate::process;

/// A package and its manifest's licence expression.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    licence: Option<String>,
}

/// What a look at all packages found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    /// How many packages are used under each licence; one that has several at once counts for each.
    used: BTreeMap<String, usize>,
    complaints: Vec<String>,
}

pub(crate) fn run() -> Result<(), Failure> {
    // Optional and platform-only packages are in the lock file, so they count as well.
    let mut metadata = process::cargo([
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ]);
    let metadata = process::output(metadata.current_dir(process::root()))?;
    let metadata = serde_json::from_str(&metadata)
        .map_err(|error| Failure::to("read cargo's metadata", error))?;
    let packages = resolved(&metadata);
    let verdict = judge(&packages, ALLOWED, EXCEPTIONS);
    for (licence, count) in &verdict.used {
        println!("{count:>5}  {licence}");
    }
    println!("{:>5}  packages", packages.len());
    for Exception {
        package,
        licence,
        reason,
    } in EXCEPTIONS
    {
        println!("       {licence} for {package}: {reason}");
    }
    match verdict.complaints.as_slice() {
        [] if packages.is_empty() => Err(Failure::new("cargo's metadata names no package")),
        [] => Ok(()),
        complaints => Err(Failure::new(complaints.join("\n       "))),
    }
}

/// The packages of cargo's metadata that were resolved: as normal, build and development dependencies alike.
fn resolved(metadata: &Value) -> Vec<Package> {
    let nodes = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten();
    let ids: Vec<_> = nodes.filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["id"].as_str().is_some_and(|id| ids.contains(&id)))
        .map(|package| Package {
            name: package["name"].as_str().unwrap_or_default().to_owned(),
            licence: package["license"].as_str().map(str::to_owned),
        })
        .collect()
}

/// Holds each package against the policy, and the policy against the packages: a line that nothing needs is a
/// complaint, so that the policy says what is there.
fn judge(packages: &[Package], allowed: &[&str], exceptions: &[Exception]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut excused = Vec::new();
    for package in packages {
        let exception = exceptions
            .iter()
            .find(|exception| exception.package == package.name);
        match chosen(package, allowed) {
            Ok(licences) => verdict.count(licences),
            Err(complaint) => {
                match exception.map(|exception| chosen(package, &[exception.licence])) {
                    Some(Ok(licences)) => {
                        verdict.count(licences);
                        excused.push(package.name.as_str());
                    }
                    _ => verdict.complaints.push(complaint),
                }
            }
        }
    }
    for licence in allowed
        .iter()
        .filter(|licence| !verdict.used.contains_key(**licence))
    {
        verdict.complaints.push(format!(
            "{licence} is allowed, but no package needs it: take it off the list"
        ));
    }
    for exception in exceptions
        .iter()
        .filter(|exception| !excused.contains(&exception.package))
    {
        let Exception {
            package, licence, ..
        } = exception;
        verdict.complaints.push(format!(
            "{package} is excepted for {licence}, but does not need it: take it off the list"
        ));
    }
    verdict
}

impl Verdict {
    fn count(&mut self, licences: Vec<String>) {
        for licence in licences {
            *self.used.entry(licence).or_default() += 1;
        }
    }
}

/// The licences under which a package is used: of those that suffice, the ones named first in `accepted`.
fn chosen(package: &Package, accepted: &[&str]) -> Result<Vec<String>, String> {
    let name = &package.name;
    let Some(licence) = &package.licence else {
        return Err(format!("{name} names no licence expression"));
    };
    // Old manifests write `MIT/Apache-2.0`.
    let expression = Expression::parse_mode(licence, ParseMode::LAX).map_err(|error| {
        format!(
            "{name} has no valid licence expression: {licence}: {}",
            error.reason
        )
    })?;
    let accepted = accepted
        .iter()
        .map(|accepted| {
            Licensee::parse(accepted)
                .map_err(|error| format!("{accepted} is no licence: {}", error.reason))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let needed = expression
        .minimized_requirements(&accepted)
        .map_err(|_| format!("{name} is used under {licence}, which is not on the list"))?;
    Ok(needed.iter().map(ToString::to_string).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Exception, Package, chosen, judge, resolved};

    const MPL: Exception = Exception {
        package: "weak",
        licence: "MPL-2.0",
        reason: "a test",
    };

    fn package(name: &str, licence: &str) -> Package {
        Package {
            name: name.to_owned(),
            licence: Some(licence.to_owned()),
        }
    }

    #[test]
    fn a_licence_off_the_list_is_refused() {
        let verdict = judge(
            &[package("a", "MIT"), package("b", "GPL-3.0-only AND MIT")],
            &["MIT"],
            &[],
        );
        assert_eq!(
            verdict.complaints,
            ["b is used under GPL-3.0-only AND MIT, which is not on the list"]
        );
    }

    #[test]
    fn an_exception_is_for_its_package_and_its_licence_only() {
        let verdict = judge(
            &[package("weak", "MPL-2.0"), package("other", "MPL-2.0")],
            &[],
            &[MPL],
        );
        assert_eq!(
            verdict.complaints,
            ["other is used under MPL-2.0, which is not on the list"]
        );
        let verdict = judge(&[package("weak", "GPL-3.0-only")], &[], &[MPL]);
        assert_eq!(verdict.complaints.len(), 2, "{:?}", verdict.complaints);
    }

    #[test]
    fn an_allowed_licence_that_nothing_needs_is_refused() {
        let verdict = judge(&[package("a", "MIT OR Zlib")], &["MIT", "Zlib"], &[]);
        assert_eq!(
            verdict.complaints,
            ["Zlib is allowed, but no package needs it: take it off the list"]
        );
    }

    #[test]
    fn an_exception_that_its_package_no_longer_needs_is_refused() {
        let complaint = "weak is excepted for MPL-2.0, but does not need it: take it off the list";
        assert_eq!(
            judge(&[package("weak", "MIT OR MPL-2.0")], &["MIT"], &[MPL]).complaints,
            [complaint]
        );
        assert_eq!(
            judge(&[package("gone", "MIT")], &["MIT"], &[MPL]).complaints,
            [complaint]
        );
    }

    #[test]
    fn a_package_without_a_licence_expression_is_refused() {
        let silent = Package {
            name: "a".to_owned(),
            licence: None,
        };
        assert_eq!(
            chosen(&silent, &["MIT"]),
            Err("a names no licence expression".to_owned())
        );
        assert!(chosen(&package("a", "LICENSE.txt"), &["MIT"]).is_err());
    }

    #[test]
    fn the_old_slash_means_or() {
        for licence in ["MIT/Apache-2.0", "Apache-2.0 / MIT"] {
            assert_eq!(
                chosen(&package("a", licence), &["Apache-2.0"]),
                Ok(vec!["Apache-2.0".to_owned()])
            );
        }
    }

    #[test]
    fn a_package_under_several_licences_at_once_counts_for_each() {
        let verdict = judge(
            &[package("a", "(MIT OR ISC) AND Unicode-3.0")],
            &["MIT", "Unicode-3.0"],
            &[],
        );
        assert!(
            verdict
                .used
                .into_iter()
                .eq([("MIT".to_owned(), 1), ("Unicode-3.0".to_owned(), 1)])
        );
    }

    #[test]
    fn a_licence_with_an_exception_is_not_the_licence_without_it() {
        let llvm = package("a", "Apache-2.0 WITH LLVM-exception");
        assert!(chosen(&llvm, &["Apache-2.0"]).is_err());
        assert!(chosen(&llvm, &["Apache-2.0 WITH LLVM-exception"]).is_ok());
    }

    #[test]
    fn only_what_was_resolved_is_judged() {
        let metadata = json!({
            "packages": [
                {"id": "1", "name": "a", "license": "MIT"},
                {"id": "2", "name": "unused", "license": "MIT"},
            ],
            "resolve": {"nodes": [{"id": "1"}]},
        });
        assert_eq!(resolved(&metadata), [package("a", "MIT")]);
    }
}
