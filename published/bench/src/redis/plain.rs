//! A plain blocking connection to the server of a store.

use std::sync::{Mutex, PoisonError};

use greentic_session_testkit::{RedisServer, Reply};
use redis::{Client, Connection};

use crate::system::Failure;
use crate::timeouts::Server;

/// The server, and a connection beside those of the store.
pub struct Plain<'a> {
    server: &'a RedisServer,
    connection: Mutex<Connection>,
}

impl<'a> Plain<'a> {
    pub fn connect(server: &'a RedisServer) -> Result<Self, Failure> {
        let client = Client::open(server.url())?;
        Ok(Self {
            server,
            connection: Mutex::new(client.get_connection()?),
        })
    }

    fn info(&self, section: &str) -> Result<String, Failure> {
        match self.server.try_command(&["INFO", section])? {
            Reply::Bulk(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
            _ => Err("the server does not answer INFO".into()),
        }
    }
}

/// The commands by which a store runs a script.
const SCRIPTS: [&str; 4] = [
    "cmdstat_eval:",
    "cmdstat_evalsha:",
    "cmdstat_eval_ro:",
    "cmdstat_evalsha_ro:",
];

impl Server for Plain<'_> {
    fn script_us(&self) -> Result<f64, Failure> {
        let text = self.info("commandstats")?;
        let scripts = text
            .lines()
            .filter(|line| SCRIPTS.iter().any(|script| line.starts_with(script)));
        let spent = scripts.map(|line| {
            let spent = line
                .split([':', ','])
                .find_map(|part| part.strip_prefix("usec="));
            let spent = spent.and_then(|text| text.parse::<f64>().ok());
            spent.ok_or_else(|| Failure::from("the server does not report its scripts"))
        });
        spent.sum()
    }

    fn bytes(&self) -> Result<f64, Failure> {
        let text = self.info("memory")?;
        let used = text
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        let used = used.and_then(|bytes| bytes.trim().parse().ok());
        used.ok_or_else(|| "the server does not report its memory".into())
    }

    fn ping(&self) -> Result<(), Failure> {
        let mut connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        redis::cmd("PING").exec(&mut *connection)?;
        Ok(())
    }
}
