//! What is tested, and what the suite may know of it.

use std::fmt;
use std::sync::Arc;

use super::case::{Face, Need};
use crate::async_store::AsyncSessionStore;
use crate::clock::ManualClock;
use crate::options::StoreOptions;
use crate::store::SessionStore;

/// How a case lets time pass.
#[derive(Clone, Debug)]
pub enum Time {
    /// The store takes its time from this clock, and the case moves it.
    Manual(Arc<ManualClock>),
    /// The store has a clock of its own: the case waits, for short deadlines only.
    Real,
}

type Reopen = Arc<dyn Fn(&str) -> Subject + Send + Sync>;
type MakeStore = Arc<dyn Fn(StoreOptions) -> Subject + Send + Sync>;
type Count = Arc<dyn Fn() -> usize + Send + Sync>;

/// A store to test. Cheap to clone; clones share the store.
#[derive(Clone)]
pub struct Subject {
    pub(super) nine: Arc<dyn SessionStore>,
    pub(super) full: Option<Arc<dyn AsyncSessionStore>>,
    pub(super) time: Time,
    pub(super) make: Option<MakeStore>,
    pub(super) leftovers: Option<Count>,
    pub(super) reopen: Option<Reopen>,
    waived: Vec<(Need, String)>,
}

impl Subject {
    /// A store, or a decorator of one, that has the nine methods only.
    pub fn nine(store: Arc<dyn SessionStore>) -> Self {
        Self {
            nine: store,
            full: None,
            time: Time::Real,
            make: None,
            leftovers: None,
            reopen: None,
            waived: Vec::new(),
        }
    }

    /// A store with both faces.
    pub fn full<S: SessionStore + AsyncSessionStore>(store: Arc<S>) -> Self {
        let nine: Arc<dyn SessionStore> = Arc::clone(&store) as _;
        Self {
            full: Some(store),
            ..Self::nine(nine)
        }
    }

    /// A store with the async face; its blocking face is [`Blocking`](crate::Blocking).
    pub fn asynchronous(store: Arc<dyn AsyncSessionStore>) -> Self {
        let blocking = crate::Blocking::from(Arc::clone(&store));
        Self {
            full: Some(store),
            ..Self::nine(Arc::new(blocking))
        }
    }

    /// Says where the store takes its time from. Default: [`Time::Real`].
    #[must_use]
    pub fn time(mut self, time: Time) -> Self {
        self.time = time;
        self
    }

    /// Says how to make another store, empty and independent of this one, with these options.
    #[must_use]
    pub fn with_options(
        mut self,
        make: impl Fn(StoreOptions) -> Self + Send + Sync + 'static,
    ) -> Self {
        self.make = Some(Arc::new(make));
        self
    }

    /// Says how to count everything that the whole store holds: sessions, owners, keys, rows (C13).
    ///
    /// A store that gives room back by the work of later writers may do that work in the count.
    #[must_use]
    pub fn with_leftovers(mut self, count: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.leftovers = Some(Arc::new(count));
        self
    }

    /// Says how to open the store of a name: at first it is empty, and when it is opened again after
    /// all clones of the first subject are dropped, it holds what the first held.
    #[must_use]
    pub fn with_reopen(mut self, open: impl Fn(&str) -> Self + Send + Sync + 'static) -> Self {
        self.reopen = Some(Arc::new(open));
        self
    }

    /// Says that the subject does not promise something, and why: cases that need it are waived.
    #[must_use]
    pub fn without(mut self, need: Need, reason: impl Into<String>) -> Self {
        self.waived.push((need, reason.into()));
        self
    }

    pub(super) fn has(&self, need: Need) -> bool {
        match need {
            Need::AsyncFace | Need::Verbs => self.full.is_some(),
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

    /// The faces that a run covers: all that the subject has.
    pub(super) fn faces(&self) -> &'static [Face] {
        match self.full {
            Some(_) => &[Face::Blocking, Face::Async],
            None => &[Face::Blocking],
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
