//! Values of a label, of which a bounded number are told apart.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use parking_lot::RwLock;

/// The first values have a label of their own, all others `other`.
#[derive(Default)]
pub(super) struct Capped {
    max: usize,
    known: RwLock<HashMap<Box<str>, Arc<str>, RandomState>>,
}

impl Capped {
    pub const fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// The label of a value. None if no labels were chosen, or there is no value.
    pub fn label(&self, value: Option<&str>) -> Option<Arc<str>> {
        let value = value.filter(|_| self.max > 0)?;
        if let Some(label) = self.known.read().get(value) {
            return Some(Arc::clone(label));
        }
        let mut known = self.known.write();
        if known.len() >= self.max && !known.contains_key(value) {
            return Some(Arc::from("other"));
        }
        let label = known.entry(value.into());
        Some(Arc::clone(label.or_insert_with(|| value.into())))
    }
}
