//! The systems that are measured.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::workload::{Action, Workload};

/// Why something could not be measured.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a system is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Ours,
    Published,
    /// What one might pick instead.
    Peer,
    /// What no store can beat. The first one of a case is what ratios are taken of.
    Limit,
}

/// What a system is called, and what it does differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    pub role: Role,
    /// Work that is not the same as ours; empty if it is.
    pub note: &'static str,
}

impl Label {
    pub const fn new(name: &'static str, role: Role, note: &'static str) -> Self {
        Self { name, role, note }
    }
}

/// A system whose callers are threads.
pub trait BlockingSystem: Send + Sync {
    /// Makes the workload's population, and what the action needs of the people.
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure>;
    /// Does the action once at a place of the workload; no two calls share a `number`.
    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure>;
}

/// A system whose callers are tasks.
#[async_trait]
pub trait AsyncSystem: Send + Sync {
    /// See [`BlockingSystem::prepare`].
    async fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure>;
    /// See [`BlockingSystem::act`].
    async fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure>;
}

/// A program of its own, which brings its own callers and its own clock.
pub trait Program: Send + Sync {
    /// Runs it for about so long, and tells how many operations it did, and how many per second.
    fn run(&self, callers: usize, time: Duration) -> Result<(u64, f64), Failure>;
}

/// How a system is called.
#[derive(Clone)]
pub enum System {
    Blocking(Arc<dyn BlockingSystem>),
    Async(Arc<dyn AsyncSystem>),
    Program(Arc<dyn Program>),
}

impl System {
    pub fn blocking(system: impl BlockingSystem + 'static) -> Self {
        Self::Blocking(Arc::new(system))
    }

    pub fn tasks(system: impl AsyncSystem + 'static) -> Self {
        Self::Async(Arc::new(system))
    }
}

/// An action that a system cannot do was asked of it.
pub fn cannot(action: Action) -> Failure {
    format!("this system cannot do {}", action.name()).into()
}

/// Something was not there that must be.
pub fn missing(what: &str) -> Failure {
    format!("{what} was not there").into()
}
