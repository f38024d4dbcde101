//! The names in a file that its users see: public items, fields, variants and methods, and strings that are names, such
//! as ids of rules, keys of JSON and flags of a command.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Fields, ImplItem, Item, ItemEnum, ItemImpl, ItemStruct, ItemTrait, LitStr, Macro,
    Meta, TraitItem, Visibility,
};

use crate::tidy::syntax::{attributes, impl_attributes, is_test_only};

/// A name, where it is defined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// From 1.
    pub(super) line: usize,
    pub(super) text: String,
}

/// Derives that make fields and variants public as keys, flags or values, whoever may see them in Rust.
const PUBLISHING: [&str; 6] = [
    "Args",
    "Deserialize",
    "Parser",
    "Serialize",
    "Subcommand",
    "ValueEnum",
];

/// The names of a file, tests apart.
pub(super) fn names(syntax: &syn::File) -> Vec<Name> {
    let mut reader = Reader { names: Vec::new() };
    if !syntax.attrs.iter().any(is_test_only) {
        reader.visit_file(syntax);
    }
    reader.names
}

struct Reader {
    names: Vec<Name>,
}

impl Reader {
    fn add(&mut self, ident: &Ident) {
        self.names.push(Name {
            line: ident.span().start().line,
            text: ident.to_string(),
        });
    }

    fn add_if(&mut self, visibility: &Visibility, ident: &Ident) {
        if is_public(visibility) {
            self.add(ident);
        }
    }

    fn fields(&mut self, fields: &Fields, all: bool) {
        for field in fields {
            if let Some(ident) = field
                .ident
                .as_ref()
                .filter(|_| all || is_public(&field.vis))
            {
                self.add(ident);
            }
        }
    }

    fn literal(&mut self, line: usize, text: &str) {
        if is_name(text) {
            let text = text.to_owned();
            self.names.push(Name { line, text });
        }
    }

    /// The strings, and what follows `pub`, among tokens without syntax.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut is_public = false;
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    is_public = false;
                    self.tokens(group.stream());
                }
                TokenTree::Ident(ident) if ident == "pub" => is_public = true,
                TokenTree::Ident(ident) => {
                    let goes_on = [
                        "fn", "struct", "enum", "trait", "type", "const", "static", "mod", "async",
                        "unsafe",
                    ];
                    if is_public && !goes_on.iter().any(|keyword| ident == keyword) {
                        self.add(&ident);
                        is_public = false;
                    }
                }
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    if let Ok(text) = syn::parse_str::<LitStr>(&literal.to_string()) {
                        self.literal(line, &text.value());
                    }
                }
                TokenTree::Punct(_) => is_public = false,
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes(item).iter().any(is_test_only) {
            return;
        }
        match item {
            Item::Const(item) => self.add_if(&item.vis, &item.ident),
            Item::Fn(item) => self.add_if(&item.vis, &item.sig.ident),
            Item::Mod(item) => self.add_if(&item.vis, &item.ident),
            Item::Static(item) => self.add_if(&item.vis, &item.ident),
            Item::Type(item) => self.add_if(&item.vis, &item.ident),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        self.add_if(&item.vis, &item.ident);
        self.fields(&item.fields, is_published(&item.attrs));
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        self.add_if(&item.vis, &item.ident);
        if is_public(&item.vis) || is_published(&item.attrs) {
            for variant in &item.variants {
                self.add(&variant.ident);
                self.fields(&variant.fields, true);
            }
        }
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.add_if(&item.vis, &item.ident);
        for member in item.items.iter().filter(|_| is_public(&item.vis)) {
            match member {
                TraitItem::Const(member) => self.add(&member.ident),
                TraitItem::Fn(member) => self.add(&member.sig.ident),
                TraitItem::Type(member) => self.add(&member.ident),
                _ => {}
            }
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        for member in &item.items {
            match member {
                ImplItem::Const(member) => self.add_if(&member.vis, &member.ident),
                ImplItem::Fn(member) => self.add_if(&member.vis, &member.sig.ident),
                _ => {}
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !impl_attributes(item).iter().any(is_test_only) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        self.add(&rename.rename);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if is_public(&item.vis) {
            visit::visit_item_use(self, item);
        }
    }

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.literal(literal.span().start().line, &literal.value());
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_published(attributes: &[Attribute]) -> bool {
    let derives = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"));
    let derived = derives.filter_map(|attribute| match &attribute.meta {
        Meta::List(list) => Some(list.tokens.clone()),
        _ => None,
    });
    derived.flatten().any(|token| match token {
        TokenTree::Ident(ident) => PUBLISHING.iter().any(|name| ident == name),
        _ => false,
    })
}

/// Whether a whole string is a name, and no text: words without a space, such as `batch-limits/split` or `--dry-run`.
fn is_name(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::names;

    fn found(code: &str) -> Vec<(usize, String)> {
        let syntax = syn::parse_file(code).expect("the code is Rust");
        let names = names(&syntax).into_iter();
        names.map(|name| (name.line, name.text)).collect()
    }

    fn texts(code: &str) -> Vec<String> {
        found(code).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn each_name_that_a_user_sees_is_found() {
        for (code, expected) in [
            ("pub struct A { pub b: u8, c: u8 }", &["A", "b"] as &[&str]),
            ("pub enum A { B, C { d: u8 } }", &["A", "B", "C", "d"]),
            (
                "pub trait A { fn b(); const C: u8; type D; }",
                &["A", "b", "C", "D"],
            ),
            (
                "impl A { pub fn b() {} fn c() {} pub const D: u8 = 0; }",
                &["b", "D"],
            ),
            (
                "pub fn a() {} pub mod b {} pub const C: u8 = 0; pub type D = u8;",
                &["a", "b", "C", "D"],
            ),
            ("pub use a::b as c; use d::e as f;", &["c"]),
            ("#[derive(Serialize)] struct A { b: u8 }", &["b"]),
            (
                "#[derive(clap::Args)] struct A { #[arg(long = \"the-b\")] b: u8 }",
                &["b", "the-b"],
            ),
            (
                "macro_rules! m { () => { pub fn a() {} pub(crate) fn b() {} } }",
                &["a"],
            ),
        ] {
            assert_eq!(texts(code), expected, "{code}");
        }
    }

    #[test]
    fn what_only_the_inside_sees_is_passed_over() {
        for code in [
            "struct A { b: u8 } enum C { D } fn e() {} pub(crate) fn f() {}",
            "impl A for B { fn c() {} }",
            "#[cfg(test)] mod tests { pub fn a() {} const B: &str = \"c\"; }",
            "impl A { #[cfg(test)] pub const B: &str = \"c\"; }",
            "#![cfg(test)] pub fn a() {}",
        ] {
            let names = texts(code);
            let names: Vec<_> = names.iter().filter(|name| *name != "B").collect();
            assert_eq!(names, [] as [&str; 0], "{code}");
        }
    }

    #[test]
    fn a_string_that_is_one_name_is_found_and_a_text_is_not() {
        let code = "fn a() {\n x(\"a-rule/its-name\");\n y!(\"key_of\": \"a text\");\n z(\"{a}\", \"1\", \"\");\n}";
        let expected = [(2, "a-rule/its-name".to_owned()), (3, "key_of".to_owned())];
        assert_eq!(found(code), expected);
    }
}
