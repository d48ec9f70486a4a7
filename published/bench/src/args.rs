//! The command line arguments.

use std::time::Duration;

/// The usage.
pub const USAGE: &str = "\
usage: greentic-session-bench SUITE [--json] [--seconds N] [--quick | --full | --smoke] [--only CASE]
       greentic-session-bench report [--seconds N]

SUITE        memory, redis, durable or all
report       runs all suites and writes docs/benchmarks.md
--json       one JSON object per row instead of a table
--seconds N  how long each row is measured (default 0.4; report 1.2)
--only CASE  the cases whose name contains this, such as turn/2KB
--quick      a representative row of each case (default)
--full       every size and every number of callers
--smoke      checks in seconds that every row can be measured; its numbers are meaningless";

/// One group of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    Memory,
    Redis,
    Durable,
}

impl Suite {
    /// Every suite, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Redis, Self::Durable];

    /// The name on the command line and in the rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Durable => "durable",
        }
    }
}

/// The task of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Measure {
        suites: Vec<Suite>,
        json: bool,
    },
    Report,
    /// Measures one system for another process of this program; see `resident`.
    Resident {
        system: String,
        sessions: usize,
    },
}

/// The parsed arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct Args {
    pub task: Task,
    pub effort: Effort,
    /// A part of the names of the cases to measure; empty for all.
    pub only: String,
}

/// The extent and the duration of the measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// The time of each row, over all rounds.
    pub per_row: Duration,
    pub scale: Scale,
}

/// The number of rows and of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Smoke,
    Quick,
    Full,
}

impl Args {
    /// Parses the arguments, without the name of the program.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let (mut task, mut json, mut scale, mut seconds) = (None, false, Scale::Quick, None);
        let mut only = String::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => json = true,
                "--only" => {
                    only = words
                        .next()
                        .ok_or("--only needs a part of the name of a case")?;
                }
                "--quick" => scale = Scale::Quick,
                "--full" => scale = Scale::Full,
                "--smoke" => scale = Scale::Smoke,
                "--seconds" => seconds = Some(positive(words.next())?),
                "resident" => {
                    let system = words.next().ok_or("resident needs a system")?;
                    let sessions = words.next().and_then(|word| word.parse().ok());
                    let sessions = sessions.ok_or("resident needs a number of sessions")?;
                    task = Some(Task::Resident { system, sessions });
                }
                name if task.is_none() => task = Some(named(name)?),
                other => return Err(format!("unknown argument `{other}`")),
            }
        }
        let mut task = task.ok_or("no suite is given")?;
        if let Task::Measure { json: chosen, .. } = &mut task {
            *chosen = json;
        }
        let usual = match (&task, scale) {
            (_, Scale::Smoke) => 0.005,
            (Task::Report, _) => 1.2,
            _ => 0.4,
        };
        let per_row = Duration::from_secs_f64(seconds.unwrap_or(usual));
        Ok(Self {
            task,
            only,
            effort: Effort { per_row, scale },
        })
    }
}

fn named(name: &str) -> Result<Task, String> {
    let suites = match name {
        "report" => return Ok(Task::Report),
        "all" => Suite::ALL.to_vec(),
        name => {
            let suite = Suite::ALL.into_iter().find(|suite| suite.name() == name);
            vec![suite.ok_or_else(|| format!("there is no suite `{name}`"))?]
        }
    };
    Ok(Task::Measure {
        suites,
        json: false,
    })
}

fn positive(word: Option<String>) -> Result<f64, String> {
    let seconds = word.and_then(|word| word.parse().ok());
    seconds
        .filter(|seconds: &f64| (0.001..3600.0).contains(seconds))
        .ok_or_else(|| "--seconds takes a number from 0.001 to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_suite_with_options_is_understood() {
        let args = parse("redis --json --seconds 0.5 --full").unwrap();
        assert_eq!(
            args.task,
            Task::Measure {
                suites: vec![Suite::Redis],
                json: true
            }
        );
        assert_eq!(args.effort.per_row, Duration::from_millis(500));
        assert_eq!(args.effort.scale, Scale::Full);
        assert_eq!(parse("all").unwrap().effort.scale, Scale::Quick);
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "",
            "disk",
            "redis memory",
            "all --seconds",
            "all --seconds 0",
            "all --seconds x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
