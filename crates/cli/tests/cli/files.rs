//! The files that the program writes, and what it reads that is no file.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::Fixture;

const OTHERS: &str = "not of the program";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn filled() -> Fixture {
    let store = Fixture::durable();
    store.run(&["demo", "--fill", "60"]).ends_with(0);
    store
}

fn pipe(store: &Fixture) -> std::path::PathBuf {
    let path = store.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

#[test]
fn c18_a_file_is_created_for_its_owner_alone_beside_what_is_there() {
    let store = filled();
    let (file, target) = (store.path("week.jsonl"), store.path("target"));
    fs::write(&target, OTHERS).unwrap();
    fs::write(&file, "older, and open to others").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    // The names of half-written files were these once.
    symlink(&target, store.path("week.jsonl.new")).unwrap();
    symlink(&target, store.path("plan.new")).unwrap();
    let name = file.to_str().unwrap();
    store.run(&["export", "--output", name]).ends_with(0);
    assert_eq!(mode(&file), 0o600);
    let (plan, other) = (store.path("plan.json"), Fixture::durable());
    let plan = plan.to_str().unwrap();
    let migrate = [
        "migrate",
        "--from",
        &store.url,
        "--to",
        &other.url,
        "--checkpoint",
        plan,
    ];
    store.run(&migrate).ends_with(0);
    let receipt = store.path("receipt.json");
    let erase = [
        "erase",
        "--env=demo",
        "--tenant=tenant-01",
        "--yes",
        "--receipt",
    ];
    let erase: Vec<&str> = erase.into_iter().chain(receipt.to_str()).collect();
    store.run(&erase).ends_with(0);
    assert_eq!(mode(&receipt), 0o600);
    assert_eq!(fs::read_to_string(&target).unwrap(), OTHERS);
    assert!(store.path("plan.new").is_symlink());
}

#[test]
fn an_export_is_written_through_links_and_pipes() {
    let store = filled();
    let (target, link) = (store.path("target"), store.path("link"));
    symlink("target", &link).unwrap();
    for _ in 0..2 {
        store
            .run(&["export", "--output", link.to_str().unwrap()])
            .ends_with(0);
        assert!(link.is_symlink() && target.is_file());
        fs::write(&target, OTHERS).unwrap();
    }
    let pipe = pipe(&store);
    let mut command = store.command(&["export", "--output", pipe.to_str().unwrap()]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut export = String::new();
    fs::File::open(&pipe)
        .unwrap()
        .read_to_string(&mut export)
        .unwrap();
    assert!(child.wait().unwrap().success());
    assert!(export.ends_with("\"unreadable\":0}\n"), "{export}");
    let run = store
        .run(&["export", "--output", "-", "--json"])
        .ends_with(0);
    assert_eq!(run.out.lines().count(), export.lines().count());
    assert!(!store.path("-").exists() && !Path::new("-").exists());
    store
        .run(&[
            "export",
            "--output",
            store.directory.path().to_str().unwrap(),
        ])
        .ends_with(1)
        .reports_one_line();
}

#[test]
fn an_import_reads_a_pipe_once() {
    let store = filled();
    let export = store.run(&["export"]).ends_with(0).out;
    let other = Fixture::durable();
    let pipe = pipe(&other);
    let mut command = other.command(&["import", pipe.to_str().unwrap(), "--json"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    fs::write(&pipe, &export).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["imported"], 60);
    let other = Fixture::durable();
    let run = other.run_with_input(&["import", "-", "--json"], export.as_bytes());
    assert_eq!(run.ends_with(0).json()["imported"], 60);
}

#[test]
fn a_checkpoint_that_is_a_pipe_is_refused() {
    let store = filled();
    let pipe = pipe(&store);
    let pipe = pipe.to_str().unwrap();
    let migrate = [
        "migrate",
        "--from",
        &store.url,
        "--to",
        "memory:",
        "--checkpoint",
        pipe,
    ];
    let run = store.run(&migrate).ends_with(1).reports_one_line();
    assert!(run.err.contains("not a regular file"), "{}", run.err);
}

/// The names of the program's own streams are links to what has no name.
#[test]
fn a_stream_of_the_program_can_be_named_as_a_file() {
    let store = filled();
    let export = store.run(&["export"]).ends_with(0).out;
    let run = store
        .run(&["export", "--output", "/dev/stdout"])
        .ends_with(0);
    assert_eq!(run.out.lines().count(), export.lines().count());
    let erase = ["erase", "--env=demo", "--tenant=tenant-01", "--yes"];
    let erase: Vec<&str> = erase
        .into_iter()
        .chain(["--receipt", "/dev/stderr"])
        .collect();
    let run = store.run(&erase).ends_with(0);
    assert!(run.err.contains("\"kind\": \"erasure\""), "{}", run.err);
}

#[test]
fn c22_the_receipt_of_another_erasure_is_kept() {
    let store = filled();
    let file = store.path("receipt.json");
    let name = file.to_str().unwrap();
    let erase = |tenant: &str| {
        let erase = ["erase", "--env=demo", tenant, "--yes", "--receipt", name];
        store.run(&erase)
    };
    erase("--tenant=tenant-01").ends_with(0);
    let kept = fs::read(&file).unwrap();
    let run = erase("--tenant=tenant-02").ends_with(2).reports_one_line();
    assert!(
        run.err.contains("receipt of another erasure"),
        "{}",
        run.err
    );
    assert_eq!(fs::read(&file).unwrap(), kept);
    erase("--tenant=tenant-01").ends_with(0);
}
