//! Which entry of a directory uses which other one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use crate::lint::source::Source;

/// The entries of the directories under one crate root, and what they import of each other. An
/// entry is a file or a folder; `name.rs` and the folder `name` are one.
///
/// An import between two files counts for the two entries that contain them in the directory that
/// contains both. One between a `mod.rs` and a file below it counts nowhere, nor does one between
/// the crate root and any file.
#[derive(Default)]
pub struct Imports {
    pub directories: BTreeMap<PathBuf, Graph>,
}

/// For each entry of a directory: which others it uses, and where.
pub type Graph = BTreeMap<String, BTreeMap<String, BTreeSet<Import>>>;

/// A place in the source that uses another file.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub file: PathBuf,
    pub line: usize,
    pub path: String,
}

impl Display for Import {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { file, line, path } = self;
        write!(formatter, "{}:{line}: {path}", file.display())
    }
}

impl Imports {
    /// Collects the imports of a crate whose root is in `directory`.
    pub fn collect(source: &Source, directory: &Path) -> Self {
        let mut imports = Self::default();
        for (id, module) in source.modules.iter().enumerate() {
            let uses = module.uses.iter().filter(|item| !item.is_reexport);
            let imported: BTreeSet<_> =
                uses.clone().filter_map(|item| item.name.as_ref()).collect();
            let uses = uses.map(|item| (&item.path, item.line));
            // An imported name alone says no more than its import.
            let mentions = module.mentions.iter().map(|item| (&item.path, item.line));
            let mentions =
                mentions.filter(|(path, _)| path.len() > 1 || !imported.contains(&path[0]));
            for (path, line) in uses.chain(mentions) {
                let Some(target) = source.resolve(id, path) else {
                    continue;
                };
                let import = Import {
                    file: module.file.clone(),
                    line,
                    path: path.join("::"),
                };
                imports.add(directory, import, &source.modules[target].file);
            }
        }
        imports
    }

    fn add(&mut self, root: &Path, import: Import, target: &Path) {
        let user = entries(root, &import.file);
        let used = entries(root, target);
        let common = user.iter().zip(&used).take_while(|(a, b)| a == b).count();
        let (Some(from), Some(to)) = (user.get(common), used.get(common)) else {
            return;
        };
        let directory = user[..common]
            .iter()
            .fold(root.to_owned(), |path, name| path.join(name));
        let graph = self.directories.entry(directory).or_default();
        let uses = graph.entry(from.clone()).or_default();
        uses.entry(to.clone()).or_default().insert(import);
    }
}

// The entries that lead to a file: `a/b/mod.rs` and `a/b.rs` are both `a`, `b`.
fn entries(root: &Path, file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let mut names: Vec<_> = inside
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let is_root = names.len() == 1 && matches!(names[0].as_str(), "lib" | "main");
    if is_root || names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}
