//! Tests of private parts against real servers, some behind a proxy that injects faults.

mod executors;
mod fast_path;
mod faults;
mod late_requests;
mod late_writes;
mod partial_writes;
mod permissions;
mod plain_reads;
mod pointer_slack;
mod pointers;
mod repeats;
mod round_trips;
mod server_errors;
mod starts;
mod sweep;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::{FaultProxy, RedisServer};

use super::client::Client;
use super::config::RedisConfig;
use super::script::{Call, Reply, Script};
use crate::error::SessionResult;

static ECHO: Script = Script::writes("test/echo", "return ARGV[1]");
static COUNT: Script = Script::writes("test/count", "return redis.call('INCR', KEYS[1])");

/// A time limit that no call reaches.
const NEVER: Duration = Duration::from_secs(600);
/// A time limit for a call that must reach it; long enough for other calls.
const SOON: Duration = Duration::from_secs(2);

fn config(url: &str) -> RedisConfig {
    RedisConfig::from_url(url)
        .unwrap()
        .connect_timeout(NEVER)
        .response_timeout(NEVER)
        .connections(1)
}

fn open(config: &RedisConfig) -> Client {
    Client::new(config).unwrap()
}

fn call<'a>(script: &'static Script, argument: &'a str) -> Call<'a> {
    Call {
        script,
        keys: vec![Cow::Borrowed(b"counter")],
        args: vec![Cow::Borrowed(argument.as_bytes())],
        has_one_key: true,
        write_deadline: None,
        sent: None,
        plain: None,
    }
}

async fn echo(client: &Client, text: &str) -> SessionResult<String> {
    let reply = client.run(call(&ECHO, text)).await?;
    Ok(redis::from_redis_value(reply.value).unwrap())
}

fn count(client: &Client) -> SessionResult<(i64, bool)> {
    let Reply { value, repeated } = wait(client.run(call(&COUNT, "")))?;
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
