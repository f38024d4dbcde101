//! Which packages of the workspace may not depend on which others, by any kind of dependency.

use serde_json::Value;

use crate::tidy::Finding;

/// A package, with those that it must build and be tested without.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("webflow-cms", &["webflow-cms-conformance"]),
    (
        "webflow-cms-reference",
        &["webflow-cms", "webflow-cms-conformance"],
    ),
];

/// Findings in cargo's metadata: normal, build and development dependencies alike.
pub(in crate::tidy) fn findings(metadata: &Value) -> Vec<Finding> {
    let packages: Vec<_> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut findings = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        let Some(package) = packages.iter().find(|package| package["name"] == *name) else {
            let what =
                format!("no package is named {name}: mend the rule about what it depends on");
            findings.push(Finding::in_file("Cargo.toml", what));
            continue;
        };
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let root = metadata["workspace_root"].as_str().unwrap_or_default();
        let manifest = manifest.strip_prefix(root).unwrap_or(manifest);
        let manifest = manifest.trim_start_matches(['/', '\\']);
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies {
            let dependency = dependency["name"].as_str().unwrap_or_default();
            if forbidden.contains(&dependency) {
                let what =
                    format!("{name} may not depend on {dependency}, not for its tests either");
                findings.push(Finding::in_file(manifest, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::findings;

    fn metadata(reference: &[&str]) -> Value {
        let dependencies = |names: &[&str]| -> Vec<Value> {
            let kinds = ["dev", "build"].into_iter().cycle();
            names
                .iter()
                .zip(kinds)
                .map(|(name, kind)| json!({"name": name, "kind": kind}))
                .collect()
        };
        let package = |name: &str, names: &[&str]| {
            let manifest = format!("/a/{name}.toml");
            json!({"name": name, "manifest_path": manifest, "dependencies": dependencies(names)})
        };
        json!({"workspace_root": "/a", "packages": [
            package("webflow-cms", &["webflow-cms-spec", "webflow-cms-reference"]),
            package("webflow-cms-reference", reference),
        ]})
    }

    #[test]
    fn a_dependency_that_runs_upward_is_found_whatever_its_kind() {
        assert_eq!(findings(&metadata(&["wiremock"])), []);
        let found = findings(&metadata(&["webflow-cms-conformance", "webflow-cms"]));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "webflow-cms-reference.toml: webflow-cms-reference may not depend on webflow-cms-conformance, not for \
                 its tests either",
                "webflow-cms-reference.toml: webflow-cms-reference may not depend on webflow-cms, not for its tests \
                 either",
            ]
        );
    }

    #[test]
    fn a_rule_about_a_package_that_is_not_there_is_found() {
        let found = findings(&json!({"packages": []}));
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
