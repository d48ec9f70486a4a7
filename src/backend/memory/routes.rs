//! The waits of an owner, in order of registration and by scope.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::keys::KeyHash;
use crate::scope::ScopeDigest;

/// Up to this many waits are a list that is searched from end to end.
const LISTED_TO: usize = 32;

/// One wait. Routes sort by order; imported waits may have equal orders.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    pub order: u64,
    pub key: KeyHash,
}

/// Most owners have at most one wait, so that case is the most compact one: its scope is only in the
/// session. Of many waits each is added and removed in a few steps, however many there are.
#[derive(Default)]
pub enum Routes {
    #[default]
    None,
    One(Route),
    /// At least two waits, in order.
    Few(Vec<(Route, ScopeDigest)>),
    Many(Box<ManyRoutes>),
}

impl Routes {
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    pub fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Few(few) => few.len(),
            Self::Many(many) => many.by_order.len(),
        }
    }

    /// Returns the next `limit` waits in order.
    pub fn after(&self, after: Option<Route>, limit: usize) -> Vec<Route> {
        let is_next = |route: &Route| after.is_none_or(|after| *route > after);
        match self {
            Self::None => Vec::new(),
            Self::One(route) => Some(*route).into_iter().filter(is_next).collect(),
            Self::Few(few) => {
                let routes = few.iter().map(|(route, _)| *route);
                routes.filter(is_next).take(limit).collect()
            }
            Self::Many(many) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let routes = many.by_order.range((from, Bound::Unbounded));
                routes.map(|(route, _)| *route).take(limit).collect()
            }
        }
    }

    /// Returns the only wait that can have this scope. The caller checks its session.
    pub fn find(&self, scope: &ScopeDigest) -> Option<&Route> {
        match self {
            Self::None => None,
            Self::One(route) => Some(route),
            Self::Few(few) => {
                // The newest first: a displaced wait may still be listed.
                let found = few.iter().rfind(|(_, other)| other == scope);
                found.map(|(route, _)| route)
            }
            Self::Many(many) => many.by_scope.get(scope),
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
                let mut few = vec![(*first, scope_of_first), (route, scope)];
                few.sort_by_key(|(route, _)| *route);
                *self = Self::Few(few);
            }
            Self::Few(few) if few.len() < LISTED_TO => {
                let position = few.partition_point(|(other, _)| *other < route);
                few.insert(position, (route, scope));
            }
            Self::Few(few) => {
                let mut many = ManyRoutes::default();
                for (route, scope) in few.drain(..) {
                    many.insert(route, scope);
                }
                many.insert(route, scope);
                *self = Self::Many(Box::new(many));
            }
            Self::Many(many) => many.insert(route, scope),
        }
    }

    pub fn has(&self, route: Route) -> bool {
        match self {
            Self::None => false,
            Self::One(only) => *only == route,
            Self::Few(few) => few.iter().any(|(other, _)| *other == route),
            Self::Many(many) => many.by_order.contains_key(&route),
        }
    }

    pub fn remove(&mut self, route: Route) {
        match self {
            Self::One(only) if *only == route => *self = Self::None,
            Self::Few(few) => {
                few.retain(|(other, _)| *other != route);
                if let [(last, _)] = few.as_slice() {
                    *self = Self::One(*last);
                }
            }
            Self::Many(many) => {
                many.remove(route);
                // Half, so that a wait that comes and goes does not rebuild the list each time.
                if many.by_order.len() <= LISTED_TO / 2 {
                    *self = Self::Few(std::mem::take(&mut many.by_order).into_iter().collect());
                }
            }
            Self::None | Self::One(_) => {}
        }
    }
}

/// More than a few waits.
#[derive(Default)]
pub struct ManyRoutes {
    by_order: BTreeMap<Route, ScopeDigest>,
    by_scope: BTreeMap<ScopeDigest, Route>,
}

impl ManyRoutes {
    fn insert(&mut self, route: Route, scope: ScopeDigest) {
        self.by_order.insert(route, scope);
        // Also if its order is below that of the wait that it displaces.
        self.by_scope.insert(scope, route);
    }

    fn remove(&mut self, route: Route) {
        let Some(scope) = self.by_order.remove(&route) else {
            return;
        };
        if self.by_scope.get(&scope) == Some(&route) {
            self.by_scope.remove(&scope);
        }
    }
}
