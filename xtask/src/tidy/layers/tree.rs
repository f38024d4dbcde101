//! The module tree of one crate: which file each module is in, and where a path leads.

use std::collections::{BTreeMap, BTreeSet};

/// How many imports of imports are followed. A name that is imported from itself (`use bytes::bytes`) would go on
/// forever.
const DEEPEST: usize = 16;

/// The names of the modules from the crate's root down to one of them, or on to an item.
pub(super) type Path = Vec<String>;

/// The modules of a crate, each under its path.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) modules: BTreeMap<Path, Module>,
    /// Modules declared under `#[cfg(test)]`.
    pub(super) test_only: BTreeSet<Path>,
}

/// A module: a file, or `mod name { … }` in one.
#[derive(Default)]
pub(super) struct Module {
    /// The index of its file.
    pub(super) file: usize,
    /// What is defined in it.
    pub(super) items: BTreeSet<String>,
    /// What is imported into it, by the name it has there, with the path as written.
    pub(super) names: BTreeMap<String, Path>,
    /// Modules imported as a whole, with the path as written.
    pub(super) globs: Vec<Path>,
}

/// Where a path leads once re-exports are followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// An item, in this module.
    Item(Path),
    /// A module itself.
    Module(Path),
}

impl Tree {
    /// The module path of a file, from its path below the crate's source folder.
    pub(super) fn path_of_file(below: &str) -> Path {
        let stem = below.strip_suffix(".rs").unwrap_or(below);
        let mut path: Path = stem.split('/').map(str::to_owned).collect();
        let is_entry = |name: &String| name == "mod" || (path.len() == 1 && name == "lib");
        if path.last().is_some_and(is_entry) {
            path.pop();
        }
        path
    }

    /// Whether a module is compiled for tests only.
    pub(super) fn is_test(&self, path: &[String]) -> bool {
        is_in_tests(path)
            || (1..=path.len()).any(|len| {
                path.get(..len)
                    .is_some_and(|ancestor| self.test_only.contains(ancestor))
            })
    }

    /// The index of the file that a module is in.
    pub(super) fn file_of(&self, path: &[String]) -> Option<usize> {
        self.modules.get(path).map(|module| module.file)
    }

    /// The path from the crate's root that `written` means in a module; none if it leads to another crate.
    pub(super) fn absolute(&self, module: &[String], written: &[String]) -> Option<Path> {
        self.absolute_within(module, written, DEEPEST)
    }

    fn absolute_within(&self, module: &[String], written: &[String], depth: usize) -> Option<Path> {
        let depth = depth.checked_sub(1)?;
        let (first, mut rest) = written.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.to_vec(),
            "super" => parent(module)?,
            name => {
                let child = join(module, &[name.to_owned()]);
                if self.modules.contains_key(&child) {
                    child
                } else {
                    let imported = self.modules.get(module)?.names.get(name)?;
                    self.absolute_within(module, imported, depth)?
                }
            }
        };
        while let Some((again, further)) = rest.split_first().filter(|(next, _)| *next == "super") {
            debug_assert_eq!(again, "super");
            base = parent(&base)?;
            rest = further;
        }
        Some(join(&base, rest))
    }

    /// A path to another crate with its first name replaced by what that name is imported from: `time::Instant` after
    /// `use std::time` is `std::time::Instant`.
    pub(super) fn foreign(&self, module: &[String], written: &[String]) -> Path {
        let Some((first, rest)) = written.split_first() else {
            return Vec::new();
        };
        let imported = self
            .modules
            .get(module)
            .and_then(|module| module.names.get(first));
        match imported {
            Some(imported) if !rest.is_empty() => join(imported, rest),
            _ => written.to_vec(),
        }
    }

    /// The longest beginning of a path that is a module: what the path names before re-exports are followed.
    pub(super) fn module_in(&self, path: &[String]) -> Path {
        (0..=path.len())
            .rev()
            .filter_map(|len| path.get(..len))
            .find(|beginning| self.modules.contains_key(*beginning))
            .unwrap_or_default()
            .to_vec()
    }

    /// Where a path from the root leads.
    pub(super) fn land(&self, path: &[String]) -> Landing {
        self.land_within(path, DEEPEST)
    }

    fn land_within(&self, path: &[String], depth: usize) -> Landing {
        let mut here = Path::new();
        for (at, name) in path.iter().enumerate() {
            let rest = path.get(at + 1..).unwrap_or_default();
            let Some(module) = self.modules.get(&here) else {
                break;
            };
            let child = join(&here, std::slice::from_ref(name));
            let is_imported = module.names.contains_key(name);
            if self.modules.contains_key(&child) && !(rest.is_empty() && is_imported) {
                here = child;
                continue;
            }
            if module.items.contains(name) || depth == 0 {
                return Landing::Item(here);
            }
            return match self.through(&here, module, name) {
                Some(target) => self.land_within(&join(&target, rest), depth - 1),
                None => Landing::Item(here),
            };
        }
        Landing::Module(here)
    }

    /// The path from the root that an imported name of a module stands for.
    fn through(&self, here: &[String], module: &Module, name: &str) -> Option<Path> {
        if let Some(written) = module.names.get(name) {
            return self.absolute(here, written);
        }
        let name = [name.to_owned()];
        module
            .globs
            .iter()
            .filter_map(|written| self.absolute(here, written))
            .filter(|target| target != here)
            .find(|target| {
                self.modules
                    .get(target)
                    .is_some_and(|module| name.iter().all(|name| module.has(name)))
            })
            .map(|target| join(&target, &name))
    }
}

impl Module {
    fn has(&self, name: &str) -> bool {
        self.items.contains(name) || self.names.contains_key(name)
    }
}

/// Whether a module is named `tests`, or stands in one that is.
pub(super) fn is_in_tests(path: &[String]) -> bool {
    path.iter().any(|name| name == "tests")
}

fn parent(path: &[String]) -> Option<Path> {
    path.split_last().map(|(_, parents)| parents.to_vec())
}

fn join(base: &[String], rest: &[String]) -> Path {
    base.iter().chain(rest).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::{Landing, Module, Path, Tree};

    fn path(text: &str) -> Path {
        text.split("::")
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Modules as `(path, items, imports)`, an import as `name = path`, or `*= path` for a glob.
    fn tree(modules: &[(&str, &[&str], &[&str])]) -> Tree {
        let mut tree = Tree::default();
        for (file, (name, items, imports)) in modules.iter().enumerate() {
            let mut module = Module {
                file,
                items: items.iter().map(|item| (*item).to_owned()).collect(),
                ..Module::default()
            };
            for import in *imports {
                match import.split_once(" = ") {
                    Some((name, target)) => {
                        module.names.insert(name.to_owned(), path(target));
                    }
                    None => module.globs.push(path(import.trim_start_matches("*= "))),
                }
            }
            tree.modules.insert(path(name), module);
        }
        tree
    }

    #[test]
    fn a_file_and_a_folder_of_the_same_name_are_the_same_module() {
        for (file, module) in [
            ("lib.rs", ""),
            ("retry.rs", "retry"),
            ("retry/mod.rs", "retry"),
            ("bulk/core/plan.rs", "bulk::core::plan"),
            ("bulk/lib.rs", "bulk::lib"),
        ] {
            assert_eq!(Tree::path_of_file(file), path(module), "{file}");
        }
    }

    #[test]
    fn a_path_is_read_from_where_it_is_written() {
        let tree = tree(&[
            ("", &[], &[]),
            ("a", &[], &["Alias = super::b::Thing", "bytes = bytes"]),
            ("a::c", &[], &[]),
            ("b", &["Thing"], &[]),
        ]);
        for (module, written, expected) in [
            ("a::c", "crate::b::Thing", Some("b::Thing")),
            ("a::c", "super::super::b", Some("b")),
            ("a::c", "self::super::Alias", Some("a::Alias")),
            ("a", "self::c::X", Some("a::c::X")),
            ("a", "c::X", Some("a::c::X")),
            ("a", "Alias::new", Some("b::Thing::new")),
            ("a", "bytes::Bytes", None),
            ("a", "std::fmt", None),
            ("", "super::x", None),
        ] {
            let found = tree.absolute(&path(module), &path(written));
            assert_eq!(found, expected.map(path), "{written} in {module}");
        }
    }

    #[test]
    fn a_name_imported_from_itself_leads_out_of_the_crate() {
        let tree = tree(&[("", &[], &[]), ("a", &[], &["bytes = bytes::bytes"])]);
        assert_eq!(tree.absolute(&path("a"), &path("bytes::Bytes")), None);
    }

    #[test]
    fn a_facade_leads_on_to_the_file_that_defines_the_item() {
        let tree = tree(&[
            ("", &[], &["Thing = b::Thing"]),
            (
                "b",
                &[],
                &["Thing = c::Thing", "*= d", "Out = bytes::Bytes"],
            ),
            ("b::c", &["Thing"], &[]),
            ("b::d", &["Other"], &[]),
        ]);
        for (written, expected) in [
            ("Thing", "b::c"),
            ("b::Thing::new", "b::c"),
            ("b::Other", "b::d"),
            ("b::Out", "b"),
            ("b::unknown", "b"),
        ] {
            assert_eq!(
                tree.land(&path(written)),
                Landing::Item(path(expected)),
                "{written}"
            );
        }
        assert_eq!(tree.land(&path("b::c")), Landing::Module(path("b::c")));
    }

    #[test]
    fn an_item_named_like_its_module_is_the_item_where_it_ends_the_path() {
        let tree = tree(&[
            ("", &[], &[]),
            ("b", &[], &["c = c::c"]),
            ("b::c", &["c", "x"], &[]),
        ]);
        assert_eq!(tree.land(&path("b::c")), Landing::Item(path("b::c")));
        assert_eq!(tree.land(&path("b::c::x")), Landing::Item(path("b::c")));
    }
}
