//! The rules that one file keeps or breaks by itself.

use super::{Finding, Source};

/// The longest Rust file that one still reads in a sitting, in lines.
const LONGEST: usize = 500;

/// Macros for code that is not done.
const UNFINISHED: [&str; 3] = ["todo", "unimplemented", "dbg"];

// The next constants are pieced together so that this file does not break the rules it states.

/// The attribute that hides a failing test.
const IGNORED: &str = concat!("#[", "ignore");

/// The prefix that says nothing which the attribute above it does not say.
const TEST_PREFIX: &str = concat!("fn ", "test_");

/// Directories at the root of somebody's machine.
const MACHINE_ROOTS: [&str; 5] = ["work", "root", "tmp", "home", "Users"];

/// What points outside the repository.
const OUTSIDE: &str = concat!("../", "shared");

pub(super) fn findings(source: &Source) -> Vec<Finding> {
    let mut findings = machine_paths(source);
    if source.path.ends_with(".rs") {
        findings.extend(module_docs(source));
        findings.extend(length(source));
        findings.extend(unfinished(source));
        findings.extend(prefixed_tests(source));
    }
    findings
}

/// A module opens with a line that says what it is for, or with the text that does.
fn module_docs(source: &Source) -> Option<Finding> {
    let first = source.text.lines().next().unwrap_or_default();
    let documented = first.starts_with("#![doc = include_str!(")
        || first
            .strip_prefix("//!")
            .is_some_and(|text| !text.trim().is_empty());
    let what = "a module opens with `//!` and what it is for";
    (!documented).then(|| Finding::at(&source.path, 1, what))
}

/// A file is short enough to be read in a sitting.
fn length(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    (lines > LONGEST).then(|| {
        Finding::in_file(
            &source.path,
            format!("{lines} lines; at most {LONGEST} can be read in a sitting"),
        )
    })
}

/// No code is left for later, and no test is switched off.
fn unfinished(source: &Source) -> Vec<Finding> {
    let markers = UNFINISHED
        .map(|name| format!("{name}!"))
        .into_iter()
        .chain([IGNORED.to_owned()]);
    let found = markers.flat_map(|marker| {
        let lines: Vec<_> = lines_with(source, |line| has_word(line, &marker)).collect();
        lines.into_iter().map(move |line| (line, marker.clone()))
    });
    found
        .map(|(line, marker)| {
            Finding::at(
                &source.path,
                line,
                format!("`{marker}` is not for committed code"),
            )
        })
        .collect()
}

/// A test is named by the law that it holds the code to.
fn prefixed_tests(source: &Source) -> Vec<Finding> {
    lines_with(source, |line| has_word(line, TEST_PREFIX))
        .map(|line| {
            Finding::at(
                &source.path,
                line,
                "a test is named by the law it checks, without the prefix `test`",
            )
        })
        .collect()
}

/// Nothing depends on how one machine is set up.
fn machine_paths(source: &Source) -> Vec<Finding> {
    let roots = MACHINE_ROOTS.map(|root| format!("/{root}/"));
    let foreign =
        |line: &str| line.contains(OUTSIDE) || roots.iter().any(|root| has_absolute(line, root));
    lines_with(source, foreign)
        .map(|line| Finding::at(&source.path, line, "a path of somebody's machine"))
        .collect()
}

/// The numbers of the lines, from 1, for which `wanted` holds.
fn lines_with(source: &Source, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
    source
        .text
        .lines()
        .zip(1..)
        .filter(move |(line, _)| wanted(line))
        .map(|(_, number)| number)
}

/// Whether `word` is in the line, and not as the end of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    follows(line, word, |before| {
        !before.is_alphanumeric() && before != '_'
    })
}

/// Whether an absolute path in the line begins with `root`: `https://host/root/` does not count, nor does `$DIR/root/`.
fn has_absolute(line: &str, root: &str) -> bool {
    follows(line, root, |before| {
        !before.is_alphanumeric() && !"_.-/~}*".contains(before)
    })
}

/// Whether `text` is in the line, at its start or after a character that fits.
fn follows(line: &str, text: &str, fits: impl Fn(char) -> bool) -> bool {
    line.match_indices(text).any(|(at, _)| {
        line.get(..at)
            .and_then(|before| before.chars().next_back())
            .is_none_or(&fits)
    })
}

#[cfg(test)]
mod tests {
    use super::{
        Finding, IGNORED, LONGEST, MACHINE_ROOTS, OUTSIDE, Source, TEST_PREFIX, UNFINISHED,
        findings, length, machine_paths, module_docs, prefixed_tests, unfinished,
    };

    fn rust(text: impl Into<String>) -> Source {
        Source {
            path: "src/a.rs".to_owned(),
            text: text.into(),
        }
    }

    fn lines(findings: &[Finding]) -> Vec<usize> {
        findings.iter().filter_map(|finding| finding.line).collect()
    }

    #[test]
    fn a_module_without_a_purpose_is_found() {
        for text in [
            "//! Plans.\n\nmod b;\n",
            "#![doc = include_str!(\"../README.md\")]\n",
        ] {
            assert!(module_docs(&rust(text)).is_none(), "{text:?}");
        }
        for text in ["", "mod b;\n", "//!\n", "// Plans.\n", "\n//! Plans.\n"] {
            assert!(module_docs(&rust(text)).is_some(), "{text:?}");
        }
    }

    #[test]
    fn a_file_one_line_too_long_is_found() {
        assert!(length(&rust("x\n".repeat(LONGEST))).is_none());
        assert!(length(&rust("x\n".repeat(LONGEST + 1))).is_some());
    }

    #[test]
    fn unfinished_code_is_found_where_it_is() {
        for name in UNFINISHED {
            let text = format!(
                "//! A.\nfn a() {{\n    {name}!();\n    my_{name}!();\n    {name}(1);\n}}\n"
            );
            assert_eq!(lines(&unfinished(&rust(text))), [3], "{name}");
        }
    }

    #[test]
    fn a_test_that_is_switched_off_is_found_with_and_without_a_reason() {
        let text = format!("{IGNORED}]\n{IGNORED} = \"slow\"]\n#[test]\n");
        assert_eq!(lines(&unfinished(&rust(text))), [1, 2]);
    }

    #[test]
    fn a_test_named_by_the_prefix_is_found() {
        let text = format!(
            "{TEST_PREFIX}it() {{\n    async {TEST_PREFIX}it() {{\nfn a_test_holds() {{\nfn tested() {{\n"
        );
        assert_eq!(lines(&prefixed_tests(&rust(text))), [1, 2]);
    }

    #[test]
    fn a_path_of_somebodys_machine_is_found_in_any_file() {
        for root in MACHINE_ROOTS {
            let text = format!("a\n/{root}/a\n see `/{root}/a`\n");
            let readme = Source {
                path: "README.md".to_owned(),
                text,
            };
            assert_eq!(lines(&findings(&readme)), [2, 3], "{root}");
        }
        assert_eq!(
            lines(&machine_paths(&rust(format!("see {OUTSIDE}/a")))),
            [1]
        );
    }

    #[test]
    fn an_address_and_a_relative_path_belong_to_no_machine() {
        for root in MACHINE_ROOTS {
            for before in [
                "https://example.org",
                ".",
                "..",
                "$DIR",
                "${DIR}",
                "~",
                "a-",
            ] {
                assert_eq!(
                    machine_paths(&rust(format!("{before}/{root}/a"))),
                    [],
                    "{before}"
                );
            }
        }
    }

    #[test]
    fn rules_about_rust_leave_other_files_alone() {
        let notes = Source {
            path: "notes.md".to_owned(),
            text: "x\n".repeat(LONGEST + 1),
        };
        assert_eq!(findings(&notes), []);
        assert_eq!(findings(&rust("x\n".repeat(LONGEST + 1))).len(), 2);
    }
}
