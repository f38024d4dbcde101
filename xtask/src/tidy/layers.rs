//! The layers of a crate: its files import what stands below them, by the path to where it is, and never in a circle.
//!
//! What is proven is about the files of the repository, tests apart where a rule says so. Two things are out of sight:
//! code that a build script writes, and macros that are used by their bare name.

mod circles;
mod imports;
mod packages;
mod purity;
mod tokens;
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use self::imports::{Import, Kind};
use self::tree::{Landing, Path, Tree, is_in_tests};
use super::{Finding, Source};

pub(super) use self::packages::findings as package_findings;

/// A crate with layers.
struct Layered {
    /// The folder of its sources.
    root: &'static str,
    /// Its layers, lowest first. `a/b` is the module `b` in `a`, with all that is in it; `lib` is the root itself. The
    /// longest name that fits a module is its layer, so `a` may stand above `a/b`.
    layers: &'static [&'static str],
    /// Layers that import nothing of the crate.
    alone: &'static [&'static str],
    /// Layers without `async`, clocks and IO.
    pure: &'static [&'static str],
}

const CRATES: &[Layered] = &[Layered {
    root: "sdk/src",
    layers: &[
        "text",
        "spec",
        "id",
        "error",
        "json",
        "model",
        "time",
        "observe",
        "retry",
        "rate_limit",
        "response",
        "http",
        "client",
        "bulk/core",
        "bulk/journal",
        "bulk",
        "lib",
    ],
    alone: &["id"],
    pure: &["bulk/core"],
}];

/// What a look at the layers found.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// One line a crate: how many files it has, and how many circles they make.
    pub(super) summary: Vec<String>,
}

pub(super) fn check(sources: &[Source]) -> Report {
    let mut report = Report::default();
    for layered in CRATES {
        let judged = Crate::read(layered, sources);
        let circles = judged.circles();
        report.summary.push(judged.summary(&circles));
        report.findings.extend(judged.findings(&circles));
    }
    report
}

/// A crate as it is read: its files, its modules, and the imports between them.
struct Crate<'a> {
    layered: &'a Layered,
    files: Vec<File<'a>>,
    tree: Tree,
    imports: Vec<Import>,
    /// Files that are not Rust.
    unparsed: Vec<Finding>,
}

struct File<'a> {
    source: &'a Source,
    module: Path,
}

/// An import of one file by another, outside of tests.
struct Edge<'a> {
    import: &'a Import,
    to: usize,
}

impl<'a> Crate<'a> {
    fn read(layered: &'a Layered, sources: &'a [Source]) -> Self {
        let mut read = Self {
            layered,
            files: Vec::new(),
            tree: Tree::default(),
            imports: Vec::new(),
            unparsed: Vec::new(),
        };
        for source in sources {
            let below = source.path.strip_prefix(layered.root);
            let below = below.and_then(|below| below.strip_prefix('/'));
            let Some(below) = below.filter(|below| below.ends_with(".rs")) else {
                continue;
            };
            let module = Tree::path_of_file(below);
            match syn::parse_file(&source.text) {
                Ok(syntax) => {
                    let file = read.files.len();
                    let imports = imports::read(&mut read.tree, file, module.clone(), &syntax);
                    read.imports.extend(imports);
                    read.files.push(File { source, module });
                }
                Err(error) => {
                    let line = error.span().start().line;
                    let what = format!("is not Rust, so its layer cannot be checked: {error}");
                    read.unparsed.push(Finding::at(&source.path, line, what));
                }
            }
        }
        read
    }

    /// The layer of a module, with its place in the order.
    fn layer(&self, module: &[String]) -> Option<(usize, &'static str)> {
        let fits = |layer: &str| match layer {
            "lib" => module.is_empty(),
            _ => {
                module.len() >= layer.split('/').count()
                    && layer.split('/').zip(module).all(|(a, b)| a == b)
            }
        };
        let layers = self.layered.layers.iter().copied().enumerate();
        layers
            .filter(|(_, layer)| fits(layer))
            .max_by_key(|(_, layer)| layer.split('/').count())
    }

    fn path_of(&self, file: usize) -> &str {
        self.files
            .get(file)
            .map_or("", |file| file.source.path.as_str())
    }

    /// The file that a path leads to in the end.
    fn target(&self, path: &[String]) -> &str {
        let (Landing::Item(module) | Landing::Module(module)) = self.tree.land(path);
        self.tree
            .file_of(&module)
            .map_or(self.layered.root, |file| self.path_of(file))
    }

    fn findings(&self, circles: &[Vec<usize>]) -> Vec<Finding> {
        let mut findings = self.unparsed.clone();
        if self.files.is_empty() {
            let what = "has no Rust file: mend the table of layers";
            findings.push(Finding::in_file(self.layered.root, what));
        }
        for file in &self.files {
            if self.layer(&file.module).is_none() {
                let what =
                    "is in no layer: move it into one, or name its layer in the table of xtask";
                findings.push(Finding::in_file(&file.source.path, what));
            }
        }
        findings.extend(
            self.imports
                .iter()
                .filter_map(|import| self.misplaced(import)),
        );
        findings.extend(circles.iter().map(|circle| self.circle(circle)));
        for (index, file) in self.files.iter().enumerate() {
            let layer = self.layer(&file.module).map(|(_, layer)| layer);
            if let Some(layer) = layer.filter(|layer| self.layered.pure.contains(layer)) {
                let imports = self.imports.iter().filter(|import| import.file == index);
                let imports: Vec<_> = imports.collect();
                findings.extend(purity::findings(layer, file.source, &self.tree, &imports));
            }
        }
        findings
    }

    /// What is wrong with an import by itself.
    fn misplaced(&self, import: &Import) -> Option<Finding> {
        // What a name imported before stands for was judged where it was imported.
        let first = import.written.first()?.as_str();
        if import.kind == Kind::Inline && !matches!(first, "crate" | "self" | "super") {
            return None;
        }
        let path = self.tree.absolute(&import.module, &import.written)?;
        let at = |what| Some(Finding::at(self.path_of(import.file), import.line, what));
        let written = import.written.join("::");
        let target = self.target(&path);
        let is_root = path.first().is_none_or(|first| {
            let first = std::slice::from_ref(first);
            !self.tree.modules.contains_key(first)
        });
        let (here, layer) = self.layer(&import.module)?;
        if is_root && layer != "lib" {
            return at(format!(
                "`{written}` goes through the re-exports of the crate's root: import it by its path, from {target}"
            ));
        }
        if is_in_tests(&import.module) {
            return None;
        }
        let (there, other) = self.layer(&self.tree.module_in(&path))?;
        if there > here {
            return at(format!(
                "`{written}` is in {target}: `{layer}` may not import from `{other}`, which stands above it; move \
                 what both need down, or take it as an argument"
            ));
        }
        let is_alone = self.layered.alone.contains(&layer) && there != here;
        is_alone.then(|| {
            let what =
                format!("`{written}` is in {target}: `{layer}` imports nothing of the crate");
            Finding::at(self.path_of(import.file), import.line, what)
        })
    }

    /// Which files an import takes something from.
    fn imported(&self, import: &Import) -> BTreeSet<usize> {
        let Some(path) = self.tree.absolute(&import.module, &import.written) else {
            return BTreeSet::new();
        };
        let file = |module: &Path| self.tree.file_of(module);
        match (self.tree.land(&path), import.kind) {
            (Landing::Item(module), _) | (Landing::Module(module), Kind::Inline) => {
                file(&module).into_iter().collect()
            }
            // The paths that begin with the module's name say what is taken from it.
            (Landing::Module(_), Kind::Use) => BTreeSet::new(),
            // Any name may be taken: those that are defined there, and those that are handed on.
            (Landing::Module(module), Kind::Glob) => {
                let Some(facade) = self.tree.modules.get(&module) else {
                    return BTreeSet::new();
                };
                let names = facade.names.values();
                let handed_on = names.filter_map(|written| self.tree.absolute(&module, written));
                let files = handed_on.filter_map(|path| match self.tree.land(&path) {
                    Landing::Item(module) => file(&module),
                    Landing::Module(_) => None,
                });
                let own = (!facade.items.is_empty()).then_some(facade.file);
                files.chain(own).collect()
            }
        }
    }

    fn edges(&self) -> Vec<Edge<'_>> {
        let is_test = |import: &Import| import.is_test || self.tree.is_test(&import.module);
        let imports = self.imports.iter().filter(|import| !is_test(import));
        let edges = imports.flat_map(|import| {
            let to = self.imported(import).into_iter();
            to.map(move |to| Edge { import, to })
        });
        edges.filter(|edge| edge.import.file != edge.to).collect()
    }

    fn circles(&self) -> Vec<Vec<usize>> {
        let mut graph: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for edge in self.edges() {
            graph.entry(edge.import.file).or_default().insert(edge.to);
        }
        circles::circles(&graph)
    }

    /// A circle, with an import for each pair of its files.
    fn circle(&self, circle: &[usize]) -> Finding {
        let mut shown = BTreeSet::new();
        let mut lines = String::new();
        for Edge { import, to } in self.edges() {
            let from = import.file;
            if circle.contains(&from) && circle.contains(&to) && shown.insert((from, to)) {
                let (path, target) = (self.path_of(from), self.path_of(to));
                let written = import.written.join("::");
                lines += &format!("\n    {path}:{} -> {target} (`{written}`)", import.line);
            }
        }
        let first = circle.first().map_or("", |&file| self.path_of(file));
        let what = format!(
            "{} files import each other in a circle; move what they share into a file below them:{lines}",
            circle.len()
        );
        Finding::in_file(first, what)
    }

    fn summary(&self, circles: &[Vec<usize>]) -> String {
        let sizes: Vec<_> = circles
            .iter()
            .map(|circle| circle.len().to_string())
            .collect();
        let found = match sizes.as_slice() {
            [] => "0 circles".to_owned(),
            [size] => format!("1 circle (of {size} files)"),
            _ => format!("{} circles (of {} files)", sizes.len(), sizes.join(", ")),
        };
        format!(
            "layers of {}: {} files, {found}",
            self.layered.root,
            self.files.len()
        )
    }
}

#[cfg(test)]
mod tests;
