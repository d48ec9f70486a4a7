//! `stats`, `list`, `show`, `waits` and `watch`.

use greentic_session_testkit::test_name;
use serde_json::json;

use crate::fixture::{SECRET_STATE, SECRET_USER, on_each_quiet_store, on_each_store};

#[test]
fn stats_count_by_state_tenant_and_flow() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        let total = &stats["total"];
        assert_eq!(
            [
                &total["sessions"],
                &total["waiting"],
                &total["claimed"],
                &total["idle"]
            ],
            [5, 3, 1, 1]
        );
        let tenants = stats["by_tenant"].as_array().unwrap();
        assert_eq!(tenants[1]["tenant"], "globex");
        assert_eq!(tenants[1]["sessions"], 2);
        let flows = stats["by_flow"].as_array().unwrap();
        assert_eq!(
            (&flows[0]["flow"], &flows[0]["sessions"]),
            (&json!("order"), &json!(2))
        );
        let bins = stats["expiries"].as_array().unwrap();
        let sum: u64 = bins
            .iter()
            .map(|bin| bin["sessions"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, 5);
        assert_eq!(
            bins.last().unwrap(),
            &json!({"below_ms": null, "has_time": false, "sessions": 1})
        );

        let text = store.run(&["stats", "--tenant", "acme"]).ends_with(0).out;
        assert!(text.starts_with("3 sessions"), "{text}");
        assert!(
            text.contains("dev/acme") && !text.contains("globex"),
            "{text}"
        );
        assert!(
            text.contains("EXPIRES IN") && text.contains("below 1h"),
            "{text}"
        );
    });
}

#[test]
fn stats_of_many_tenants_show_the_largest() {
    on_each_store(test_name!(), |store| {
        store
            .run(&["demo", "--fill", "90", "--tenants", "30"])
            .ends_with(0);
        let text = store.run(&["stats"]).ends_with(0).out;
        assert!(
            text.contains("and 10 more with 30 sessions; --all shows them"),
            "{text}"
        );
        let text = store.run(&["stats", "--all"]).ends_with(0).out;
        assert!(
            text.contains("demo/tenant-29") && !text.contains("more with"),
            "{text}"
        );
    });
}

#[test]
fn list_filters_by_each_part() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let keys = |arguments: &[&str]| {
            let mut all = vec!["list", "--json"];
            all.extend(arguments);
            let mut keys = store.run(&all).ends_with(0).keys();
            keys.sort();
            keys
        };
        assert_eq!(keys(&[]).len(), 5);
        assert_eq!(keys(&["--env", "prod"]), [""; 0]);
        assert_eq!(keys(&["--tenant", "globex"]), ["secret-1", "secret-2"]);
        assert_eq!(keys(&["--team", "red"]), [""; 0]);
        assert_eq!(keys(&["--user", "bob"]), ["idle-1"]);
        assert_eq!(keys(&["--flow", "order"]), ["claimed-1", "secret-2"]);
        assert_eq!(keys(&["--state", "claimed"]), ["claimed-1"]);
        assert_eq!(
            keys(&["--state", "waiting", "--tenant", "acme"]),
            ["waiting-1"]
        );
        assert_eq!(keys(&["--older-than", "1h"]), [""; 0]);
        assert_eq!(keys(&["--older-than", "0s"]).len(), 5);
        assert_eq!(
            keys(&["--expires-within", "2h", "--tenant", "acme"]),
            ["waiting-1"]
        );
    });
}

#[test]
fn list_pages_show_everything_once() {
    // A server that other tests use may resize its tables, and then return a session twice (C21).
    on_each_quiet_store(test_name!(), |store| {
        store.run(&["demo", "--fill", "60"]).ends_with(0);
        let mut keys = Vec::new();
        let mut arguments = vec![
            "list".to_owned(),
            "--json".to_owned(),
            "--limit=7".to_owned(),
        ];
        loop {
            let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let page = store.run(&words).ends_with(0);
            let end = page.lines().pop().unwrap();
            assert_eq!(end["sessions"], page.keys().len());
            keys.extend(page.keys());
            let Some(next) = end["next"].as_str() else {
                break;
            };
            arguments.truncate(3);
            arguments.push(format!("--after={next}"));
        }
        keys.sort();
        let expected: Vec<_> = (0..60).map(|number| format!("run-{number:07}")).collect();
        assert_eq!(keys, expected);
    });
}

#[test]
fn c18_users_and_payloads_are_shown_with_reveal_only() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let hidden: &[&[&str]] = &[
            &["list"],
            &["list", "--json"],
            &["show", "secret-1"],
            &["show", "secret-1", "--json"],
            &["stats", "--json"],
            &[
                "waits",
                "--env=dev",
                "--tenant=globex",
                "--user=hunter-the-user",
            ],
        ];
        for arguments in hidden {
            let run = store.run(arguments).ends_with(0);
            assert!(
                run.out.contains("secret-1") || run.out.contains("total"),
                "{}",
                run.out
            );
            assert!(
                !format!("{}{}", run.out, run.err).contains("hunter"),
                "{arguments:?}"
            );
        }
        let text = store
            .run(&["show", "secret-1", "--reveal"])
            .ends_with(0)
            .out;
        assert!(
            text.contains(SECRET_USER) && text.contains(SECRET_STATE),
            "{text}"
        );
        let shown = store
            .run(&["show", "secret-1", "--reveal", "--json"])
            .ends_with(0)
            .json();
        assert_eq!(shown["user"], SECRET_USER);
        assert!(
            shown["data"]["context_json"]
                .as_str()
                .unwrap()
                .contains(SECRET_STATE)
        );
        let text = store.run(&["list", "--reveal"]).ends_with(0).out;
        assert!(
            text.contains(SECRET_USER) && !text.contains(SECRET_STATE),
            "{text}"
        );
    });
}

#[test]
fn show_prints_everything_of_a_session() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let shown = store
            .run(&["show", "claimed-1", "--json"])
            .ends_with(0)
            .json();
        let expected = json!({
            "key": "claimed-1", "env": "dev", "tenant": "acme", "team": null, "has_user": true,
            "flow": "order", "node": "ask_name", "state": "claimed", "attempt": 1, "revision": 1,
        });
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&shown[field], value, "{field}");
        }
        let number = |field: &str| shown[field].as_u64().unwrap();
        assert!(number("claimed_until") > number("waits_since"));
        assert!(number("deadline") > number("claimed_until"));
        let text = store.run(&["show", "claimed-1"]).ends_with(0).out;
        assert!(
            text.contains("claimed until") && text.contains("(in 1d 23h)"),
            "{text}"
        );
        let unknown = store
            .run(&["show", "nobody"])
            .ends_with(3)
            .reports_one_line();
        assert!(
            unknown.err.contains("there is no session nobody"),
            "{}",
            unknown.err
        );
    });
}

#[test]
fn c10_waits_are_in_order_of_registration() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let arguments = ["waits", "--env=dev", "--tenant=acme", "--user=ann"];
        let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let run = store.run(&json).ends_with(0);
        assert_eq!(run.keys(), ["waiting-1", "claimed-1"]);
        assert_eq!(
            run.lines().pop().unwrap(),
            json!({"kind": "end", "sessions": 2})
        );
        let text = store.run(&arguments).ends_with(0).out;
        assert!(
            text.find("waiting-1").unwrap() < text.find("claimed-1").unwrap(),
            "{text}"
        );
        let none = [
            "waits",
            "--env=dev",
            "--tenant=acme",
            "--team=-",
            "--user=ann",
            "--json",
        ];
        assert!(store.run(&none).ends_with(0).keys().is_empty());
    });
}

#[test]
fn watch_prints_the_stats_repeatedly() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let watch = [
            "watch",
            "--json",
            "--count=3",
            "--interval=1ms",
            "--state=waiting",
        ];
        let lines = store.run(&watch).ends_with(0).lines();
        let waiting: Vec<_> = lines
            .iter()
            .map(|line| line["total"]["sessions"].clone())
            .collect();
        assert_eq!(waiting, [3, 3, 3]);
    });
}
