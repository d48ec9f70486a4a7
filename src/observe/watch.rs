//! The observer that a store has, or none.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::{Call, Event, Fact, Observer, Outcome, Place, Verb};
use crate::error::SessionResult;

/// The observer of a store, or none. Without one nothing is measured.
#[derive(Clone, Default)]
pub(crate) struct Watch(Option<Arc<Watched>>);

struct Watched {
    observer: Arc<dyn Observer>,
    has_panicked: AtomicBool,
}

/// When a call began; none if nobody observes it.
#[derive(Clone, Copy)]
pub(crate) struct Begun(Option<Instant>);

impl Watch {
    pub fn by(observer: Arc<dyn Observer>) -> Self {
        Self(Some(Arc::new(Watched {
            observer,
            has_panicked: AtomicBool::new(false),
        })))
    }

    #[inline]
    pub fn begin(&self) -> Begun {
        Begun(self.0.as_ref().map(|_| Instant::now()))
    }

    /// Tells the end of a call.
    #[inline]
    pub fn end<T>(
        &self,
        begun: Begun,
        (backend, verb, place): (&'static str, Verb, Place<'_>),
        result: &SessionResult<T>,
        outcome: impl Fn(&T) -> Outcome,
    ) {
        if let Begun(Some(begun)) = begun {
            let took = begun.elapsed();
            let outcome = match result {
                Ok(value) => outcome(value),
                Err(error) => Outcome::of_error(error),
            };
            self.tell(&Event::Call(Call::new(backend, verb, outcome, took, place)));
        }
    }

    /// Tells a fact, if it happened.
    pub fn fact(&self, backend: &'static str, fact: Fact, count: usize) {
        if self.0.is_some() && count > 0 {
            let count = count as u64;
            self.tell(&Event::Fact {
                backend,
                fact,
                count,
            });
        }
    }

    /// Tells an event. A panic of the observer ends here (C39).
    pub fn tell(&self, event: &Event<'_>) {
        let Some(watched) = &self.0 else { return };
        let told = catch_unwind(AssertUnwindSafe(|| watched.observer.observe(event)));
        if told.is_err() && !watched.has_panicked.swap(true, Ordering::Relaxed) {
            #[cfg(any(feature = "durable", feature = "tracing"))]
            ::tracing::error!("the observer of a session store panicked; its store goes on");
        }
    }
}

#[cfg(any(feature = "durable", feature = "redis"))]
impl Begun {
    /// How long ago that was; none if nobody observes.
    pub fn took(self) -> Option<std::time::Duration> {
        self.0.map(|begun| begun.elapsed())
    }
}

/// Two are equal if they have the same observer, or none.
impl PartialEq for Watch {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(&one.observer, &other.observer),
            _ => false,
        }
    }
}

impl Eq for Watch {}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_set = self.0.is_some();
        f.write_str(if is_set { "set" } else { "none" })
    }
}
