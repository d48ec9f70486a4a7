//! Every suite can be measured, and its rows can be parsed. The numbers are not checked.

use std::process::Command;

use greentic_session_testkit::{own_servers, require};
use serde_json::Value;

const FIELDS: [&str; 11] = [
    "suite",
    "case",
    "system",
    "threads",
    "ops_per_s",
    "p50_us",
    "p99_us",
    "p999_us",
    "bytes_per_session",
    "ratio_to_limit",
    "ratio_to_published",
];

#[test]
fn every_row_can_be_measured_and_parsed() {
    require!(own_servers);
    let mut command = Command::new(env!("CARGO_BIN_EXE_greentic-session-bench"));
    let output = command.args(["all", "--smoke", "--json"]).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for row in &rows {
        for field in FIELDS {
            assert!(row.get(field).is_some(), "no {field} in {row}");
        }
        let measured = ["ops_per_s", "bytes_per_session"].map(|field| row[field].as_f64());
        assert!(
            measured.iter().flatten().any(|number| *number > 0.0),
            "nothing measured: {row}"
        );
    }
    for suite in ["memory", "redis", "durable"] {
        for action in [
            "get",
            "update",
            "turn",
            "claimed_turn",
            "list_100",
            "create_remove",
            "crowd_list",
            "crowd_erase",
            "timeout_park",
            "due_idle",
            "due_page",
            "due_burst",
        ] {
            let ours = |row: &&Value| {
                row["suite"] == suite
                    && row["system"] == "greentic-session"
                    && row["case"]
                        .as_str()
                        .is_some_and(|case| case.split('/').next() == Some(action))
            };
            assert!(rows.iter().any(|row| ours(&row)), "no {action} in {suite}");
        }
    }
}
