//! The audit of a run: what the operator does is recorded before it is done.

use greentic_session::audit::{Act, Audit, AuditEntry, FileAudit};

use crate::args::Common;
use crate::error::{Exit, Failure, Outcome};

/// The audit that the operator named, if any.
pub struct Trail(Option<Named>);

struct Named {
    file: FileAudit,
    actor: String,
}

impl Trail {
    /// Opens the file of `--audit`.
    pub fn new(common: &Common) -> Outcome<Self> {
        let Some(path) = &common.audit else {
            return Ok(Self(None));
        };
        let actor = common.actor.clone().or_else(system_user);
        let actor = actor.ok_or_else(|| {
            Failure::usage("the system user has no name; name who acts with --actor")
        })?;
        let file = FileAudit::open(path).map_err(unwritten)?;
        Ok(Self(Some(Named { file, actor })))
    }

    /// Records an act on a store. `limit` says on what part of it. If it fails, the command ends.
    pub fn record(
        &self,
        act: Act,
        store: &str,
        limit: impl FnOnce(AuditEntry) -> AuditEntry,
    ) -> Outcome {
        let Some(named) = &self.0 else {
            return Ok(());
        };
        let entry = limit(AuditEntry::new(&named.actor, act, store)?);
        named.file.record(&entry).map_err(unwritten)
    }
}

fn unwritten(error: greentic_session::GreenticError) -> Failure {
    Failure::new(Exit::Failed, error.message)
}

/// The name of the user that runs the program, as the environment says; on Linux with its number, as
/// the system says.
fn system_user() -> Option<String> {
    let names = ["USER", "LOGNAME", "USERNAME"].into_iter();
    let mut names = names.filter_map(|name| std::env::var(name).ok());
    let name = names.find(|name| !name.is_empty());
    match (name, number()) {
        (Some(name), Some(number)) => Some(format!("{name} (uid {number})")),
        (Some(name), None) => Some(name),
        (None, Some(number)) => Some(format!("uid {number}")),
        (None, None) => None,
    }
}

#[cfg(target_os = "linux")]
fn number() -> Option<u32> {
    let process = std::fs::metadata("/proc/self").ok()?;
    Some(std::os::unix::fs::MetadataExt::uid(&process))
}

#[cfg(not(target_os = "linux"))]
const fn number() -> Option<u32> {
    None
}
