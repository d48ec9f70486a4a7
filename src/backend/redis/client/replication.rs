//! Waiting for replicas with WAIT.

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};

use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::hash_slot::hashed_part;
use crate::backend::redis::transport::error::Failure;

/// A write that leaves no key.
///
/// WAIT waits for the last write of its own connection. A call that finds its work done by an
/// earlier attempt writes nothing, and WAIT would return at once. After this write it waits for
/// everything that the call read.
const BARRIER: &str = "redis.call('SET', KEYS[1], '') return redis.call('DEL', KEYS[1])";

/// The number of replicas that must confirm a write before its call is Ok.
pub struct Replication {
    count: u32,
    timeout: Duration,
    prefix: String,
}

impl Replication {
    /// None if writes do not wait for replicas.
    pub fn new(config: &RedisConfig) -> Option<Self> {
        (config.min_replicas > 0).then(|| Self {
            count: config.min_replicas,
            timeout: config.min_replicas_timeout,
            prefix: format!("{}:sync:", config.namespace),
        })
    }

    /// The command on `key`, followed by the barrier and WAIT, for one round trip. With `asking`
    /// the command and the barrier each get an ASKING.
    pub fn wrap(&self, command: &Cmd, key: &[u8], asking: bool) -> Pipeline {
        // In the same slot as the key.
        let barrier = [self.prefix.as_bytes(), b"{", hashed_part(key), b"}"].concat();
        let mut pipeline = redis::pipe();
        if asking {
            pipeline.cmd("ASKING");
        }
        pipeline.add_command(command.clone());
        if asking {
            pipeline.cmd("ASKING");
        }
        pipeline.cmd("EVAL").arg(BARRIER).arg(1).arg(barrier);
        let millis = u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX);
        pipeline.cmd("WAIT").arg(self.count).arg(millis);
        pipeline
    }

    /// The answer of the command.
    ///
    /// # Errors
    /// `NotReplicated` if too few replicas confirmed the barrier, `NotConfirmed` if the server refused
    /// the barrier or the question.
    pub fn answer(&self, answers: Value, asking: bool) -> Result<Value, Failure> {
        let Value::Array(answers) = answers else {
            return Err(Failure::ConnectionLost);
        };
        let is_asking = |index: usize| asking && (index == 0 || index == 2);
        let mut answers = answers
            .into_iter()
            .enumerate()
            .filter_map(|(index, answer)| (!is_asking(index)).then_some(answer));
        let answer = answers.next().unwrap_or(Value::Nil);
        let answer = answer.extract_error()?;
        let mut confirmed = || answers.next().unwrap_or(Value::Nil).extract_error();
        let [barrier, replicas] = [confirmed(), confirmed()].map(|answer| {
            answer.map_err(|error| {
                let refused = Failure::of_call(&error).into_error();
                Failure::NotConfirmed(refused.message)
            })
        });
        let replicas = match (barrier?, replicas?) {
            (Value::Int(_), Value::Int(replicas)) => replicas,
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
