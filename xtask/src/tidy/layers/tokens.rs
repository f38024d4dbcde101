//! Paths among tokens that have no syntax yet, as inside of a macro call.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

use super::tree::Path;

/// A path of more than one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// From 1.
    pub(super) line: usize,
    pub(super) path: Path,
}

/// The paths among the tokens, with those in groups, and with the leaves of each `use` that a macro writes.
pub(super) fn paths(tokens: TokenStream) -> Vec<Found> {
    let mut found = Vec::new();
    scan(tokens, &[], &mut found);
    found
}

/// The paths that the string literals among the tokens consist of, single names too.
pub(super) fn paths_in_strings(tokens: TokenStream) -> Vec<Found> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(paths_in_strings(group.stream())),
            TokenTree::Literal(literal) => {
                let line = literal.span().start().line;
                let text = literal.to_string();
                if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) {
                    let names = path.segments.iter().map(|name| name.ident.to_string());
                    let path = names.collect();
                    found.push(Found { line, path });
                }
            }
            _ => {}
        }
    }
    found
}

/// All names among the tokens, keywords too, each with its line.
pub(super) fn names(tokens: TokenStream) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => found.extend(names(group.stream())),
            TokenTree::Ident(ident) => found.push((ident.span().start().line, ident.to_string())),
            _ => {}
        }
    }
    found
}

/// Adds the paths among the tokens, each of which begins with `before`.
fn scan(tokens: TokenStream, before: &[String], found: &mut Vec<Found>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let ident = match token {
            TokenTree::Ident(ident) => ident,
            TokenTree::Group(group) => {
                scan(group.stream(), before, found);
                continue;
            }
            _ => continue,
        };
        if ident == "pub" && tokens.get(at).is_some_and(restricts) {
            at += 1;
            continue;
        }
        if ident == "as" && !before.is_empty() {
            at += 1;
            continue;
        }
        let is_start = !continues(tokens.get(..at - 1).unwrap_or_default());
        let line = ident.span().start().line;
        let mut path: Path = before.iter().cloned().chain([ident.to_string()]).collect();
        let mut is_leaf = true;
        while let Some(next) = after_separator(&tokens, at) {
            match next {
                TokenTree::Ident(next) => path.push(next.to_string()),
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    scan(group.stream(), &path, found);
                    is_leaf = false;
                }
                _ => break,
            }
            at += 3;
        }
        if path.len() > 1 && is_start && is_leaf {
            found.push(Found { line, path });
        }
    }
}

/// The token behind a `::` that stands at a position.
fn after_separator(tokens: &[TokenTree], at: usize) -> Option<&TokenTree> {
    match tokens.get(at..at + 3)? {
        [TokenTree::Punct(one), TokenTree::Punct(two), next] => {
            let is_separator =
                one.as_char() == ':' && one.spacing() == Spacing::Joint && two.as_char() == ':';
            is_separator.then_some(next)
        }
        _ => None,
    }
}

/// Whether a name behind these tokens is no start of a path: the path began before (`Vec::<u8>::new`, `::std`), or the
/// name is a field or a method.
fn continues(before: &[TokenTree]) -> bool {
    let is = |token: &TokenTree, c: char| matches!(token, TokenTree::Punct(p) if p.as_char() == c);
    match before {
        [.., one, two] if is(one, ':') && is(two, ':') => true,
        [.., one, two] if is(one, '.') && is(two, '.') => false,
        [.., one] => is(one, '.'),
        [] => false,
    }
}

/// Whether the tokens after a `pub` say who may see the item.
fn restricts(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    let mut inside = group.stream().into_iter();
    let first = inside.next().map(|first| first.to_string());
    match first.as_deref() {
        Some("in") => true,
        Some("crate" | "super" | "self") => inside.next().is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{names, paths, paths_in_strings};

    fn found(code: &str) -> Vec<String> {
        let tokens = code.parse().expect("the code is made of tokens");
        let found = paths(tokens).into_iter();
        found.map(|found| found.path.join("::")).collect()
    }

    #[test]
    fn a_path_ends_where_its_names_end() {
        assert_eq!(found("a::b(c::d, e)"), ["a::b", "c::d"]);
        assert_eq!(found("a::<b::c>::d"), ["b::c"]);
        assert_eq!(found("::std::a; x.b::<C>(); 1..a::b"), ["a::b"]);
        assert_eq!(found("a : : b"), [] as [&str; 0]);
    }

    #[test]
    fn the_leaves_of_a_group_begin_with_the_path_before_it() {
        assert_eq!(
            found("use a::{b, c::{d, e}};"),
            ["a::b", "a::c::d", "a::c::e"]
        );
    }

    #[test]
    fn a_string_is_a_path_only_as_a_whole() {
        let tokens = r#"with = "a::b", default = "c", other = "no path", n = 1"#;
        let found = paths_in_strings(tokens.parse().expect("tokens")).into_iter();
        let found: Vec<_> = found.map(|found| found.path.join("::")).collect();
        assert_eq!(found, ["a::b", "c"]);
    }

    #[test]
    fn keywords_are_names_and_words_in_strings_are_not() {
        let tokens = "async {\n x.await }\n\"tokio\"".parse().expect("tokens");
        let expected = [(1, "async"), (2, "x"), (2, "await")];
        assert_eq!(
            names(tokens),
            expected.map(|(line, name)| (line, name.to_owned()))
        );
    }
}
