//! The rules about layers, each on a small crate that keeps it and on one that breaks it.

use super::{CRATES, Crate, Finding, Layered, Source};

const LAYERED: Layered = Layered {
    root: "a/src",
    layers: &["id", "error", "client", "bulk/core", "bulk", "lib"],
    alone: &["id"],
    pure: &["bulk/core"],
};

fn sources(files: &[(&str, &str)]) -> Vec<Source> {
    let source = |(path, text): &(&str, &str)| Source {
        path: format!("a/src/{path}"),
        text: (*text).to_owned(),
    };
    files.iter().map(source).collect()
}

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let sources = sources(files);
    let read = Crate::read(&LAYERED, &sources);
    read.findings(&read.circles())
}

fn shown(files: &[(&str, &str)]) -> Vec<String> {
    findings(files).iter().map(ToString::to_string).collect()
}

/// A crate that keeps the rules, with `code` in one of its files.
fn with(path: &str, code: &str) -> Vec<String> {
    let mut files = vec![
        (
            "lib.rs",
            "mod id; mod error; mod client; mod bulk; pub use error::Error;",
        ),
        ("id.rs", "pub struct Id;"),
        (
            "error.rs",
            "mod kind; pub use kind::Kind; use crate::id::Id; pub struct Error(Id, Kind);",
        ),
        ("error/kind.rs", "pub enum Kind {}"),
        (
            "client.rs",
            "use crate::error::{Error, Kind}; pub struct Client(Error, Kind);",
        ),
        ("bulk/mod.rs", "mod core; mod run; pub use run::Run;"),
        (
            "bulk/core/mod.rs",
            "use crate::error::Error; pub struct Core(Error);",
        ),
        (
            "bulk/run.rs",
            "use super::core::Core; use crate::client::Client; pub struct Run(Core, Client);",
        ),
    ];
    files.retain(|(name, _)| *name != path);
    files.push((path, code));
    shown(&files)
}

#[test]
fn imports_that_run_downward_are_not_found() {
    assert_eq!(
        with("bulk/dry.rs", "use crate::client::Client;"),
        [] as [&str; 0]
    );
}

#[test]
fn an_import_from_a_layer_above_is_found_however_it_is_written() {
    for import in [
        "use crate::client::Client;",
        "use crate::{id::Id, client::{Client}};",
        "use crate::client::Client as C;",
        "use crate::client::*;",
        "use super::super::client::Client;",
        "fn f(c: crate::client::Client) {}",
        "fn f() { println!(\"{}\", crate::client::NAME); }",
        "#[cfg(test)] use crate::client::Client;",
    ] {
        let found = with("error/kind.rs", &format!("pub enum Kind {{}}\n{import}"));
        let upward: Vec<_> = found
            .iter()
            .filter(|f| f.contains("stands above"))
            .collect();
        assert_eq!(upward.len(), 1, "{import}: {found:?}");
        assert!(
            upward[0].starts_with("a/src/error/kind.rs:2: `"),
            "{found:?}"
        );
        assert!(
            upward[0].contains("is in a/src/client.rs: `error` may not import from `client`"),
            "{found:?}"
        );
    }
}

#[test]
fn a_layer_in_a_folder_stands_where_the_table_says_and_not_where_its_folder_does() {
    let found = with(
        "bulk/core/mod.rs",
        "use super::run::Run; pub struct Core(Run);",
    );
    assert!(
        found[0].contains("`bulk/core` may not import from `bulk`"),
        "{found:?}"
    );
    assert_eq!(
        with("bulk/core/plan.rs", "use super::Core;"),
        [] as [&str; 0]
    );
}

#[test]
fn what_a_facade_hands_on_is_named_by_the_file_that_defines_it() {
    let found = with("id.rs", "pub struct Id;\nuse crate::error::Kind;");
    assert!(found[0].contains("is in a/src/error/kind.rs"), "{found:?}");
}

#[test]
fn an_import_through_the_roots_re_exports_is_found_and_its_file_is_named() {
    for import in [
        "use crate::Error;",
        "use crate::{id::Id, Error};",
        "use super::Error;",
        "use crate::*;",
        "use crate as all;",
        "fn f() -> crate::Error {}",
        "#[cfg(test)] mod tests { use crate::Error; }",
    ] {
        let found = with("client.rs", &format!("pub struct Client;\n{import}"));
        assert_eq!(found.len(), 1, "{import}: {found:?}");
        assert!(
            found[0].contains("re-exports of the crate's root"),
            "{import}: {found:?}"
        );
        assert!(
            found[0].starts_with("a/src/client.rs:2: "),
            "{import}: {found:?}"
        );
    }
    let found = with("client.rs", "pub struct Client;\nuse crate::Error;");
    assert!(found[0].ends_with("from a/src/error.rs"), "{found:?}");
}

#[test]
fn a_module_of_tests_may_import_from_above() {
    let code = "pub enum Kind {} #[cfg(test)] mod tests { use crate::client::Client; }";
    assert_eq!(with("error/kind.rs", code), [] as [&str; 0]);
    assert_eq!(
        with("error/kind/tests.rs", "use crate::client::Client;"),
        [] as [&str; 0]
    );
    assert_eq!(
        with("error/tests/all.rs", "use crate::client::Client;"),
        [] as [&str; 0]
    );
}

#[test]
fn the_lowest_ids_import_nothing_of_the_crate() {
    let files = [
        ("id.rs", "mod a; use a::X;"),
        ("id/a.rs", "pub struct X;"),
        ("lib.rs", "mod id;"),
    ];
    assert_eq!(shown(&files), [] as [&str; 0]);
    let sources = sources(&[
        ("lib.rs", ""),
        ("id.rs", "use crate::error::E;"),
        ("error.rs", "pub struct E;"),
    ]);
    let above = Layered {
        layers: &["error", "id", "lib"],
        ..LAYERED
    };
    let read = Crate::read(&above, &sources);
    let found: Vec<_> = read.findings(&[]).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "a/src/id.rs:1: `crate::error::E` is in a/src/error.rs: `id` imports nothing of the crate"
        ]
    );
}

#[test]
fn a_file_in_no_layer_is_found() {
    assert_eq!(
        shown(&[("lib.rs", ""), ("odd.rs", "")]),
        ["a/src/odd.rs: is in no layer: move it into one, or name its layer in the table of xtask"]
    );
}

#[test]
fn files_that_import_each_other_are_one_finding_with_every_import_between_them() {
    let files = [
        ("lib.rs", "mod error;"),
        ("error.rs", "mod a; mod b; mod c; pub use a::A;"),
        ("error/a.rs", "use super::b::B;\npub struct A(B);"),
        ("error/b.rs", "pub struct B;\nfn f() { super::c::f(); }"),
        ("error/c.rs", "use super::A;\npub fn f() {}"),
    ];
    assert_eq!(
        shown(&files),
        [
            "a/src/error/a.rs: 3 files import each other in a circle; move what they share into a file below \
             them:\n    \
             a/src/error/a.rs:1 -> a/src/error/b.rs (`super::b::B`)\n    \
             a/src/error/b.rs:2 -> a/src/error/c.rs (`super::c::f`)\n    \
             a/src/error/c.rs:1 -> a/src/error/a.rs (`super::A`)"
        ]
    );
}

#[test]
fn a_facade_that_only_hands_on_is_in_no_circle() {
    let files = [
        ("lib.rs", "mod error;"),
        ("error.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("error/a.rs", "pub struct A;"),
        (
            "error/b.rs",
            "use super::A; use super::*; use crate::error; pub struct B(A, error::A);",
        ),
    ];
    // The glob takes whatever the facade hands on, and that is in `a` or in `b` itself.
    assert_eq!(shown(&files), [] as [&str; 0]);
}

#[test]
fn a_glob_takes_whatever_its_module_hands_on() {
    let files = [
        ("lib.rs", "mod error;"),
        ("error.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("error/a.rs", "use super::*; pub struct A(B);"),
        ("error/b.rs", "use super::A; pub struct B(Box<A>);"),
    ];
    assert!(shown(&files)[0].starts_with("a/src/error/a.rs: 2 files"));
}

#[test]
fn a_facade_that_defines_what_its_modules_use_is_in_a_circle() {
    for import in [
        "use super::E;",
        "use super::*;",
        "use crate::error; fn f(e: error::E) {}",
    ] {
        let files = [
            ("lib.rs", "mod error;"),
            ("error.rs", "mod a; pub use a::A; pub struct E;"),
            ("error/a.rs", &format!("{import} pub struct A;")),
        ];
        assert!(shown(&files)[0].contains("2 files"), "{import}");
    }
}

#[test]
fn what_only_tests_import_makes_no_circle() {
    let files = [
        ("lib.rs", "mod error;"),
        (
            "error.rs",
            "mod a; #[cfg(test)] mod help; #[cfg(test)] mod more; pub use a::A; pub struct E;",
        ),
        (
            "error/a.rs",
            "pub struct A; #[cfg(test)] use super::E; #[cfg(test)] mod tests { use super::super::E; }",
        ),
        ("error/help.rs", "use super::more::M; pub struct H;"),
        ("error/more.rs", "use super::help::H; pub struct M;"),
    ];
    assert_eq!(shown(&files), [] as [&str; 0]);
}

#[test]
fn a_pure_layer_has_no_waiting_no_clock_and_no_io() {
    for (code, name) in [
        ("async fn f() {}", "async"),
        ("fn f() { x.await }", "await"),
        ("fn f() { m!(x.await) }", "await"),
        ("use tokio::sync::Mutex;", "tokio"),
        ("use futures_util::Stream;", "futures_util"),
        ("use std::{fmt, io::Read};", "std::io"),
        ("fn f() { std::fs::read(x); }", "std::fs"),
        ("use std::net::*;", "std::net"),
        ("use std::time::{Duration, Instant};", "std::time::Instant"),
        (
            "use std::time; fn f() { time::SystemTime::now(); }",
            "std::time::SystemTime",
        ),
        ("fn f(clock: &dyn Clock) {}", "Clock"),
        ("#[cfg(test)] mod tests { use std::fs; }", "std::fs"),
    ] {
        let found = with("bulk/core/plan.rs", &format!("\n{code}"));
        assert_eq!(found.len(), 1, "{code}: {found:?}");
        let start = format!("a/src/bulk/core/plan.rs:2: `{name}` is not for `bulk/core`");
        assert!(found[0].starts_with(&start), "{code}: {found:?}");
        assert_eq!(with("bulk/dry.rs", code), [] as [&str; 0], "{code}");
    }
}

#[test]
fn time_as_a_number_is_pure() {
    for code in [
        "use std::time::Duration;",
        "/// Not async, no tokio.\nfn f(asynchronous: u8) {}",
    ] {
        assert_eq!(with("bulk/core/plan.rs", code), [] as [&str; 0], "{code}");
    }
}

#[test]
fn a_file_that_is_not_rust_and_a_folder_without_files_are_found() {
    assert!(shown(&[("lib.rs", "fn {")])[0].starts_with("a/src/lib.rs:1: is not Rust"));
    assert!(shown(&[]).contains(&"a/src: has no Rust file: mend the table of layers".to_owned()));
}

#[test]
fn the_summary_counts_files_and_circles() {
    let sources = sources(&[
        ("lib.rs", "mod error;"),
        ("error.rs", "mod a; use a::A; pub struct E(A);"),
        ("error/a.rs", "use super::E; pub struct A(Box<E>);"),
    ]);
    let read = Crate::read(&LAYERED, &sources);
    assert_eq!(
        read.summary(&read.circles()),
        "layers of a/src: 3 files, 1 circle (of 2 files)"
    );
    assert_eq!(read.summary(&[]), "layers of a/src: 3 files, 0 circles");
}

#[test]
fn each_rule_is_about_a_layer_that_the_table_has() {
    for layered in CRATES {
        for layer in layered.alone.iter().chain(layered.pure) {
            assert!(layered.layers.contains(layer), "{layer}");
        }
    }
}
