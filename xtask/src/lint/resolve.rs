//! Which file a path leads to.

use crate::lint::source::{ModuleId, Source};

// A chain of re-exports is no longer; a circle of `use` items would have no end.
const STEPS: usize = 32;

/// Where a path, or the first part of one, leads.
#[derive(Clone, Copy)]
struct Found {
    module: ModuleId,
    /// Whether it is the module itself, not an item in it.
    is_module: bool,
}

impl Source {
    /// The module that a path leads to, or the one that defines its item. A re-exported item is
    /// where its definition is. A name that its module does not show, such as one that a macro
    /// makes, is taken to be in that module. None for other crates.
    pub fn resolve(&self, from: ModuleId, path: &[String]) -> Option<ModuleId> {
        self.follow(from, path, STEPS).map(|found| found.module)
    }

    fn follow(&self, from: ModuleId, path: &[String], steps: usize) -> Option<Found> {
        let (first, rest) = path.split_first()?;
        let mut found = match first.as_str() {
            "crate" => Found::module(0),
            "self" => Found::module(from),
            "super" => Found::module(self.modules[from].parent?),
            name => self.look_up(from, name, steps)?,
        };
        for name in rest {
            if !found.is_module {
                break;
            }
            if name == "super" {
                found = Found::module(self.modules[found.module].parent?);
                continue;
            }
            match self.look_up(found.module, name, steps) {
                Some(next) => found = next,
                None => found.is_module = false,
            }
        }
        Some(found)
    }

    // What a name means in a module.
    fn look_up(&self, id: ModuleId, name: &str, steps: usize) -> Option<Found> {
        let steps = steps.checked_sub(1)?;
        let module = &self.modules[id];
        if let Some(child) = module.children.get(name) {
            return Some(Found::module(*child));
        }
        if module.items.contains(name) {
            return Some(Found {
                module: id,
                is_module: false,
            });
        }
        let mut named = module.uses.iter();
        let named = named.find(|item| item.name.as_deref() == Some(name));
        if let Some(item) = named {
            return self.follow(id, &item.path, steps);
        }
        let globs = module.uses.iter().filter(|item| item.name.is_none());
        globs
            .filter_map(|glob| self.follow(id, &glob.path, steps))
            .filter(|target| target.is_module)
            .find_map(|target| self.look_up(target.module, name, steps))
    }
}

impl Found {
    fn module(module: ModuleId) -> Self {
        Self {
            module,
            is_module: true,
        }
    }
}
