//! Plain GET and SET through the client library of the store, with the same settings.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, IntoConnectionInfo, ProtocolVersion, Value};
use tokio::runtime::{Builder, Runtime};

use crate::system::{AsyncSystem, Failure, cannot, missing};
use crate::workload::{Action, Person, Workload};

/// The number of connections of a store.
pub struct Raw {
    connections: Vec<MultiplexedConnection>,
    next: AtomicUsize,
    /// `None` if the I/O runs on the threads of the callers.
    _io: Option<Runtime>,
}

const CONNECTIONS: usize = 2;

impl Raw {
    pub async fn connect(url: String) -> Result<Self, Failure> {
        let info = url.into_connection_info()?;
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        let client = Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp))?;
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            connections.push(
                client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?,
            );
        }
        Ok(Self {
            connections,
            next: AtomicUsize::new(0),
            _io: None,
        })
    }

    /// With an I/O thread of its own, independent of the runtime of the callers.
    pub fn connect_apart(url: &str) -> Result<Self, Failure> {
        let io = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let mut raw = io.block_on(io.spawn(Self::connect(url.to_owned())))??;
        raw._io = Some(io);
        Ok(raw)
    }

    async fn send(&self, command: &Cmd) -> Result<Value, Failure> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len();
        let mut connection = self.connections[turn].clone();
        Ok(connection
            .send_packed_command(command)
            .await?
            .extract_error()?)
    }

    async fn set(&self, person: &Person) -> Result<(), Failure> {
        let mut command = redis::cmd("SET");
        command
            .arg(name(person.key.as_str()))
            .arg(person.data.context_json.as_bytes());
        self.send(&command).await.map(drop)
    }
}

fn name(key: &str) -> String {
    format!("raw:session:{key}")
}

#[async_trait]
impl AsyncSystem for Raw {
    async fn prepare(&self, workload: &Workload, _action: Action) -> Result<(), Failure> {
        for number in 0..workload.population {
            self.set(&Person::new(number, workload.bytes)?).await?;
        }
        Ok(())
    }

    async fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        _number: u64,
    ) -> Result<(), Failure> {
        match action {
            Action::Get => {
                let mut command = redis::cmd("GET");
                command.arg(name(workload.picks[place].key.as_str()));
                match self.send(&command).await? {
                    Value::BulkString(_) => Ok(()),
                    _ => Err(missing("a value")),
                }
            }
            // For a claimed turn it sends one command instead of two: the unit is the round trip.
            Action::RegisterWait | Action::Update | Action::ClaimedTurn => {
                self.set(&workload.people[place]).await
            }
            _ => Err(cannot(action)),
        }
    }
}
