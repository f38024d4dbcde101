//! The check that the documentation builds without a warning: as a user builds it, and as docs.rs does.
//!
//! docs.rs reads `package.metadata.docs.rs` and runs a nightly rustdoc. Only rustdoc has to act as a nightly one, so
//! xtask starts it in cargo's place, with `RUSTC_BOOTSTRAP` set. Set for cargo as well, the variable would have every
//! dependency compiled a second time.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use serde_json::Value;

use super::{Outcome, command, has_native_tls};
use crate::failure::Failure;
use crate::process;

/// Set for an xtask that stands in for rustdoc: the rustdoc to start.
const RUSTDOC: &str = "XTASK_RUSTDOC";

const WARNINGS: &str = "-Dwarnings";

/// What docs.rs hands to rustdoc by itself.
const OF_DOCS_RS: [&str; 2] = ["--cfg docsrs", "-Zunstable-options"];

pub(super) fn run() -> Result<Outcome, Failure> {
    let mut docs = command("doc --workspace --no-deps --locked");
    process::run(docs.env("RUSTDOCFLAGS", WARNINGS))?;
    let has_native_tls = has_native_tls();
    let builds = builds(&process::metadata()?, has_native_tls);
    if builds.is_empty() {
        eprintln!(
            "note: no package has `package.metadata.docs.rs`, so docs.rs builds what was built above"
        );
    }
    if !has_native_tls {
        eprintln!(
            "note: OpenSSL's headers are not installed, so native-tls was left out of what docs.rs builds"
        );
    }
    let this = env::current_exe().map_err(|error| Failure::to("find xtask itself", error))?;
    for build in builds {
        let mut docs = command("doc --no-deps --lib --locked");
        docs.args(&build.arguments)
            .env("RUSTDOCFLAGS", &build.flags)
            .env(
                RUSTDOC,
                env::var_os("RUSTDOC").unwrap_or_else(|| "rustdoc".into()),
            )
            .env("RUSTDOC", &this);
        process::run(&mut docs)?;
    }
    Ok(Outcome::Passed)
}

/// Acts as rustdoc if cargo has started xtask in its place.
pub(crate) fn as_rustdoc() -> Option<ExitCode> {
    let rustdoc: OsString = env::var_os(RUSTDOC)?;
    let mut rustdoc = Command::new(rustdoc);
    rustdoc
        .args(env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1");
    let code = match rustdoc.status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()),
        Err(error) => {
            eprintln!("error: failed to start rustdoc: {error}");
            None
        }
    };
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A package as docs.rs builds it.
#[derive(Debug, PartialEq, Eq)]
struct Build {
    arguments: Vec<String>,
    /// For rustdoc.
    flags: String,
}

/// The builds that the packages' metadata asks for.
fn builds(metadata: &Value, has_native_tls: bool) -> Vec<Build> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let builds = packages.filter_map(|package| {
        let asked = package["metadata"]["docs"]["rs"].as_object()?;
        let name = package["name"].as_str()?;
        let is = |key: &str| asked.get(key).is_some_and(|value| *value == true);
        let list = |key: &str| strings(asked.get(key));
        let mut arguments = vec!["-p".to_owned(), name.to_owned()];
        let mut features = list("features");
        if is("all-features") && has_native_tls {
            arguments.push("--all-features".to_owned());
            features.clear();
        } else if is("all-features") {
            let all = package["features"].as_object().into_iter();
            let all = all.flat_map(|features| features.keys()).cloned();
            features = all
                .filter(|feature| feature != "default" && feature != "native-tls")
                .collect();
        }
        if is("no-default-features") {
            arguments.push("--no-default-features".to_owned());
        }
        if !features.is_empty() {
            arguments.extend(["--features".to_owned(), features.join(",")]);
        }
        let own = [WARNINGS].into_iter().chain(OF_DOCS_RS).map(str::to_owned);
        let flags: Vec<_> = own.chain(list("rustdoc-args")).collect();
        let flags = flags.join(" ");
        Some(Build { arguments, flags })
    });
    builds.collect()
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let values = value.and_then(Value::as_array).into_iter().flatten();
    values
        .filter_map(|value| value.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::builds;

    fn lines(asked: &Value, has_native_tls: bool) -> Vec<String> {
        let metadata = json!({"packages": [
            {"name": "silent", "metadata": null, "features": {}},
            {
                "name": "a",
                "metadata": {"docs": {"rs": asked}},
                "features": {"default": ["gzip"], "gzip": [], "native-tls": [], "raw": []},
            },
        ]});
        let builds = builds(&metadata, has_native_tls).into_iter();
        builds
            .map(|build| format!("{} / {}", build.arguments.join(" "), build.flags))
            .collect()
    }

    #[test]
    fn a_package_is_built_as_its_metadata_asks() {
        for (asked, expected) in [
            (
                json!({}),
                "-p a / -Dwarnings --cfg docsrs -Zunstable-options",
            ),
            (
                json!({"all-features": true}),
                "-p a --all-features / -Dwarnings --cfg docsrs -Zunstable-options",
            ),
            (
                json!({"features": ["raw", "gzip"], "no-default-features": true}),
                "-p a --no-default-features --features raw,gzip / -Dwarnings --cfg docsrs -Zunstable-options",
            ),
            (
                json!({"rustdoc-args": ["--generate-link-to-definition"]}),
                "-p a / -Dwarnings --cfg docsrs -Zunstable-options --generate-link-to-definition",
            ),
        ] {
            assert_eq!(lines(&asked, true), [expected]);
        }
    }

    #[test]
    fn without_the_platforms_tls_all_features_are_all_others() {
        assert_eq!(
            lines(&json!({"all-features": true}), false),
            ["-p a --features gzip,raw / -Dwarnings --cfg docsrs -Zunstable-options"]
        );
    }
}
