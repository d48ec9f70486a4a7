//! The measured systems.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::workload::{Action, Workload};

/// The reason why a measurement failed.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The role of a system in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Ours,
    Published,
    /// An alternative.
    Peer,
    /// A limit that no store can exceed. Ratios refer to the first one of a case.
    Limit,
}

/// The name of a system, and the difference of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    pub role: Role,
    /// How its work differs from that of this crate; empty if it does not.
    pub note: &'static str,
}

impl Label {
    pub const fn new(name: &'static str, role: Role, note: &'static str) -> Self {
        Self { name, role, note }
    }
}

/// A system whose callers are threads.
pub trait BlockingSystem: Send + Sync {
    /// Stores the population of the workload, and what the action needs of the users.
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure>;
    /// Does the action once at a position of the workload. Each call has a different `number`.
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

/// A separate program, with its own callers and its own clock.
pub trait Program: Send + Sync {
    /// Runs it for about this time, and returns the number of operations and their rate per second.
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

/// The error for an action that a system does not support.
pub fn cannot(action: Action) -> Failure {
    format!("this system does not support {}", action.name()).into()
}

/// The error for something that must exist and does not.
pub fn missing(what: &str) -> Failure {
    format!("{what} is missing").into()
}
