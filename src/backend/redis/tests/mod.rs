//! The connections against real servers, and a proxy that misbehaves.

mod executors;
mod fast_path;
mod faults;
mod holds;
mod late;
mod pointers;
mod round_trips;
mod servers;
mod sweep;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::{FaultProxy, RedisServer};

use super::client::Connections;
use super::config::RedisConfig;
use super::script::{Call, Reply, Script};
use crate::error::SessionResult;

static ECHO: Script = Script::new("return ARGV[1]");
static COUNT: Script = Script::new("return redis.call('INCR', KEYS[1])");

/// No test takes that long: a limit that must not be what ends a call.
const NEVER: Duration = Duration::from_secs(600);
/// The limit of a call that is to run into it; long enough for any other call.
const SOON: Duration = Duration::from_secs(2);

fn config(url: &str) -> RedisConfig {
    RedisConfig::from_url(url)
        .unwrap()
        .connect_timeout(NEVER)
        .response_timeout(NEVER)
        .connections(1)
}

fn open(config: &RedisConfig) -> Connections {
    Connections::new(config).unwrap()
}

fn call<'a>(script: &'static Script, argument: &'a str) -> Call<'a> {
    Call {
        script,
        keys: vec![Cow::Borrowed(b"counter")],
        args: vec![Cow::Borrowed(argument.as_bytes())],
        has_one_key: true,
        mutating: true,
    }
}

async fn echo(connections: &Connections, text: &str) -> SessionResult<String> {
    let reply = connections.run(call(&ECHO, text)).await?;
    Ok(redis::from_redis_value(reply.value).unwrap())
}

fn count(connections: &Connections) -> SessionResult<(i64, bool)> {
    let Reply { value, repeated } = wait(connections.run(call(&COUNT, "")))?;
    Ok((redis::from_redis_value(value).unwrap(), repeated))
}

fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}

fn behind_a_proxy() -> (RedisServer, FaultProxy) {
    let server = RedisServer::start();
    let proxy = FaultProxy::start(&server.address());
    (server, proxy)
}
