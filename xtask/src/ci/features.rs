//! The check that each choice of the SDK's features compiles, without a warning.
//!
//! cargo-hack makes such a powerset too, and much more of it: grouped, bounded in depth, without the combinations that
//! one feature brings about by another. It has to be installed first, though, and a fresh clone has only cargo; with a
//! handful of features every combination is a few seconds, so there is nothing to leave out and a loop is enough.

use serde_json::Value;

use super::{Outcome, cargo, has_native_tls};
use crate::failure::Failure;
use crate::process;

/// The package with features that users choose.
const PACKAGE: &str = "webflow-cms";

/// The feature that needs the platform's own TLS.
const NATIVE_TLS: &str = "native-tls";

/// With more features than this, the combinations take longer than anybody waits.
const MOST: usize = 6;

pub(super) fn run() -> Result<Outcome, Failure> {
    let mut features = features(&process::metadata()?)?;
    if !has_native_tls() {
        features.retain(|feature| feature != NATIVE_TLS);
        eprintln!("note: OpenSSL's headers are not installed, so {NATIVE_TLS} was left out");
    }
    let combinations = combinations(&features);
    for combination in &combinations {
        let features = combination.join(",");
        let features = if features.is_empty() {
            String::new()
        } else {
            format!(" --features {features}")
        };
        cargo(&format!(
            "clippy --quiet -p {PACKAGE} --lib --locked --no-default-features{features} -- -D warnings"
        ))?;
    }
    println!(
        "{} combinations of {} features compile",
        combinations.len(),
        features.len()
    );
    Ok(Outcome::Passed)
}

/// The features of the package, without the one that only chooses among the others.
fn features(metadata: &Value) -> Result<Vec<String>, Failure> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut packages = packages.filter(|package| package["name"] == PACKAGE);
    let features = packages.find_map(|package| package["features"].as_object());
    let features: Vec<_> = features
        .into_iter()
        .flat_map(|features| features.keys())
        .filter(|feature| *feature != "default")
        .cloned()
        .collect();
    match features.len() {
        0 => Err(Failure::new(format!("{PACKAGE} has no features"))),
        count if count > MOST => Err(Failure::new(format!(
            "{PACKAGE} has {count} features, so {} combinations: group them, as cargo-hack does",
            1_u64
                .checked_shl(u32::try_from(count).unwrap_or(u32::MAX))
                .unwrap_or(u64::MAX)
        ))),
        _ => Ok(features),
    }
}

/// Every choice of features, none of them and all of them too.
fn combinations(features: &[String]) -> Vec<Vec<String>> {
    let mut combinations = vec![Vec::new()];
    for feature in features {
        let with = combinations.iter().map(|combination: &Vec<String>| {
            let feature = std::iter::once(feature.clone());
            combination.iter().cloned().chain(feature).collect()
        });
        let with: Vec<_> = with.collect();
        combinations.extend(with);
    }
    combinations
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MOST, combinations, features};

    fn metadata(features: &[String]) -> Value {
        let features: serde_json::Map<_, _> = features
            .iter()
            .map(|feature| (feature.clone(), json!([])))
            .collect();
        json!({"packages": [
            {"name": "other", "features": {"wrong": []}},
            {"name": "webflow-cms", "features": features},
        ]})
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("f{number}")).collect()
    }

    #[test]
    fn every_combination_is_there_once() {
        assert_eq!(
            combinations(&["a".to_owned(), "b".to_owned()]),
            [
                vec![],
                vec!["a".to_owned()],
                vec!["b".to_owned()],
                vec!["a".to_owned(), "b".to_owned()]
            ]
        );
        let mut all = combinations(&names(MOST));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 1 << MOST);
    }

    #[test]
    fn the_default_is_no_choice_of_its_own() {
        let with_default = ["default".to_owned(), "a".to_owned()];
        assert_eq!(
            features(&metadata(&with_default)).ok(),
            Some(vec!["a".to_owned()])
        );
    }

    #[test]
    fn more_features_than_can_be_combined_are_refused_and_so_are_none() {
        assert!(features(&metadata(&names(MOST))).is_ok());
        let refused = features(&metadata(&names(MOST + 1))).expect_err("too many");
        assert!(
            refused
                .to_string()
                .contains("has 7 features, so 128 combinations"),
            "{refused}"
        );
        assert!(features(&metadata(&[])).is_err());
    }
}
