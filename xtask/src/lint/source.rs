//! The modules of one crate, read from its source files.
//!
//! What is read of a module: its child modules, the names that it defines, its `use` items, and
//! the paths that its code names (`crate::a::b()`, `super::X`), in macro calls too.
//!
//! Not read: modules and items under `#[cfg(test)]`, doc comments, attributes (`#[serde(with =
//! "...")]`), and items that a macro makes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, Token, UseTree, Visibility};

/// The position of a module in [`Source::modules`].
pub type ModuleId = usize;

/// The modules of one crate. The first is its root.
#[derive(Default)]
pub struct Source {
    pub modules: Vec<Module>,
}

/// One module, in a file of its own or inside another's.
pub struct Module {
    pub file: PathBuf,
    pub parent: Option<ModuleId>,
    pub children: BTreeMap<String, ModuleId>,
    /// The names of the items defined here.
    pub items: BTreeSet<String>,
    pub uses: Vec<Use>,
    /// The paths in the code.
    pub mentions: Vec<Mention>,
}

/// One name that a `use` item brings in.
pub struct Use {
    /// The name as this module knows it; none for `*`.
    pub name: Option<String>,
    pub path: Vec<String>,
    pub line: usize,
    /// Whether the name can be used from elsewhere (`pub use`, `pub(crate) use`).
    pub is_reexport: bool,
}

/// A path that stands in code.
pub struct Mention {
    pub path: Vec<String>,
    pub line: usize,
}

impl Source {
    /// Reads the crate whose root is this file.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut source = Self::default();
        let directory = root.parent().unwrap_or(Path::new(""));
        source.read_file(root, directory, None)?;
        Ok(source)
    }

    fn read_file(
        &mut self,
        file: &Path,
        children_in: &Path,
        parent: Option<ModuleId>,
    ) -> Result<ModuleId, String> {
        let failure = |reason: String| format!("{}: {reason}", file.display());
        let text = fs::read_to_string(file).map_err(|error| failure(error.to_string()))?;
        let parsed = syn::parse_file(&text).map_err(|error| {
            let line = error.span().start().line;
            format!("{}:{line}: {error}", file.display())
        })?;
        self.add_module(file, children_in, parent, &parsed.items)
    }

    fn add_module(
        &mut self,
        file: &Path,
        children_in: &Path,
        parent: Option<ModuleId>,
        items: &[Item],
    ) -> Result<ModuleId, String> {
        let id = self.modules.len();
        let mut reader = Reader::new(file, parent);
        let items = items.iter().filter(|item| !is_test_only(attributes(item)));
        let (nested, own): (Vec<_>, Vec<_>) = items.partition(|item| matches!(item, Item::Mod(_)));
        for item in own {
            reader.module.items.extend(name(item));
            reader.visit_item(item);
        }
        self.modules.push(reader.module);
        for item in nested {
            let Item::Mod(item) = item else { continue };
            let name = item.ident.to_string();
            let directory = children_in.join(&name);
            let child = match &item.content {
                Some((_, items)) => self.add_module(file, &directory, Some(id), items)?,
                None => {
                    let file = file_of(item, children_in, file)?;
                    self.read_file(&file, &directory, Some(id))?
                }
            };
            self.modules[id].children.insert(name, child);
        }
        Ok(id)
    }
}

// The file of `mod name;`.
fn file_of(item: &syn::ItemMod, directory: &Path, declared_in: &Path) -> Result<PathBuf, String> {
    let candidates = [
        directory.join(format!("{}.rs", item.ident)),
        directory.join(item.ident.to_string()).join("mod.rs"),
    ];
    let found = candidates.into_iter().find(|path| path.is_file());
    let line = item.span().start().line;
    found.ok_or_else(|| {
        let place = declared_in.display();
        format!("{place}:{line}: module {} has no file", item.ident)
    })
}

// Collects the `use` items and paths of one module.
struct Reader {
    module: Module,
}

impl Reader {
    fn new(file: &Path, parent: Option<ModuleId>) -> Self {
        let module = Module {
            file: file.to_owned(),
            parent,
            children: BTreeMap::new(),
            items: BTreeSet::new(),
            uses: Vec::new(),
            mentions: Vec::new(),
        };
        Self { module }
    }

    fn add_use(&mut self, tree: &UseTree, prefix: &[String], is_reexport: bool) {
        let line = tree.span().start().line;
        let mut add = |name: Option<String>, last: Option<String>| {
            let path = prefix.iter().cloned().chain(last).collect();
            self.module.uses.push(Use {
                name,
                path,
                line,
                is_reexport,
            });
        };
        match tree {
            UseTree::Path(path) => {
                let mut prefix = prefix.to_vec();
                prefix.push(path.ident.to_string());
                self.add_use(&path.tree, &prefix, is_reexport);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree, prefix, is_reexport);
                }
            }
            UseTree::Name(item) if item.ident == "self" => add(prefix.last().cloned(), None),
            UseTree::Name(item) => add(Some(item.ident.to_string()), Some(item.ident.to_string())),
            UseTree::Rename(item) if item.ident == "self" => {
                add(Some(item.rename.to_string()), None);
            }
            UseTree::Rename(item) => {
                add(Some(item.rename.to_string()), Some(item.ident.to_string()));
            }
            UseTree::Glob(_) => add(None, None),
        }
    }

    // Macro calls are not parsed: any `a::b::c` in them is taken as a path.
    fn scan_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut line = 0;
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 || path.is_empty() {
                        self.mention(std::mem::take(&mut path), line);
                        line = ident.span().start().line;
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.mention(std::mem::take(&mut path), line);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.scan_tokens(group.stream());
                    }
                }
            }
        }
        self.mention(path, line);
    }

    fn mention(&mut self, path: Vec<String>, line: usize) {
        if !path.is_empty() {
            self.module.mentions.push(Mention { path, line });
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_test_only(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'a syn::ImplItem) {
        let attributes = match item {
            syn::ImplItem::Fn(item) => &item.attrs,
            syn::ImplItem::Const(item) => &item.attrs,
            _ => &Vec::new(),
        };
        if !is_test_only(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if item.leading_colon.is_none() {
            let is_reexport = !matches!(item.vis, Visibility::Inherited);
            self.add_use(&item.tree, &[], is_reexport);
        }
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() {
            let names = path.segments.iter().map(|part| part.ident.to_string());
            self.mention(names.collect(), path.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a syn::Macro) {
        self.scan_tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, _: &'a Attribute) {}

    fn visit_visibility(&mut self, _: &'a Visibility) {}
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args()
                .is_ok_and(|condition| needs_tests(&condition))
    })
}

// Whether a `cfg` condition holds in tests alone.
fn needs_tests(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let Ok(parts) = list.parse_args_with(parse) else {
                return false;
            };
            if list.path.is_ident("all") {
                parts.iter().any(needs_tests)
            } else {
                list.path.is_ident("any") && parts.iter().all(needs_tests)
            }
        }
        Meta::NameValue(_) => false,
    }
}
