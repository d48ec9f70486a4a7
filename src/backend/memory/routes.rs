//! The waits of an owner, in order of registration and by scope.

use std::collections::HashMap;

use super::keys::KeyHash;
use crate::scope::ScopeDigest;

/// From this many waits on, scopes are found by an index instead of a linear search.
const INDEXED_FROM: usize = 32;

/// One wait. Routes sort by order; imported waits may have equal orders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub order: u64,
    pub key: KeyHash,
}

/// Most owners have at most one wait, so that case is the most compact one: its scope is only in the
/// session.
#[derive(Default)]
pub enum Routes {
    #[default]
    None,
    One(Route),
    Many(Box<ManyRoutes>),
}

impl Routes {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub fn as_slice(&self) -> &[Route] {
        match self {
            Self::None => &[],
            Self::One(route) => std::slice::from_ref(route),
            Self::Many(many) => &many.by_order,
        }
    }

    /// Returns the only wait that can have this scope. The caller checks its session.
    pub fn find(&self, scope: &ScopeDigest) -> Option<&Route> {
        match self {
            Self::None => None,
            Self::One(route) => Some(route),
            Self::Many(many) => many.find(scope),
        }
    }

    /// Adds a wait at the position of its order, which is the last unless the wait was imported.
    /// `scope_of` returns the scope of the only wait so far.
    pub fn insert(
        &mut self,
        route: Route,
        scope: ScopeDigest,
        scope_of: impl FnOnce(&Route) -> Option<ScopeDigest>,
    ) {
        match self {
            Self::None => *self = Self::One(route),
            Self::One(first) => {
                let Some(scope_of_first) = scope_of(first) else {
                    *self = Self::One(route);
                    return;
                };
                let mut many = ManyRoutes {
                    by_order: Vec::with_capacity(2),
                    scopes: Vec::with_capacity(2),
                    by_scope: None,
                };
                many.insert(*first, scope_of_first);
                many.insert(route, scope);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(route, scope),
        }
    }

    pub fn has(&self, route: Route) -> bool {
        self.as_slice().binary_search(&route).is_ok()
    }

    pub fn remove(&mut self, route: Route) {
        match self {
            Self::One(only) if *only == route => *self = Self::None,
            Self::Many(many) => {
                many.remove(route);
                if let [last] = many.by_order.as_slice() {
                    *self = Self::One(*last);
                }
            }
            Self::None | Self::One(_) => {}
        }
    }
}

/// At least two waits.
pub struct ManyRoutes {
    by_order: Vec<Route>,
    /// The scope of each, in the same order.
    scopes: Vec<ScopeDigest>,
    by_scope: Option<HashMap<ScopeDigest, Route>>,
}

impl ManyRoutes {
    fn find(&self, scope: &ScopeDigest) -> Option<&Route> {
        let position = match &self.by_scope {
            // The newest first: a displaced wait may still be listed.
            None => self.scopes.iter().rposition(|other| other == scope),
            Some(index) => self.position(*index.get(scope)?),
        };
        self.by_order.get(position?)
    }

    fn insert(&mut self, route: Route, scope: ScopeDigest) {
        let position = self.by_order.partition_point(|other| *other < route);
        self.by_order.insert(position, route);
        self.scopes.insert(position, scope);
        if self.by_scope.is_none() && self.by_order.len() >= INDEXED_FROM {
            let routes = self.by_order.iter().copied();
            self.by_scope = Some(self.scopes.iter().copied().zip(routes).collect());
        }
        // Also if its order is below that of the wait that it displaces.
        if let Some(index) = &mut self.by_scope {
            index.insert(scope, route);
        }
    }

    fn remove(&mut self, route: Route) {
        let Some(position) = self.position(route) else {
            return;
        };
        self.by_order.remove(position);
        let scope = self.scopes.remove(position);
        if let Some(index) = &mut self.by_scope
            && index.get(&scope) == Some(&route)
        {
            index.remove(&scope);
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        let waits = self.by_order.len();
        if waits < INDEXED_FROM / 2 {
            self.by_scope = None;
        }
        if self.by_order.capacity() < INDEXED_FROM || waits > self.by_order.capacity() / 4 {
            return;
        }
        self.by_order.shrink_to(waits * 2);
        self.scopes.shrink_to(waits * 2);
        if let Some(index) = &mut self.by_scope {
            index.shrink_to(waits * 2);
        }
    }

    fn position(&self, route: Route) -> Option<usize> {
        self.by_order.binary_search(&route).ok()
    }
}
