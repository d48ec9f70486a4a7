//! One step of SCAN: the next names, never by KEYS.

use greentic_types::SessionKey;
use redis::Value;

use super::Connections;
use super::cursor::{Mark, overtaken};
use super::info::run_id;
use super::routing::Route;
use crate::admin::{Progress, ScanCursor};
use crate::backend::redis::admin::walk::Name;
use crate::backend::redis::script::reply::unexpected;
use crate::backend::redis::store::RedisSessionStore;
use crate::error::SessionResult;

/// A page of names.
pub(crate) struct Names {
    pub names: Vec<Name>,
    /// The session keys of pointers, if they were asked for.
    pub pointers: Vec<SessionKey>,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

/// A page of names, as the server tells them: one may come twice.
pub(crate) struct Scanned {
    pub names: Vec<Vec<u8>>,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

/// What one SCAN of a node tells.
pub(crate) struct Step {
    /// Where to go on; 0 after the last.
    pub cursor: u64,
    pub names: Vec<Vec<u8>>,
}

impl Connections {
    /// The next names that match, and where to go on. One SCAN: the server looks at about `limit` keys.
    ///
    /// # Errors
    /// As [`Connections::command_at`]; `Conflict` if names could be missing.
    pub async fn scan(
        &self,
        pattern: &str,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<Scanned> {
        let layout = self.layout().await?;
        let mark = Mark::of(after, &layout)?;
        let node = mark.route(&layout)?;
        let run = match &mark.run {
            Some(run) => run.clone(),
            None => run_id(self, node).await?,
        };
        let Step { cursor, names } = self.scan_at(node, mark.cursor(), pattern, limit).await?;
        if run_id(self, node).await? != run {
            return Err(overtaken());
        }
        if cursor == 0 {
            mark.require(&self.layout().await?)?;
        }
        let next = mark.next(cursor, run, &layout);
        let progress = |next: &Mark| next.progress(layout.masters.len());
        Ok(Scanned {
            names,
            progress: next.as_ref().map_or(Progress::COMPLETE, progress),
            next: next.map(Mark::into_cursor),
        })
    }

    /// The next names of a node, for one who may miss some when slots move.
    ///
    /// # Errors
    /// As [`Connections::command_at`].
    pub async fn scan_at(
        &self,
        node: &Route,
        cursor: u64,
        pattern: &str,
        limit: usize,
    ) -> SessionResult<Step> {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(limit);
        let reply = self.command_at(node, command).await?;
        let (cursor, names) = scanned(reply.value).ok_or_else(unexpected)?;
        Ok(Step { cursor, names })
    }
}

impl RedisSessionStore {
    /// The next names, and where to go on. One SCAN: the server looks at about `limit` keys.
    pub(crate) async fn names(
        &self,
        only: &str,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<Names> {
        self.page(self.homes.pattern(only), after, limit).await
    }

    /// As [`RedisSessionStore::names`], with the pointers.
    pub(crate) async fn all_names(
        &self,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<Names> {
        self.page(self.homes.pattern_of_all(), after, limit).await
    }

    async fn page(
        &self,
        pattern: String,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<Names> {
        let scanned = self.connections.scan(&pattern, after, limit).await?;
        let found = scanned.names.iter();
        let pointers = found.clone();
        let pointers = pointers.filter_map(|name| self.homes.pointer_of(name));
        let mut pointers: Vec<_> = pointers.collect();
        let names = found.filter_map(|name| Name::parse(&self.homes, name));
        let mut names: Vec<_> = names.collect();
        // SCAN may tell a name twice; and one script asks for names of one owner only, where owners
        // are in slots of their own.
        pointers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        pointers.dedup();
        names.sort_by(|one, other| one.place().cmp(&other.place()));
        names.dedup_by(|one, other| one.place() == other.place());
        Ok(Names {
            names,
            pointers,
            progress: scanned.progress,
            next: scanned.next,
        })
    }
}

fn scanned(value: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = value else {
        return None;
    };
    let Ok([Value::BulkString(cursor), Value::Array(names)]) = <[Value; 2]>::try_from(parts) else {
        return None;
    };
    let name = |name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    };
    let names = names.into_iter().map(name).collect::<Option<_>>()?;
    Some((std::str::from_utf8(&cursor).ok()?.parse().ok()?, names))
}
