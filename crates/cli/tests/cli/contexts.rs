//! The store of a file, of a name in it, and of the variables of a runtime.

use std::fs;

use serde_json::Value;

use crate::fixture::{Fixture, Run};

impl Fixture {
    fn config(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn sessions(run: Run) -> Value {
    run.ends_with(0).json()["total"]["sessions"].clone()
}

#[test]
fn a_file_names_one_store_or_several() {
    let (full, empty) = (Fixture::durable(), Fixture::durable());
    full.populate();
    empty.store(|_store| ());
    let one = full.config(
        "one.toml",
        &format!("url = {:?}\ndefault_ttl = \"7d\"", full.url),
    );
    let several = full.config(
        "several.json",
        &format!(
            r#"{{ "default": "b", "contexts": {{ "a": {{ "url": {:?} }}, "b": {:?} }} }}"#,
            empty.url, full.url
        ),
    );
    let stats = |more: &[&str]| sessions(empty.run_bare(&[&["stats", "--json"], more].concat()));
    assert_eq!(stats(&["--config", &one]), 5);
    assert_eq!(stats(&["--config", &several]), 5);
    assert_eq!(stats(&["--config", &several, "--store", "a"]), 0);
    assert_eq!(stats(&["--config", &several, "--store", "b"]), 5);
    assert_eq!(stats(&["--config", &several, "--store", &empty.url]), 0);

    let migrate = [
        "migrate", "--from", "b", "--to", "a", "--config", &several, "--json",
    ];
    let report = full.run_bare(&migrate).ends_with(0).json();
    assert_eq!(report["verified"], true);
}

#[test]
fn arguments_go_before_the_environment() {
    let (full, empty) = (Fixture::durable(), Fixture::durable());
    full.populate();
    empty.store(|_store| ());
    let file = full.config("one.toml", &format!("url = {:?}", full.url));
    // With the variable of the empty store.
    assert_eq!(
        sessions(empty.run(&["stats", "--json", "--config", &file])),
        5
    );
    assert_eq!(sessions(empty.run(&["stats", "--json"])), 0);
    let with = |variables: &[(&str, &str)]| {
        let mut command = empty.bare(&["stats", "--json"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["total"]["sessions"].clone()
    };
    let runtime = ("GREENTIC_SESSION__URL", full.url.as_str());
    assert_eq!(with(&[("GREENTIC_SESSION_CONFIG", &file)]), 5);
    assert_eq!(with(&[runtime]), 5);
    assert_eq!(with(&[runtime, ("GREENTIC_SESSION_STORE", &empty.url)]), 0);
}

#[test]
fn c8_the_payload_limit_of_the_file_holds() {
    let full = Fixture::durable();
    full.populate();
    let export = full.path("export");
    let export = export.to_str().unwrap();
    full.run(&["export", "--output", export]).ends_with(0);
    let target = Fixture::durable();
    let small = target.config(
        "small.toml",
        &format!("url = {:?}\nmax_payload_bytes = 10", target.url),
    );
    let import = ["import", export, "--config", &small];
    let run = target.run_bare(&import).ends_with(6).reports_one_line();
    assert!(run.err.contains("10"), "{}", run.err);
}

#[test]
fn c18_a_wrong_file_is_named_and_not_repeated() {
    let store = Fixture::durable();
    for content in [
        "url = \"hunter2\"",
        "url = hunter2",
        "hunter 2",
        "url = \"memory:\"\nmax_waits = \"hunter2\"",
        "url = \"memory:\"\npassword = \"hunter2\"",
        "max_waits = 3",
        "{ \"url\": \"memory:\", \"hunter2",
        "[contexts.a]\nurl = \"memory:\"\n[contexts.b]\nurl = \"memory:\"",
        "default = \"hunter2\"\n[contexts.a]\nurl = \"memory:\"",
        "[contexts]",
        "kontext = \"a\"\n[contexts.a]\nurl = \"memory:\"",
    ] {
        let file = store.config("wrong", content);
        let run = store.run_bare(&["stats", "--config", &file]);
        let run = run.ends_with(2).reports_one_line();
        assert!(!run.err.contains("hunter"), "{content}: {}", run.err);
    }
    let file = store.config("names", "[contexts.a]\nurl = \"memory:\"");
    let unknown = ["stats", "--config", &file, "--store", "hunter2"];
    let run = store.run_bare(&unknown).ends_with(2).reports_one_line();
    assert!(run.err.contains("it has a"), "{}", run.err);
    assert!(!run.err.contains("hunter"), "{}", run.err);
    let none = ["stats", "--config", "/no/such/file"];
    store.run_bare(&none).ends_with(3).reports_one_line();
}
