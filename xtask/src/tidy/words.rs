//! One word for one thing: the words that the project does not use stand neither in what it documents nor in its names.

mod names;
mod split;
mod vocabulary;

use self::split::Word;
use self::vocabulary::{ALLOWED, Allowed, BANNED, Banned, Scope};
use super::{Finding, Source};

/// The folders of packages that have users.
const PACKAGES: [&str; 3] = ["spec/", "sdk/", "conformance/"];

/// A banned word in a text.
struct Hit<'a> {
    source: &'a Source,
    line: usize,
    /// As it is banned.
    word: &'static str,
    say: &'static str,
    /// The name that it is in; none if it stands in prose.
    name: Option<String>,
}

pub(super) fn findings(sources: &[Source]) -> Vec<Finding> {
    judge(sources, ALLOWED)
}

fn judge(sources: &[Source], allowed: &[Allowed]) -> Vec<Finding> {
    let mut is_used = vec![false; allowed.len()];
    let mut findings = Vec::new();
    for hit in sources.iter().flat_map(hits) {
        let context = hit.context();
        let fits =
            |allowed: &Allowed| allowed.path == hit.source.path && context.contains(allowed.text);
        let mut is_allowed = false;
        for (used, _) in is_used
            .iter_mut()
            .zip(allowed)
            .filter(|(_, allowed)| fits(allowed))
        {
            *used = true;
            is_allowed = true;
        }
        let finding = hit.finding();
        if !is_allowed && !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    let unused = allowed.iter().zip(is_used).filter(|(_, used)| !used);
    findings.extend(unused.map(|(allowed, _)| {
        let Allowed { path, text, reason } = allowed;
        let what = format!(
            "`{text}` is an allowed use ({reason}) that is not there: take it off the list"
        );
        Finding::in_file(path, what)
    }));
    findings
}

impl Hit<'_> {
    /// What an allowance is looked for in.
    fn context(&self) -> String {
        let line = || self.source.text.lines().nth(self.line.saturating_sub(1));
        self.name
            .clone()
            .unwrap_or_else(|| line().unwrap_or_default().to_owned())
    }

    fn finding(&self) -> Finding {
        let (word, say) = (self.word, self.say);
        let what = match &self.name {
            Some(name) => format!("the name `{name}` has `{word}` in it; the project says: {say}"),
            None => format!("`{word}`; the project says: {say}"),
        };
        Finding::at(&self.source.path, self.line, what)
    }
}

/// Every banned word of a file that has users.
fn hits(source: &Source) -> Vec<Hit<'_>> {
    let path = &source.path;
    let lines = || {
        source
            .text
            .lines()
            .zip(1..)
            .map(|(text, line)| (line, text))
    };
    if path.ends_with(".md") {
        let is_read =
            path.ends_with("README.md") || path.starts_with("docs/") || path.contains("/docs/");
        let words = if is_read {
            split::words(lines())
        } else {
            Vec::new()
        };
        return prose(source, &words);
    }
    if !path.ends_with(".rs") || !PACKAGES.iter().any(|package| path.starts_with(package)) {
        return Vec::new();
    }
    let mut hits = file_name(source);
    if !path.contains("/src/") {
        return hits;
    }
    let docs = lines().filter_map(|(line, text)| Some((line, documentation(text)?)));
    hits.extend(prose(source, &split::words(docs)));
    let is_test = path
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs");
    // A file that is not Rust is a finding of another check.
    if let (false, Ok(syntax)) = (is_test, syn::parse_file(&source.text)) {
        for name in names::names(&syntax) {
            hits.extend(name_hits(source, name.line, &name.text));
        }
    }
    hits
}

/// A file is looked for by its name, whatever is in it.
fn file_name(source: &Source) -> Vec<Hit<'_>> {
    let file = source.path.rsplit('/').next().unwrap_or_default();
    name_hits(source, 1, file.trim_end_matches(".rs"))
}

fn name_hits<'a>(source: &'a Source, line: usize, name: &str) -> Vec<Hit<'a>> {
    let words = split::name(line, name);
    let found = |banned| Some((in_name(banned, &words)?, banned.say));
    let found = BANNED.iter().filter_map(found);
    found
        .map(|(word, say)| Hit {
            source,
            line,
            word,
            say,
            name: Some(name.to_owned()),
        })
        .collect()
}

/// The text of a line of documentation.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let comment = line.strip_prefix("//!").or_else(|| {
        line.strip_prefix("///")
            .filter(|text| !text.starts_with('/'))
    });
    comment.or_else(|| {
        let attribute = line
            .strip_prefix("#[")
            .or_else(|| line.strip_prefix("#!["))?;
        attribute.strip_prefix("doc = \"")
    })
}

/// The banned words in prose, and in the names that it mentions.
fn prose<'a>(source: &'a Source, words: &[Word]) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    for banned in BANNED {
        for &phrase in banned.words {
            for at in places(phrase, words) {
                let len = phrase.split(' ').count();
                let Some(found @ [first, ..]) = words.get(at..at + len) else {
                    continue;
                };
                let is_one_name =
                    first.name.is_some() && found.iter().all(|word| word.name == first.name);
                let fits = match banned.scope {
                    Scope::Anywhere => true,
                    Scope::Prose => !is_one_name,
                    Scope::Name => is_one_name,
                    Scope::WholeName => false,
                };
                let is_meant = banned.but.iter().any(|other| {
                    let near = places(other, words).into_iter();
                    let len = other.split(' ').count();
                    near.into_iter()
                        .any(|start| (start..start + len).contains(&at))
                });
                if fits && !is_meant {
                    hits.push(Hit {
                        source,
                        line: first.line,
                        word: phrase,
                        say: banned.say,
                        name: None,
                    });
                }
            }
        }
    }
    hits
}

/// The banned words in a name at its definition.
fn in_name(banned: &Banned, words: &[Word]) -> Option<&'static str> {
    let fits = |phrase: &str| match banned.scope {
        Scope::Anywhere | Scope::Name => !places(phrase, words).is_empty(),
        Scope::WholeName => {
            places(phrase, words) == [0] && words.len() == phrase.split(' ').count()
        }
        Scope::Prose => false,
    };
    banned.words.iter().copied().find(|phrase| fits(phrase))
}

/// Where a phrase begins among the words.
fn places(phrase: &str, words: &[Word]) -> Vec<usize> {
    let phrase: Vec<_> = phrase.split(' ').collect();
    let windows = words.windows(phrase.len()).enumerate();
    windows
        .filter(|(_, window)| {
            window
                .iter()
                .map(|word| word.text.as_str())
                .eq(phrase.iter().copied())
        })
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED, Allowed, BANNED, Source, judge};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    fn shown(path: &str, text: &str) -> Vec<String> {
        let findings = judge(&[source(path, text)], &[]);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_banned_word_in_documentation_is_found_with_the_word_to_use() {
        for text in [
            "//! The\n//! answer.",
            "//! The\n    /// Answer.\nfn f() {}",
            "//! The\n#[doc = \"answer\"]\nfn f() {}",
        ] {
            assert_eq!(
                shown("sdk/src/a.rs", text),
                ["sdk/src/a.rs:2: `answer`; the project says: response, respond"],
                "{text}"
            );
        }
    }

    #[test]
    fn readmes_and_the_folders_of_documentation_are_read_and_other_notes_are_not() {
        for path in ["README.md", "spec/README.md", "docs/a.md", "sdk/docs/a.md"] {
            assert_eq!(shown(path, "It gave\nup.").len(), 1, "{path}");
        }
        for path in [
            "CHANGELOG.md",
            "xtask/src/a.rs",
            "sdk/tests/a.rs",
            "sdk/src/a.txt",
        ] {
            assert_eq!(shown(path, "//! It gave up.\n"), [] as [&str; 0], "{path}");
        }
    }

    #[test]
    fn a_banned_word_is_found_in_each_kind_of_name() {
        for (code, name) in [
            ("pub fn max_answer_bytes() {}", "max_answer_bytes"),
            ("pub struct UnfitToken;", "UnfitToken"),
            ("pub enum E { InDoubt }", "InDoubt"),
            ("pub struct FailedTry;", "FailedTry"),
            (
                "const ID: &str = \"retries/again-by-policy\";",
                "retries/again-by-policy",
            ),
            (
                "#[serde(rename = \"connection_cut\")] struct S;",
                "connection_cut",
            ),
            ("impl S { pub fn clear(&self) {} }", "clear"),
            (
                "#[derive(Parser)] struct S { stop_after: u8 }",
                "stop_after",
            ),
        ] {
            let found = shown("conformance/reference/src/a.rs", code);
            assert_eq!(found.len(), 1, "{code}: {found:?}");
            let start = format!("conformance/reference/src/a.rs:1: the name `{name}` has `");
            assert!(found[0].starts_with(&start), "{code}: {found:?}");
        }
    }

    #[test]
    fn a_banned_word_is_found_in_the_name_of_a_file_also_of_a_test() {
        for path in ["sdk/tests/bulk_pace.rs", "conformance/src/rules/pace.rs"] {
            let shown = shown(path, "");
            assert!(
                matches!(&shown[..], [one] if one.contains("rate limit")),
                "{shown:?}"
            );
        }
        assert!(shown("sdk/tests/bulk_rate_limit.rs", "").is_empty());
        assert!(shown("xtask/src/pace.rs", "").is_empty());
    }

    #[test]
    fn what_only_looks_like_a_banned_word_is_not_found() {
        for text in [
            "/// Entries are retried; a shortcut, paced_ is not it.",
            "/// `TryFrom`, `try_from`, `Sender::try_send` may fail, and so may a `Result`.",
            "/// The `go_by` that is a name.",
            "/// Calls can be told apart. Try it, and clear the cache.",
            "/// It gave. Up it went.",
            "// The answer is private.",
            "fn answer() { let tries = \"an answer, in a text\"; }",
            "pub fn clear_field() {} pub struct Staged;",
            "pub fn try_new() {}",
        ] {
            let text = text.replace("paced_", "pacemaker");
            assert_eq!(shown("sdk/src/a.rs", &text), [] as [&str; 0], "{text}");
        }
    }

    #[test]
    fn a_name_that_prose_mentions_is_read_as_a_name() {
        let found = shown(
            "README.md",
            "Set `max_wait`, see [`TryEnded`]. The max wait is long.",
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn names_in_tests_are_nobodys_business() {
        let code = "pub fn answer() {}";
        assert_eq!(shown("sdk/src/a/tests.rs", code), [] as [&str; 0]);
        assert_eq!(shown("sdk/src/tests/a.rs", code), [] as [&str; 0]);
        assert_eq!(shown("sdk/src/a.rs", code).len(), 1);
    }

    #[test]
    fn an_allowed_use_is_for_its_file_and_its_text_only() {
        let allowed = [Allowed {
            path: "README.md",
            text: "the law of large numbers",
            reason: "a test",
        }];
        let found = |path: &str, text: &str| judge(&[source(path, text)], &allowed).len();
        assert_eq!(found("README.md", "By the law of large numbers."), 0);
        assert_eq!(
            found("README.md", "By the law of large numbers.\nBy law."),
            1
        );
        // The word, and the use that is not there.
        assert_eq!(found("docs/README.md", "By the law of large numbers."), 2);
    }

    #[test]
    fn an_allowed_use_that_is_not_there_is_found() {
        let allowed = [Allowed {
            path: "README.md",
            text: "law",
            reason: "a test",
        }];
        let found = judge(&[source("README.md", "Nothing.")], &allowed);
        assert_eq!(
            found[0].to_string(),
            "README.md: `law` is an allowed use (a test) that is not there: take it off the list"
        );
    }

    #[test]
    fn the_lists_are_written_as_they_are_read() {
        for word in BANNED.iter().flat_map(|banned| banned.words) {
            assert_eq!(word.to_lowercase(), **word);
            assert!(!word.split(' ').any(str::is_empty), "{word}");
        }
        assert!(ALLOWED.iter().all(|allowed| !allowed.reason.is_empty()));
    }
}
