//! The store to test, with the hooks that the suite needs.

use std::fmt;
use std::sync::Arc;

use super::api::Api;
use super::need::Need;
use super::time::Time;
use crate::async_store::AsyncSessionStore;
use crate::options::{FindByUser, StoreOptions};
use crate::store::SessionStore;

type Reopen = Arc<dyn Fn(&str) -> Subject + Send + Sync>;
type MakeStore = Arc<dyn Fn(StoreOptions) -> Subject + Send + Sync>;
type Count = Arc<dyn Fn() -> usize + Send + Sync>;

/// A store to test. Cheap to clone; clones share the store.
#[derive(Clone)]
pub struct Subject {
    pub(super) blocking: Arc<dyn SessionStore>,
    pub(super) full: Option<Arc<dyn AsyncSessionStore>>,
    pub(super) time: Time,
    pub(super) make: Option<MakeStore>,
    pub(super) leftovers: Option<Count>,
    pub(super) reopen: Option<Reopen>,
    pub(super) find_by_user: FindByUser,
    waived: Vec<(Need, String)>,
}

impl Subject {
    /// A store with the blocking API only: the nine methods.
    pub fn blocking_api(store: Arc<dyn SessionStore>) -> Self {
        Self {
            blocking: store,
            full: None,
            time: Time::Real,
            make: None,
            leftovers: None,
            reopen: None,
            find_by_user: FindByUser::DEFAULT,
            waived: Vec::new(),
        }
    }

    /// A store with both APIs.
    pub fn both_apis<S: SessionStore + AsyncSessionStore>(store: Arc<S>) -> Self {
        let blocking: Arc<dyn SessionStore> = Arc::clone(&store) as _;
        Self {
            full: Some(store),
            ..Self::blocking_api(blocking)
        }
    }

    /// A store with the async API only; its blocking API is [`Blocking`](crate::Blocking).
    pub fn async_api(store: Arc<dyn AsyncSessionStore>) -> Self {
        let blocking = crate::Blocking::from(Arc::clone(&store));
        Self {
            full: Some(store),
            ..Self::blocking_api(Arc::new(blocking))
        }
    }

    /// Sets how time passes for the store. Default: [`Time::Real`].
    #[must_use]
    pub fn time(mut self, time: Time) -> Self {
        self.time = time;
        self
    }

    /// Sets how to make another store with given options, empty and independent of this one.
    #[must_use]
    pub fn with_options(
        mut self,
        make: impl Fn(StoreOptions) -> Self + Send + Sync + 'static,
    ) -> Self {
        self.make = Some(Arc::new(make));
        self
    }

    /// Sets how to count everything that the store holds: sessions, owners, keys, rows (C13).
    ///
    /// A store that leaves the removal of expired data to later writes may do it in this call.
    #[must_use]
    pub fn with_leftovers(mut self, count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.leftovers = Some(Arc::new(count));
        self
    }

    /// Sets how to open the store of a given name. It is empty when it is opened first. Opened
    /// again, after all clones of the first subject are dropped, it holds what it held before. A store
    /// that can keep queues is opened with [`StoreOptions::inbox`](crate::StoreOptions::inbox) set.
    #[must_use]
    pub fn with_reopen(mut self, open: impl Fn(&str) -> Self + Send + Sync + 'static) -> Self {
        self.reopen = Some(Arc::new(open));
        self
    }

    /// Sets which sessions `find_by_user` of the subject returns. Default: [`FindByUser::DEFAULT`],
    /// the default of the stores of this crate.
    #[must_use]
    pub fn find_by_user(mut self, sees: FindByUser) -> Self {
        self.find_by_user = sees;
        self
    }

    /// Waives the cases that need `need`, which the subject does not promise, for this reason.
    #[must_use]
    pub fn without(mut self, need: Need, reason: impl Into<String>) -> Self {
        self.waived.push((need, reason.into()));
        self
    }

    pub(super) fn has(&self, need: Need) -> bool {
        match need {
            Need::AsyncApi => self.full.is_some(),
            // A user may not run the calls of operators; a store can leave methods to their default bodies, and
            // refuse an option.
            Need::AllOperations
            | Need::FencedForms
            | Need::Start
            | Need::Timeouts
            | Need::Inbox => self.full.is_some() && self.waiver(need).is_none(),
            Need::Clock => matches!(self.time, Time::Manual(_)),
            Need::Options => self.make.is_some(),
            Need::Leftovers => self.leftovers.is_some(),
            Need::Reopen => self.reopen.is_some(),
        }
    }

    pub(super) fn waiver(&self, need: Need) -> Option<&str> {
        let found = self.waived.iter().find(|(waived, _)| *waived == need);
        found.map(|(_, reason)| reason.as_str())
    }

    /// The APIs of the subject; a run tests all of them.
    pub(super) fn apis(&self) -> &'static [Api] {
        match self.full {
            Some(_) => &[Api::Blocking, Api::Async],
            None => &[Api::Blocking],
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject")
            .field("full", &self.full.is_some())
            .field("time", &self.time)
            .field("waived", &self.waived)
            .finish_non_exhaustive()
    }
}
