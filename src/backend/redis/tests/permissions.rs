//! The users of docs/topologies.md have the permissions that the scripts need, and no others.

use std::collections::BTreeSet;

use crate::backend::redis::script::permissions::commands;

const DOCUMENT: &str = include_str!("../../../../docs/topologies.md");

/// The commands that the client sends itself.
const OF_CLIENT: [&str; 11] = [
    "asking",
    "client|kill",
    "cluster|slots",
    "eval",
    "evalsha",
    "hello",
    "info",
    "role",
    "scan",
    "select",
    "wait",
];

/// The line that makes a user with these commands.
fn line(user: &str, commands: &BTreeSet<String>) -> String {
    let commands = commands.iter().map(|command| command.to_lowercase());
    let mut commands: BTreeSet<_> = commands.collect();
    commands.extend(OF_CLIENT.map(str::to_owned));
    if user == "session-operator" {
        commands.insert("config|get".to_owned());
    }
    let granted: Vec<_> = commands.iter().map(|name| format!("+{name}")).collect();
    format!(
        "ACL SETUSER {user} on >PASSWORD resetkeys ~greentic:session:* resetchannels -@all {}",
        granted.join(" ")
    )
}

#[test]
fn the_documented_users_may_run_what_the_scripts_run() {
    for (user, of_operators) in [("session-runtime", false), ("session-operator", true)] {
        let line = line(user, &commands(of_operators));
        assert!(DOCUMENT.lines().any(|found| found == line), "{line}");
    }
}
