//! What one file defines and imports, read from its syntax: `use`, paths in the code, and paths inside of macros.
//!
//! Code that the build script writes is not read, since it is not in the repository.

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, UseTree, VisRestricted};

use super::tokens;
use super::tree::{Module, Path, Tree};
use crate::tidy::syntax::{attributes, impl_attributes, is_test_only};

/// A path that a file uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The index of the file that it is in.
    pub(super) file: usize,
    /// From 1.
    pub(super) line: usize,
    /// The module that it is in.
    pub(super) module: Path,
    /// The path as written.
    pub(super) written: Path,
    pub(super) kind: Kind,
    /// Whether it stands under `#[cfg(test)]`.
    pub(super) is_test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Use,
    Glob,
    /// In the code, without `use`.
    Inline,
}

/// Adds the modules of a file to the tree, and returns its imports.
pub(super) fn read(tree: &mut Tree, file: usize, module: Path, syntax: &syn::File) -> Vec<Import> {
    let mut reader = Reader {
        tree,
        file,
        module: module.clone(),
        is_test: false,
        imports: Vec::new(),
    };
    if syntax.attrs.iter().any(is_test_only) {
        reader.tree.test_only.insert(module);
    }
    reader.declare(&syntax.items);
    reader.visit_file(syntax);
    reader.imports
}

struct Reader<'a> {
    tree: &'a mut Tree,
    file: usize,
    module: Path,
    is_test: bool,
    imports: Vec<Import>,
}

impl Reader<'_> {
    /// Notes what the current module defines.
    fn declare(&mut self, items: &[Item]) {
        let module = self.current();
        module.items.extend(items.iter().filter_map(defined));
    }

    fn current(&mut self) -> &mut Module {
        let file = self.file;
        let new = || Module {
            file,
            ..Module::default()
        };
        self.tree
            .modules
            .entry(self.module.clone())
            .or_insert_with(new)
    }

    fn add(&mut self, line: usize, written: Path, kind: Kind) {
        self.imports.push(Import {
            file: self.file,
            line,
            module: self.module.clone(),
            written,
            kind,
            is_test: self.is_test,
        });
    }

    fn inline(&mut self, found: Vec<tokens::Found>) {
        for found in found {
            self.add(found.line, found.path, Kind::Inline);
        }
    }

    /// Each leaf of a `use`, with the name that it binds.
    fn leaves(&mut self, before: &[String], tree: &UseTree) {
        let join = |name: String| before.iter().cloned().chain([name]).collect::<Path>();
        match tree {
            UseTree::Path(path) => self.leaves(&join(path.ident.to_string()), &path.tree),
            UseTree::Name(leaf) => {
                let (line, name) = (leaf.ident.span().start().line, leaf.ident.to_string());
                let written = if name == "self" {
                    before.to_vec()
                } else {
                    join(name)
                };
                self.bind(line, written.last().cloned(), written);
            }
            UseTree::Rename(leaf) => {
                let (line, name) = (leaf.ident.span().start().line, leaf.ident.to_string());
                let written = if name == "self" && !before.is_empty() {
                    before.to_vec()
                } else {
                    join(name)
                };
                self.bind(line, Some(leaf.rename.to_string()), written);
            }
            UseTree::Glob(glob) => {
                let line = glob.star_token.spans[0].start().line;
                self.current().globs.push(before.to_vec());
                self.add(line, before.to_vec(), Kind::Glob);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.leaves(before, tree);
                }
            }
        }
    }

    fn bind(&mut self, line: usize, name: Option<String>, written: Path) {
        if let Some(name) = name.filter(|name| name != "_") {
            self.current().names.insert(name, written.clone());
        }
        self.add(line, written, Kind::Use);
    }

    /// Runs `visit` with what it sees counted as test code if one of the attributes says so.
    fn under(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test |= attributes.iter().any(is_test_only);
        visit(self);
        self.is_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        self.under(attributes(item), |reader| visit::visit_item(reader, item));
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        self.under(impl_attributes(item), |reader| {
            visit::visit_impl_item(reader, item);
        });
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        if self.is_test {
            self.tree.test_only.insert(self.module.clone());
        }
        if let Some((_, items)) = &item.content {
            self.declare(items);
            visit::visit_item_mod(self, item);
        }
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.leaves(&[], &item.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        let names: Path = names.collect();
        if let (Some(first), None, true) =
            (path.segments.first(), path.leading_colon, names.len() > 1)
        {
            self.add(first.ident.span().start().line, names, Kind::Inline);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.inline(tokens::paths(call.tokens.clone()));
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.inline(tokens::paths(list.tokens.clone()));
            // `#[serde(with = "crate::text::lossy")]`: a path in a string.
            if list.path.is_ident("serde") {
                self.inline(tokens::paths_in_strings(list.tokens.clone()));
            }
        }
    }

    /// `pub(in crate::bulk)` opens a door and takes nothing in.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

/// The name that an item has.
fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Import, Kind, Tree, read};

    fn imports(code: &str) -> Vec<Import> {
        let syntax = syn::parse_file(code).expect("the code is Rust");
        read(&mut Tree::default(), 0, vec!["a".to_owned()], &syntax)
    }

    fn written(code: &str) -> Vec<String> {
        let imports = imports(code).into_iter();
        imports.map(|import| import.written.join("::")).collect()
    }

    #[test]
    fn every_leaf_of_a_use_is_an_import_of_its_own() {
        let code = "use crate::{\n  a::{self, B as C, d::*},\n  super_::E as _,\n};";
        let found: Vec<_> = imports(code)
            .into_iter()
            .map(|import| (import.line, import.written.join("::"), import.kind))
            .collect();
        let expected = [
            (2, "crate::a", Kind::Use),
            (2, "crate::a::B", Kind::Use),
            (2, "crate::a::d", Kind::Glob),
            (3, "crate::super_::E", Kind::Use),
        ];
        assert_eq!(
            found,
            expected.map(|(line, path, kind)| (line, path.to_owned(), kind))
        );
    }

    #[test]
    fn a_path_is_found_wherever_code_may_have_one() {
        for code in [
            "fn f(x: crate::b::X) {}",
            "fn f() -> Vec<crate::b::X> { g() }",
            "fn f() { let _ = crate::b::X; }",
            "fn f() { match g() { crate::b::X => {} } }",
            "fn f() { crate::b::X!(); }",
            "fn f() { println!(\"{}\", crate::b::X); }",
            "fn f() { a!({ b!([crate::b::X]) }); }",
            "macro_rules! m { () => { $crate::b::X }; }",
            "macro_rules! m { () => { use crate::b::{X}; }; }",
            "#[derive(crate::b::X)] struct S;",
            "#[serde(with = \"crate::b::X\")] struct S;",
            "impl crate::b::X for S {}",
            "const N: usize = size_of::<crate::b::X>();",
        ] {
            assert!(written(code).contains(&"crate::b::X".to_owned()), "{code}");
        }
    }

    #[test]
    fn who_may_see_an_item_is_no_import() {
        for code in [
            "pub(in crate::b) struct S;",
            "m! { pub(in crate::b) struct S; pub(crate) fn f() {} }",
            "/// See [`crate::b::X`].\nstruct S;",
            "fn f() { a.b::<C>(); let crate_ = 1; }",
        ] {
            assert!(
                !written(code).iter().any(|path| path.starts_with("crate")),
                "{code}"
            );
        }
    }

    #[test]
    fn code_for_tests_is_known_by_its_attribute() {
        for (attribute, is_test) in [
            ("#[cfg(test)]", true),
            ("#[cfg(all(test, unix))]", true),
            ("#[test]", true),
            ("#[tokio::test]", true),
            ("#[cfg(any(test, unix))]", false),
            ("#[cfg(not(test))]", false),
            ("#[inline]", false),
        ] {
            let code =
                format!("{attribute}\nfn f() {{ crate::b::x(); }}\nfn g() {{ crate::c::y(); }}");
            let found: Vec<_> = imports(&code)
                .into_iter()
                .filter(|import| import.written.first().is_some_and(|first| first == "crate"))
                .map(|import| import.is_test)
                .collect();
            assert_eq!(found, [is_test, false], "{attribute}");
        }
    }

    #[test]
    fn a_module_in_a_file_is_a_place_of_its_own() {
        let code = "mod b { use super::C; struct F; #[cfg(test)] mod d; } struct E;";
        let syntax = syn::parse_file(code).expect("the code is Rust");
        let mut tree = Tree::default();
        let imports = read(&mut tree, 0, vec!["a".to_owned()], &syntax);
        let path = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(imports[0].module, path(&["a", "b"]));
        let items = |names: &[&str]| {
            tree.modules[&path(names)]
                .items
                .iter()
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (items(&["a"]), items(&["a", "b"])),
            (path(&["E"]), path(&["F"]))
        );
        assert!(tree.is_test(&path(&["a", "b", "d"])));
        assert!(!tree.is_test(&path(&["a", "b"])));
    }
}
