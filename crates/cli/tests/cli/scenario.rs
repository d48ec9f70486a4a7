//! `demo`, the default store, `completions` and `man`.

use greentic_session_testkit::test_name;

use crate::fixture::{Fixture, on_each_store};

#[test]
fn the_demo_plays_all_steps_and_leaves_nothing() {
    on_each_store(test_name!(), |store| {
        for _ in 0..2 {
            let run = store.run(&["demo"]).ends_with(0);
            for part in ["Claimed, attempt 1", "Busy", "Duplicate", "globex"] {
                assert!(run.out.contains(part), "{part}: {}", run.out);
            }
        }
        let steps = store
            .run(&["demo", "--json", "--keep"])
            .ends_with(0)
            .lines();
        assert_eq!(steps.len(), 7);
        assert_eq!(steps[6]["step"], 7);
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        assert_eq!(stats["total"]["waiting"], 2);
        // The kept data makes a second demo fail.
        let again = store.run(&["demo", "--keep"]).ends_with(4);
        assert!(again.err.contains("Duplicate"), "{}", again.err);
        store.run(&["demo"]);
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        assert_eq!(stats["total"]["sessions"], 0);
    });
}

#[test]
fn the_default_store_is_a_file_in_the_data_directory() {
    let fixture = Fixture::durable();
    let file = fixture.path("data/greentic-session/sessions.redb");
    let run = fixture.run_bare(&["stats"]).ends_with(3).reports_one_line();
    assert!(run.err.contains(file.to_str().unwrap()), "{}", run.err);
    assert!(!file.exists());
    fixture.run_bare(&["demo", "--keep"]).ends_with(0);
    assert!(file.exists());
    let stats = fixture.run_bare(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], 2);
}

#[test]
fn the_demo_runs_on_a_memory_store() {
    let fixture = Fixture::durable();
    let run = fixture
        .run_bare(&["--store", "memory:", "demo"])
        .ends_with(0);
    assert!(run.out.contains("Duplicate"), "{}", run.out);
}

#[test]
fn completions_name_the_commands() {
    let fixture = Fixture::durable();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = fixture.run_bare(&["completions", shell]).ends_with(0).out;
        assert!(
            script.contains("migrate") && script.contains("doctor"),
            "{shell}"
        );
    }
    let text = fixture
        .run_bare(&["completions", "bash", "--json"])
        .ends_with(0)
        .json();
    assert!(text["text"].as_str().unwrap().contains("migrate"));
}

#[test]
fn the_manual_has_the_exit_codes_and_a_page_for_each_command() {
    let fixture = Fixture::durable();
    let page = fixture.run_bare(&["man"]).ends_with(0).out;
    assert!(
        page.contains(".TH greentic\\-session") || page.contains(".TH greentic-session"),
        "{page}"
    );
    assert!(page.contains("an index contradicts the sessions"), "{page}");
    let directory = fixture.path("man");
    fixture
        .run_bare(&["man", "--dir", directory.to_str().unwrap()])
        .ends_with(0);
    assert!(directory.join("greentic-session-migrate.1").is_file());
    let help = fixture.run_bare(&["--help"]).ends_with(0).out;
    assert!(help.contains("130  interrupted"), "{help}");
}
