//! The server that the tests start.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::run;

/// Makes sure that there is a `redis-server`: the one `REDIS_SERVER_BIN` names, one on the
/// `PATH`, or one installed now if this machine lets us.
pub fn ensure() -> Outcome {
    if is_there() {
        return Ok(());
    }
    if !can_install() {
        return Err(
            "redis-server is missing: install Redis 7 or newer (such as the package \
                    redis-server), or set REDIS_SERVER_BIN to its program"
                .to_owned(),
        );
    }
    println!("redis-server is missing: installing the distribution's package");
    run::must(apt(&["update"]).stdout(Stdio::null()))?;
    let install = ["install", "-y", "--no-install-recommends", "redis-server"];
    run::must(&mut apt(&install))?;
    if is_there() {
        return Ok(());
    }
    Err("the package redis-server brought no redis-server on the PATH".to_owned())
}

fn is_there() -> bool {
    match env::var_os("REDIS_SERVER_BIN") {
        Some(named) => Path::new(&named).is_file(),
        None => on_path("redis-server"),
    }
}

// As root, and with apt: anything else is for people to decide.
fn can_install() -> bool {
    let id = run::output(Command::new("id").arg("-u"));
    env::var_os("REDIS_SERVER_BIN").is_none()
        && on_path("apt-get")
        && id.is_ok_and(|id| id.trim() == "0")
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // In run level 1 packages do not start their services; the tests start their own.
    command.env("RUNLEVEL", "1");
    command
}

fn on_path(name: &str) -> bool {
    let directories = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&directories).any(|directory| directory.join(name).is_file())
}
