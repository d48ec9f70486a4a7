//! C18: the secrets in the URL of a store are printed by no command and written to no file.

use std::path::Path;

use greentic_session_testkit::{RedisServer, own_servers, require};

use crate::fixture::Fixture;

/// Passwords, user names and paths, with values that no output contains. A server without users
/// accepts them.
const SECRETS: &str = "sentinel_username=hunter-u&sentinel_password=hunter2&default_ttl=987654321ms\
                       &find_by_user=waits-only&max_payload_bytes=87654321&connections=3\
                       &connect_timeout=1999ms&response_timeout=4999ms&min_replicas=0\
                       &min_replicas_timeout=998ms&pointer_sweep=3599999ms";

/// A part of each value.
const VALUES: [&str; 8] = [
    "hunter", "sentinel", "9876", "8765", "1999", "4999", "998", "3599999",
];

fn assert_hidden(what: &str, text: &str) {
    // Instants and digests can contain any digits.
    for value in VALUES
        .iter()
        .filter(|value| value.starts_with(char::is_alphabetic))
    {
        assert!(!text.contains(value), "{what}: {text}");
    }
    for value in VALUES {
        let parameter = text.contains(&format!("={value}"));
        assert!(!parameter, "{what}: {text}");
    }
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn c18_no_command_prints_a_parameter_of_the_url() {
    require!(own_servers);
    let server = RedisServer::builder().password("hunter-p").start();
    let place = format!("127.0.0.1:{}", server.port());
    let mut store = Fixture::durable();
    store.url = format!("redis://default:hunter-p@{place}/0?namespace=n&{SECRETS}");
    let path = |name: &str| store.path(name).to_str().unwrap().to_owned();
    let (export, receipt) = (path("export"), path("receipt"));
    let (plan, man, copy) = (
        path("plan"),
        path("man"),
        format!("redb://{}", path("t.redb")),
    );
    let elsewhere = store.url.replace("namespace=n", "namespace=other");
    let commands: &[&[&str]] = &[
        &["demo", "--keep"],
        &["demo", "--fill", "20"],
        &["stats"],
        &["list"],
        &["show", "run-0000001"],
        &["waits", "--env=demo", "--tenant=tenant-01", "--user=u"],
        &["watch", "--count", "1"],
        &["remove", "run-0000001"],
        &["remove", "run-0000001", "--yes"],
        &["extend", "run-0000002", "--ttl", "2h", "--yes"],
        &["release", "run-0000002", "--yes"],
        &["doctor"],
        &["doctor", "--repair"],
        &["export", "--output", &export],
        &["import", &export, "--merge", "--dry-run"],
        &["import", &export, "--merge"],
        &["import", &export],
        &[
            "migrate",
            "--from",
            &store.url,
            "--to",
            &copy,
            "--checkpoint",
            &plan,
        ],
        &["migrate", "--from", &store.url, "--to", &elsewhere],
        &["migrate", "--from", &store.url, "--to", &elsewhere],
        &["migrate", "--from", &store.url, "--to", &store.url],
        &[
            "migrate",
            "--from",
            &store.url,
            "--to",
            "redis://:hunter2@127.0.0.1:1",
        ],
        &["erase", "--env=demo", "--tenant=tenant-01"],
        &[
            "erase",
            "--env=demo",
            "--tenant=tenant-01",
            "--yes",
            "--receipt",
            &receipt,
        ],
        &["completions", "bash"],
        &["man", "--dir", &man],
        &["--help"],
    ];
    for json in [false, true] {
        for command in commands {
            let mut arguments = command.to_vec();
            arguments.extend(json.then_some("--json"));
            let run = store.run(&arguments);
            let what = arguments[0];
            assert_hidden(what, &run.err);
            if !["completions", "--help"].contains(&what) {
                assert_hidden(what, &run.out);
            }
            assert!(
                !format!("{}{}", run.out, run.err).contains("hunter"),
                "{what}"
            );
        }
    }
    let stats = store.run(&["stats"]).ends_with(0).out;
    assert!(
        stats.contains(&format!("redis://{place}/0?namespace=n\n")),
        "{stats}"
    );
    let written = files(store.directory.path());
    assert!(written.iter().any(|file| file.ends_with("receipt")));
    for file in written {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("hunter"), "{}", file.display());
    }
}
