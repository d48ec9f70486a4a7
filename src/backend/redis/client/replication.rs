//! Waiting until replicas have a write.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use super::hash_slot::hashed_part;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::transport::error::Failure;

/// A write that leaves nothing.
///
/// WAIT looks at the last write of its own connection only. A call that finds its work done by an
/// earlier attempt writes nothing, and WAIT would agree at once; behind this write it has to wait
/// for all that the call has seen.
const MARK: &str = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])";

/// How many replicas must have a write before its call is Ok.
pub(crate) struct Replication {
    count: u32,
    timeout: Duration,
    prefix: String,
}

impl Replication {
    /// None if a write need not wait.
    pub fn of(config: &RedisConfig) -> Option<Self> {
        (config.min_replicas > 0).then(|| Self {
            count: config.min_replicas,
            timeout: config.min_replicas_timeout,
            prefix: format!("{}:sync:", config.namespace),
        })
    }

    /// The command on `key`, and the wait behind it, in one round trip.
    ///
    /// A node that does not serve the slot yet wants to be asked for each of them.
    pub fn wrap(&self, command: &Cmd, key: &[u8], asking: bool) -> Pipeline {
        // In the same slot as the key.
        let mark = [self.prefix.as_bytes(), b"{", hashed_part(key), b"}"].concat();
        let mut pipeline = redis::pipe();
        if asking {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(command.clone());
        if asking {
            pipeline.cmd("ASKING");
        }
        pipeline.cmd("EVAL").arg(MARK).arg(1).arg(mark);
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("WAIT").arg(self.count).arg(millis);
        pipeline
    }

    /// The command's answer, if enough replicas have all that it is built on.
    pub fn unwrap(&self, answers: Vec<Value>, asking: bool) -> Result<Value, Failure> {
        let is_asking = |place: usize| asking && (place == 0 || place == 2);
        let mut answers = answers
            .into_iter()
            .enumerate()
            .filter_map(|(place, answer)| (!is_asking(place)).then_some(answer));
        let answer = answers.next().unwrap_or(Value::Nil);
        let answer = answer.extract_error()?;
        let replicas = match (answers.next(), answers.next()) {
            (Some(Value::Int(_)), Some(Value::Int(replicas))) => replicas,
            _ => 0,
        };
        if replicas >= i64::from(self.count) {
            return Ok(answer);
        }
        Err(Failure::NotReplicated {
            replicas,
            wanted: self.count,
        })
    }
}
