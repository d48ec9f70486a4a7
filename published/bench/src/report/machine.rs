//! The machine and the versions of a run.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use time::OffsetDateTime;

const LOCK: &str = include_str!("../../../Cargo.lock");

/// The packages whose versions the report names.
const PACKAGES: &[&str] = &[
    "greentic-session",
    "greentic-types",
    "redis",
    "redb",
    "tower-sessions-memory-store",
    "tower-sessions-moka-store",
    "tower-sessions-redis-store",
    "fred",
    "moka",
];

/// Lines of a list in Markdown.
pub fn lines() -> Vec<String> {
    let cores = available_parallelism().map_or(0, usize::from);
    let date = OffsetDateTime::now_utc().date();
    let mut lines = vec![
        format!("- Date: {date}"),
        format!("- Machine: {}, {cores} cores, {}", processor(), memory()),
        format!(
            "- System: {} {}",
            std::env::consts::OS,
            first_line("/proc/sys/kernel/osrelease")
        ),
        format!("- Compiler: {}", said("rustc", "--version")),
        format!("- Server: {}", said("redis-server", "--version")),
    ];
    let versions = PACKAGES
        .iter()
        .map(|name| format!("{name} {}", versions(name).join(" and ")));
    lines.push(format!(
        "- Packages: {}",
        versions.collect::<Vec<_>>().join(", ")
    ));
    lines
}

fn versions(name: &str) -> Vec<&'static str> {
    let entries = LOCK.split("[[package]]");
    let named = entries.filter(|entry| entry.contains(&format!("\nname = \"{name}\"\n")));
    let version = |entry: &'static str| entry.split("version = \"").nth(1)?.split('"').next();
    named.filter_map(version).collect()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |(_, model)| model.to_owned(),
    )
}

fn memory() -> String {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes = text
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<u64>().ok());
    kilobytes.map_or_else(
        || "memory unknown".to_owned(),
        |kilobytes| format!("{} GB", kilobytes >> 20),
    )
}

fn first_line(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn said(program: &str, option: &str) -> String {
    let output = Command::new(program).arg(option).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| format!("{program} is not installed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_has_a_version() {
        for name in PACKAGES {
            assert!(!versions(name).is_empty(), "{name}");
        }
        assert_eq!(versions("greentic-session").len(), 2);
    }
}
