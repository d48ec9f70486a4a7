//! The sentinels, which name the current master.

use std::sync::Arc;
use std::time::Duration;

use redis::{FromRedisValue, Value};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connection::Connection;
use super::endpoint::{ConnectionSettings, Endpoint};
use super::error::Failure;
use super::handshake::{ServerHello, ServerMode};
use crate::backend::redis::config::address::Address;

/// The sentinels of one master.
pub struct Sentinels {
    endpoints: Vec<Arc<Endpoint>>,
    master_name: Arc<str>,
    master_settings: Arc<ConnectionSettings>,
}

impl Sentinels {
    pub fn new(
        addresses: Vec<Address>,
        settings: ConnectionSettings,
        master_name: &str,
        master_settings: ConnectionSettings,
    ) -> Self {
        let settings = Arc::new(settings);
        let endpoint = |address| Arc::new(Endpoint::new(address, Arc::clone(&settings)));
        Self {
            endpoints: addresses.into_iter().map(endpoint).collect(),
            master_name: master_name.into(),
            master_settings: Arc::new(master_settings),
        }
    }

    /// Opens a connection to the current master.
    ///
    /// All sentinels are asked at once, so a sentinel that hangs delays nothing. A sentinel may not
    /// know of a failover yet, so the server it names must confirm that it is a master.
    pub async fn connect(&self, limit: Duration) -> Result<Connection, Failure> {
        let mut answers = JoinSet::new();
        for endpoint in &self.endpoints {
            let (endpoint, name) = (Arc::clone(endpoint), Arc::clone(&self.master_name));
            answers.spawn(async move { master_address(&endpoint, &name, limit).await });
        }
        let mut tried = Vec::new();
        let (mut of_sentinels, mut of_master) = (None, None);
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok(address)) if tried.contains(&address) => {}
                Ok(Ok(address)) => {
                    tried.push(address.clone());
                    match self.connect_to_master(address, limit).await {
                        Ok(connection) => return Ok(connection),
                        Err(failure) => of_master = Some(failure),
                    }
                }
                // A failure that needs an operator is reported in preference to one that may pass.
                Ok(Err(failure)) if of_sentinels.is_none() || failure.is_lasting() => {
                    of_sentinels = Some(failure);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let failure = of_master.or(of_sentinels);
        Err(failure.unwrap_or_else(|| self.unreachable("no sentinel answers")))
    }

    /// A failure that may pass, with the name of the master.
    pub fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable(format!(
            "cannot reach the master `{}`: {reason}",
            self.master_name
        ))
    }

    async fn connect_to_master(
        &self,
        address: Address,
        limit: Duration,
    ) -> Result<Connection, Failure> {
        let endpoint = Endpoint::new(address, Arc::clone(&self.master_settings));
        let (connection, hello) = endpoint.connect(limit).await?;
        if is_master(&connection, hello).await {
            return Ok(connection);
        }
        Err(endpoint.unreachable("it is not the master any more"))
    }
}

/// The address that a sentinel gives for the master.
async fn master_address(
    sentinel: &Endpoint,
    master_name: &str,
    limit: Duration,
) -> Result<Address, Failure> {
    let (connection, hello) = sentinel.connect(limit).await?;
    if hello.mode.is_some_and(|mode| mode != ServerMode::Sentinel) {
        return Err(
            sentinel.denied("is no sentinel: its URL begins with redis:// or redis-cluster://")
        );
    }
    let mut command = redis::cmd("SENTINEL");
    command.arg("get-master-addr-by-name").arg(master_name);
    let answer = match timeout(limit, connection.send(&command)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::of_call(&error)),
        Err(_elapsed) => return Err(sentinel.unreachable("no answer in time")),
    };
    if answer == Value::Nil {
        return Err(sentinel.denied(&format!(
            "knows no master `{master_name}`: the URL must end with the name that the sentinels use"
        )));
    }
    match <(String, u16)>::from_redis_value(answer) {
        Ok((host, port)) => Ok(Address::new(host, port)),
        Err(_) => Err(sentinel.denied("does not answer as a sentinel does")),
    }
}

/// Whether the server is a master. ROLE is asked if HELLO did not report the role.
async fn is_master(connection: &Connection, hello: ServerHello) -> bool {
    if let Some(is_replica) = hello.is_replica {
        return !is_replica;
    }
    let answer = connection.send(&redis::cmd("ROLE")).await;
    let Ok(Value::Array(fields)) = answer else {
        return false;
    };
    fields.first() == Some(&Value::BulkString(b"master".to_vec()))
}
