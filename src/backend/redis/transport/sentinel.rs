//! The sentinels, who know which server is the master.

use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::Link;
use super::endpoint::{Access, Node};
use super::error::Failure;
use super::handshake::{Greeting, Mode};
use crate::backend::redis::config::address::Address;

/// The sentinels of one master.
pub(crate) struct Sentinels {
    nodes: Vec<Arc<Node>>,
    master: Arc<str>,
    /// How the master lets us in.
    access: Arc<Access>,
}

impl Sentinels {
    pub fn new(
        addresses: Vec<Address>,
        their_access: Access,
        master: &str,
        access: Access,
    ) -> Self {
        let theirs = Arc::new(their_access);
        let node = |address| Arc::new(Node::new(address, Arc::clone(&theirs)));
        Self {
            nodes: addresses.into_iter().map(node).collect(),
            master: master.into(),
            access: Arc::new(access),
        }
    }

    /// Opens a connection to the master, whoever that is now.
    ///
    /// All sentinels are asked at once: one that hangs holds up nothing, and one that has not heard
    /// of a failover yet is outvoted by the server itself, which says whether it is a master.
    pub async fn open(&self, limit: Duration) -> Result<Link, Failure> {
        let mut answers = JoinSet::new();
        for node in &self.nodes {
            let (node, master) = (Arc::clone(node), Arc::clone(&self.master));
            answers.spawn(async move { ask(&node, &master, limit).await });
        }
        let mut tried = Vec::new();
        let (mut of_sentinels, mut of_master) = (None, None);
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok(address)) if tried.contains(&address) => {}
                Ok(Ok(address)) => {
                    tried.push(address.clone());
                    match self.open_master(address, limit).await {
                        Ok(link) => return Ok(link),
                        Err(failure) => of_master = Some(failure),
                    }
                }
                // What only an operator can change is told before what may pass.
                Ok(Err(failure)) if of_sentinels.is_none() || failure.is_lasting() => {
                    of_sentinels = Some(failure);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let failure = of_master.or(of_sentinels);
        Err(failure.unwrap_or_else(|| self.unreachable("no sentinel answers")))
    }

    /// A failure that names the sentinels' master.
    pub fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable(format!(
            "cannot reach the master `{}`: {reason}",
            self.master
        ))
    }

    async fn open_master(&self, address: Address, limit: Duration) -> Result<Link, Failure> {
        let node = Node::new(address, Arc::clone(&self.access));
        let (link, greeting) = node.open(limit).await?;
        if is_master(&link, greeting).await {
            return Ok(link);
        }
        Err(node.unreachable("it is not the master any more"))
    }
}

/// Where a sentinel says that the master is.
async fn ask(node: &Node, master: &str, limit: Duration) -> Result<Address, Failure> {
    let (link, greeting) = node.open(limit).await?;
    if greeting.mode.is_some_and(|mode| mode != Mode::Sentinel) {
        return Err(node.denied("is no sentinel: its URL begins with redis:// or redis-cluster://"));
    }
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(master);
    let answer = match timeout(limit, link.send(&command)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::of_call(&error)),
        Err(_elapsed) => return Err(node.unreachable("no answer in time")),
    };
    if answer == Value::Nil {
        return Err(node.denied(&format!(
            "knows no master `{master}`: the URL must end with the name that the sentinels use"
        )));
    }
    match <(String, u16)>::from_redis_value(answer) {
        Ok((host, port)) => Ok(Address::new(host, port)),
        Err(_) => Err(node.denied("does not answer as a sentinel does")),
    }
}

/// A server that does not tell its role in its greeting is asked for it.
async fn is_master(link: &Link, greeting: Greeting) -> bool {
    if let Some(is_replica) = greeting.is_replica {
        return !is_replica;
    }
    let answer = link.send(&redis::cmd("ROLE")).await;
    let Ok(Value::Array(fields)) = answer else {
        return false;
    };
    fields.first() == Some(&Value::BulkString(b"master".to_vec()))
}
