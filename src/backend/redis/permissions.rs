//! The commands of the store that a server refuses to its user, as warnings.

use std::collections::BTreeSet;

use redis::Value;

use super::client::Client;
use super::client::topology::Route;
use super::config::RedisConfig;
use super::config::url::Deployment;
use super::script::permissions::{REFUSED, commands};
use super::transport::error::is_refused_permission;
use super::transport::info::text_of;
use crate::error::SessionResult;
use crate::session::HealthWarning;

const CODE: &str = "permissions";

/// What the user may not run at a server.
#[derive(Default)]
pub struct Refusals {
    /// What every program needs.
    pub of_programs: Option<HealthWarning>,
    /// What only the calls of operators need.
    pub of_operators: Option<HealthWarning>,
}

/// The commands that the client sends itself with this configuration.
fn of_client(config: &RedisConfig) -> Vec<&'static str> {
    let is_cluster = matches!(config.target.deployment, Deployment::Cluster { .. });
    let mut commands = vec!["EVALSHA x 1 @", "INFO", "CLIENT KILL ID 1"];
    if config.min_replicas > 0 {
        commands.push("WAIT 1 1");
    }
    if is_cluster {
        commands.extend(["ASKING", "CLUSTER SLOTS"]);
        if config.pointer_sweep.is_some() {
            commands.push("SCAN 0");
        }
    }
    commands
}

/// The commands that a program needs, and those that only the calls of operators need, as questions.
fn needed(config: &RedisConfig) -> [BTreeSet<String>; 2] {
    let of_script = |command| format!("{command} @ @");
    let [mut program, mut all] = [commands(false), commands(true)]
        .map(|commands| commands.into_iter().map(of_script).collect::<BTreeSet<_>>());
    program.extend(of_client(config).into_iter().map(str::to_owned));
    all.insert("SCAN 0".to_owned()); // all walks
    let operators = all.difference(&program).cloned().collect();
    [program, operators]
}

/// Asks a server in one round trip. A server that refuses to run a script for the user is a warning too.
///
/// # Errors
/// As [`Client::command_at`], for another failure than a refusal.
pub async fn refusals(
    client: &Client,
    route: &Route,
    config: &RedisConfig,
) -> SessionResult<Refusals> {
    let namespace = &config.namespace;
    let needed = needed(config);
    let mut question = redis::cmd("EVAL");
    question.arg(REFUSED).arg(0).arg(format!("{namespace}:"));
    for command in needed.iter().flatten() {
        question.arg(command);
    }
    let refused: BTreeSet<_> = match client.command_at(route, question).await {
        Ok(reply) => names_of(&reply.value),
        Err(error) if is_refused_permission(&error) => {
            return Ok(Refusals {
                of_programs: Some(HealthWarning::new(CODE, error.message)),
                of_operators: None,
            });
        }
        Err(error) => return Err(error),
    };
    let [of_programs, of_operators] = needed
        .each_ref()
        .map(|needed| warning(needed.intersection(&refused), namespace));
    Ok(Refusals {
        of_programs,
        of_operators: of_operators.map(|mut warning| {
            warning.message.push_str(" for the calls of operators");
            warning
        }),
    })
}

fn names_of(reply: &Value) -> BTreeSet<String> {
    let Value::Array(names) = reply else {
        return BTreeSet::new();
    };
    names.iter().filter_map(text_of).collect()
}

/// The name of a command in an ACL rule.
fn rule_of(question: &str) -> String {
    let mut words = question.split(' ');
    let command = words.next().unwrap_or_default();
    let subcommand = words.next().unwrap_or_default();
    let rule = match command {
        "CLIENT" | "CLUSTER" => format!("{command}|{subcommand}"),
        _ => command.to_owned(),
    };
    rule.to_lowercase()
}

/// Names the commands, and what to grant. A user without a permission for the keys is refused all.
fn warning<'a>(
    refused: impl Iterator<Item = &'a String>,
    namespace: &str,
) -> Option<HealthWarning> {
    let refused: Vec<_> = refused.map(|question| rule_of(question)).collect();
    (!refused.is_empty()).then(|| {
        let message = format!(
            "the user may not run {} on the keys of the store; grant +{} ~{namespace}:*",
            refused.join(", "),
            refused.join(" +"),
        );
        HealthWarning::new(CODE, message)
    })
}
