//! The audit: a line before each act, and no act without its line.

use greentic_session::SessionBackendConfig;
use greentic_session_testkit::test_name;
use serde_json::Value;

use crate::fixture::{Fixture, SECRET_STATE, SECRET_USER, on_each_store};

/// Acts, and the word that the audit has for each.
const ACTS: [(&[&str], &str); 7] = [
    (&["show", "secret-1", "--reveal"], "reveal"),
    (&["list", "--tenant=acme", "--reveal"], "reveal"),
    (&["export"], "export"),
    (&["release", "claimed-1", "--yes"], "revoke"),
    (&["remove", "waiting-1", "--yes"], "remove"),
    (&["import", "EXPORT", "--merge"], "import"),
    (
        &["erase", "--env=dev", "--tenant=acme", "--user=ann", "--yes"],
        "erase",
    ),
];

/// An export of the store, as a file.
fn exported(store: &Fixture) -> String {
    let path = store.directory.path().join("all.export");
    let path = path.to_str().unwrap().to_owned();
    let _ = store.run(&["export", "--output", &path]).ends_with(0);
    path
}

fn with<'a>(command: &[&'a str], export: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words = command.iter().map(|word| match *word {
        "EXPORT" => export,
        word => word,
    });
    words.chain(more.iter().copied()).collect()
}

#[test]
fn each_act_leaves_a_line_with_its_actor() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let export = exported(store);
        let audit = store.directory.path().join("audit");
        let named = audit.to_str().unwrap();
        for (command, _) in ACTS {
            let arguments = with(command, &export, &["--audit", named, "--actor", "ada"]);
            let _ = store.run(&arguments).ends_with(0);
        }
        // What only looks, and what only shows what it would do, leaves none.
        for command in [
            &["list"][..],
            &["show", "idle-1"],
            &["erase", "--env=dev", "--tenant=acme"],
            &["remove", "idle-1"],
            &["import", "EXPORT", "--merge", "--dry-run"],
        ] {
            let arguments = with(command, &export, &["--audit", named]);
            let _ = store.run(&arguments).ends_with(0);
        }
        let text = std::fs::read_to_string(&audit).unwrap();
        assert!(!text.contains(SECRET_USER) && !text.contains(SECRET_STATE));
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let acts: Vec<_> = lines
            .iter()
            .map(|line| line["act"].as_str().unwrap())
            .collect();
        assert_eq!(acts, ACTS.map(|(_, act)| act));
        assert!(
            lines
                .iter()
                .all(|line| line["actor"] == "ada" && line["at"].is_u64())
        );
        assert_eq!(lines[3]["key"], "claimed-1");
        let erased = lines.last().unwrap();
        assert_eq!(
            (&erased["tenant"], &erased["of_one_user"]),
            (&"acme".into(), &true.into())
        );
        assert!(!text.contains("ann"));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_audit_that_cannot_be_written_stops_each_act() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let export = exported(store);
        let before = store.run(&["export"]).ends_with(0).out;
        for (command, _) in ACTS {
            let arguments = with(command, &export, &["--audit", "/dev/full"]);
            let run = store.run(&arguments).ends_with(1).reports_one_line();
            assert!(run.err.contains("/dev/full"), "{}", run.err);
            assert_eq!(run.out, "", "{command:?}");
        }
        let after = store.run(&["export"]).ends_with(0).out;
        assert_eq!(records(&after), records(&before));
    });
}

/// The records of an export, in a fixed order. The first line has the time of the export.
fn records(export: &str) -> Vec<&str> {
    let mut records: Vec<_> = export.lines().skip(1).collect();
    records.sort_unstable();
    records
}

#[cfg(target_os = "linux")]
#[test]
fn a_migration_leaves_a_line_for_each_store_or_copies_nothing() {
    on_each_store(test_name!(), |source| {
        source.populate();
        let target = Fixture::durable();
        let audit = source.path("audit");
        let migrate = |audit: &str| {
            let (from, to) = (&*source.url, &*target.url);
            let stores = ["migrate", "--from", from, "--to", to];
            source.run_bare(&[&stores[..], &["--audit", audit, "--actor", "ada"]].concat())
        };
        let refused = migrate("/dev/full").ends_with(1).reports_one_line();
        assert!(refused.err.contains("/dev/full"), "{}", refused.err);
        assert_eq!(refused.out, "");
        assert!(!target.path("s.redb").exists());

        let _ = migrate(audit.to_str().unwrap()).ends_with(0);
        let text = std::fs::read_to_string(&audit).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let acts: Vec<_> = lines
            .iter()
            .map(|line| {
                let [act, store] = ["act", "store"].map(|name| line[name].as_str().unwrap());
                (act, store)
            })
            .collect();
        let shown = [source, &target].map(|store| {
            let config = SessionBackendConfig::from_url(&store.url).unwrap();
            config.to_string()
        });
        assert_eq!(acts, [("export", &*shown[0]), ("import", &*shown[1])]);
        assert!(lines.iter().all(|line| line["actor"] == "ada"));
        assert!(!text.contains(SECRET_USER) && !text.contains(SECRET_STATE));
    });
}

#[test]
fn the_system_user_is_the_actor_that_is_not_named() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let audit = store.directory.path().join("audit");
        let named = audit.to_str().unwrap();
        let _ = store.run(&["export", "--audit", named]).ends_with(0);
        let line = std::fs::read_to_string(&audit).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(!line["actor"].as_str().unwrap().is_empty());
    });
}
