//! The commands of the scripts that a server refuses to the user of the store, as warnings.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use redis::Value;

use super::client::Client;
use super::client::topology::Route;
use super::script::permissions::{REFUSED, commands};
use super::transport::info::text_of;
use crate::session::HealthWarning;

const CODE: &str = "permissions";

/// The commands that a program needs, and those that only the calls of operators need.
static NEEDED: LazyLock<[BTreeSet<String>; 2]> = LazyLock::new(|| {
    let (program, all) = (commands(false), commands(true));
    let operators = all.difference(&program).cloned().collect();
    let mut program = program;
    program.insert("EVALSHA".to_owned());
    [program, operators]
});

/// What the user may not run at a server.
#[derive(Default)]
pub struct Refusals {
    /// What every program needs.
    pub of_programs: Option<HealthWarning>,
    /// What only the calls of operators need.
    pub of_operators: Option<HealthWarning>,
}

/// Asks a server in one round trip. A server that runs no script for the user is a warning too.
pub async fn refusals(client: &Client, route: &Route, namespace: &str) -> Refusals {
    let mut question = redis::cmd("EVAL");
    question.arg(REFUSED).arg(0).arg(format!("{namespace}:"));
    for command in NEEDED.iter().flatten() {
        question.arg(command);
    }
    let refused: BTreeSet<_> = match client.command_at(route, question).await {
        Ok(reply) => names_of(&reply.value),
        Err(error) => {
            return Refusals {
                of_programs: Some(HealthWarning::new(CODE, error.message)),
                of_operators: None,
            };
        }
    };
    let [of_programs, of_operators] = NEEDED
        .each_ref()
        .map(|needed| warning(needed.intersection(&refused), namespace));
    Refusals {
        of_programs,
        of_operators: of_operators.map(|mut warning| {
            warning.message.push_str(" for the calls of operators");
            warning
        }),
    }
}

fn names_of(reply: &Value) -> BTreeSet<String> {
    let Value::Array(names) = reply else {
        return BTreeSet::new();
    };
    names.iter().filter_map(text_of).collect()
}

/// Names the commands, and what to grant. A user without a permission for the keys is refused all.
fn warning<'a>(
    refused: impl Iterator<Item = &'a String>,
    namespace: &str,
) -> Option<HealthWarning> {
    let refused: Vec<_> = refused.map(|name| name.to_lowercase()).collect();
    (!refused.is_empty()).then(|| {
        let message = format!(
            "the user may not run {} on the keys of the store; grant +{} ~{namespace}:*",
            refused.join(", "),
            refused.join(" +"),
        );
        HealthWarning::new(CODE, message)
    })
}
