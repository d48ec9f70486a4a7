//! Repair of a crashed file on opening, and its progress in the log.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher};

use super::run::{NAME, Run, fresh};
use crate::clock::ManualClock;

/// Keeps the fields of all events.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = format!("{field}={value:?}");
        self.0.lock().unwrap().push(line);
    }
}

impl Subscriber for Log {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn repair_reports_its_progress_and_the_file() {
    let (disk, clock) = (fresh(), Arc::new(ManualClock::default()));
    let run = Run::open(&disk, &clock).unwrap();
    run.park("a", "s-1", &"x".repeat(50_000), None).unwrap();
    let crashed = disk.after_crash();
    run.close().unwrap();

    let log = Log::default();
    // tracing caches, per call site, whether any subscriber is interested. With one dispatcher the
    // first thread at a call site decides for all, and other tests have none; with two, every
    // dispatcher is asked.
    let (here, _there) = (Dispatch::new(log.clone()), Dispatch::new(log.clone()));
    let opened = dispatcher::with_default(&here, || Run::open(&crashed, &clock));
    assert!(opened.unwrap().visible().unwrap()[0].contains("50000"));
    let lines = log.0.lock().unwrap();
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(has("percent="), "{lines:?}");
    assert!(has(&format!("path={NAME}")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("xxx")), "C18");
}
