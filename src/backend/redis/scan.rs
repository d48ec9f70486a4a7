//! One step of SCAN: the next names, never by KEYS.

use greentic_types::SessionKey;
use redis::Value;

use super::reply::unexpected;
use super::store::RedisSessionStore;
use super::walk::Name;
use crate::admin::{Covered, ScanCursor, unknown_cursor};
use crate::error::SessionResult;

/// Where SCAN goes on: on which node, and there at which cursor.
#[derive(Clone, Copy)]
struct Mark {
    node: usize,
    cursor: u64,
}

impl Mark {
    fn of(cursor: Option<&ScanCursor>) -> SessionResult<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self { node: 0, cursor: 0 });
        };
        let parse = |text: &str| {
            let (node, cursor) = text.strip_prefix('n')?.split_once(':')?;
            Some(Self {
                node: node.parse().ok()?,
                cursor: cursor.parse().ok()?,
            })
        };
        parse(cursor.as_str()).ok_or_else(unknown_cursor)
    }

    /// How much of a walk over so many nodes is behind here. SCAN counts with the bits of its cursor
    /// in reverse order, whatever the size of the table.
    fn covered(self, nodes: usize) -> Covered {
        let within = self.cursor.reverse_bits() as f64 / u64::MAX as f64;
        Covered::part(self.node as f64 + within, nodes as f64)
    }

    fn cursor(self) -> ScanCursor {
        ScanCursor::new(format!("n{}:{}", self.node, self.cursor))
    }
}

/// A page of names.
pub(super) struct Names {
    pub names: Vec<Name>,
    /// The session keys of pointers, if they were asked for.
    pub pointers: Vec<SessionKey>,
    pub covered: Covered,
    pub next: Option<ScanCursor>,
}

impl RedisSessionStore {
    /// The next names, and where to go on. One SCAN: the server looks at about `limit` keys.
    pub(super) async fn names(
        &self,
        only: &str,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<Names> {
        self.page(self.homes.pattern(only), after, limit).await
    }

    /// As [`RedisSessionStore::names`], with the pointers.
    pub(super) async fn all_names(
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
        let mark = Mark::of(after)?;
        let nodes = self.connections.masters().await?;
        let node = nodes.get(mark.node).ok_or_else(unknown_cursor)?;
        let mut command = redis::cmd("SCAN");
        command.arg(mark.cursor).arg("MATCH").arg(pattern);
        command.arg("COUNT").arg(limit);
        let reply = self.connections.command_at(node, command).await?;
        let (cursor, names) = scanned(reply.value).ok_or_else(unexpected)?;
        let pointers = names.iter();
        let pointers = pointers.filter_map(|name| self.homes.pointer_of(name));
        let pointers = pointers.collect();
        let names = names.iter();
        let names = names.filter_map(|name| Name::parse(&self.homes, name));
        let mut names: Vec<_> = names.collect();
        // One script asks for names of one owner only, where owners are in slots of their own; and
        // SCAN may tell a name twice.
        names.sort_by(|one, other| one.place().cmp(&other.place()));
        names.dedup_by(|one, other| one.place() == other.place());
        let node = mark.node;
        let next = match cursor {
            0 => (node + 1 < nodes.len()).then_some(Mark {
                node: node + 1,
                cursor: 0,
            }),
            cursor => Some(Mark { node, cursor }),
        };
        Ok(Names {
            names,
            pointers,
            covered: next.map_or(Covered::ALL, |mark| mark.covered(nodes.len())),
            next: next.map(Mark::cursor),
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
