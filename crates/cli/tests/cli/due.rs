//! Timeouts: `due`, and what `show`, `list`, `stats`, `export` and `import` do with them (C32).

use std::fs;
use std::time::Duration;

use greentic_session::{DueOptions, ParkOptions, Timeout};
use greentic_session_testkit::test_name;
use greentic_types::{TenantCtx, UserId};
use serde_json::json;

use crate::fixture::{Fixture, HOUR, ctx, data, on_each_store};
use crate::samples::{key, scope};

/// Of the secret user: a wait that is late, one that closes in an hour, one that reminds in two, and one
/// without a timeout.
fn populate(store: &Fixture) {
    park(store, "reminds", "reminds", Some(Timeout::remind(2 * HOUR)));
    park(store, "late", "late", Some(Timeout::remind(Duration::ZERO)));
    park(store, "none", "none", None);
    park(store, "closes", "closes", Some(Timeout::close(HOUR)));
}

/// Parks a wait that is closed at once, and waits for that: no time acts as a millisecond.
fn park_closed(store: &Fixture, name: &str, on: &str) {
    park(store, name, on, Some(Timeout::close(Duration::ZERO)));
    let (ctx, user) = owner();
    store.store(|store| {
        let mut looks = (0..1_000).map(|_look| store.find(&ctx, &user, &scope(on)).unwrap());
        assert!(looks.any(|found| found.is_none()));
    });
}

fn owner() -> (TenantCtx, UserId) {
    let user = UserId::try_from("hunter-the-user").unwrap();
    (ctx("acme", "hunter-the-user"), user)
}

fn park(store: &Fixture, name: &str, on: &str, timeout: Option<Timeout>) {
    let (ctx, user) = owner();
    let mut options = ParkOptions::new().ttl(48 * HOUR);
    options.timeout = timeout;
    store.store(|store| {
        let (scope, key, data) = (scope(on), key(name), data(&ctx, "support"));
        let _ = store
            .park(&ctx, &user, &scope, &key, data, options)
            .unwrap();
    });
}

#[test]
fn c32_due_lists_the_late_ones_first() {
    on_each_store(test_name!(), |store| {
        populate(store);
        let run = store.run(&["due", "--json"]).ends_with(0);
        assert_eq!(run.keys(), ["late", "closes", "reminds"]);
        let lines = run.lines();
        assert_eq!(lines[1]["timeout_kind"], "close");
        let end = json!({"kind": "end", "sessions": 3, "timeouts": 3, "due": 1, "unreadable": 0});
        assert_eq!(lines[3], end);

        let first = store.run(&["due", "--limit=1", "--json"]).ends_with(0);
        assert_eq!(first.keys(), ["late"]);
        assert_eq!(first.lines()[1]["timeouts"], 3);
        let keys = |within: &str| {
            let run = store.run(&["due", "--within", within, "--json"]);
            run.ends_with(0).keys()
        };
        assert_eq!(keys("0s"), ["late"]);
        assert_eq!(keys("90m"), ["late", "closes"]);
        let others = store
            .run(&["due", "--tenant=globex", "--json"])
            .ends_with(0);
        assert!(others.keys().is_empty());

        let text = store.run(&["due", "--limit=2"]).ends_with(0);
        let rows: Vec<_> = text.out.lines().collect();
        assert!(
            rows[1].starts_with("late") && rows[1].contains("late "),
            "{}",
            text.out
        );
        assert!(
            rows[2].contains("close") && rows[2].contains("59m"),
            "{}",
            text.out
        );
        let hint = "3 timeouts, 1 of them due; --limit shows the other 1";
        assert!(text.err.contains(hint), "{}", text.err);
        assert!(!format!("{}{}", text.out, text.err).contains("hunter"));
    });
}

#[test]
fn c32_a_claimed_wait_is_not_due() {
    on_each_store(test_name!(), |store| {
        park(store, "late", "late", Some(Timeout::remind(Duration::ZERO)));
        store.store(|store| {
            // No time acts as a millisecond.
            let mut polls =
                (0..1_000).map(|_poll| store.claim_due(&DueOptions::new(HOUR)).unwrap());
            let page = polls.find(|page| !page.turns.is_empty());
            assert_eq!(page.unwrap().turns.len(), 1);
        });
        let lines = store.run(&["due", "--json"]).ends_with(0).lines();
        assert_eq!(
            (&lines[0]["state"], &lines[1]["due"]),
            (&json!("claimed"), &json!(0))
        );
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        assert_eq!(
            (&stats["due"], &stats["longest_due_ms"]),
            (&json!(0), &json!(null))
        );
    });
}

#[test]
fn c32_show_list_and_stats_show_timeouts() {
    on_each_store(test_name!(), |store| {
        populate(store);
        let shown = |name: &str| store.run(&["show", name]).ends_with(0).out;
        let text = shown("late");
        assert!(
            text.contains("timeout       remind 2") && text.contains(" ago)"),
            "{text}"
        );
        let text = shown("closes");
        assert!(
            text.contains("timeout       close 2") && text.contains("(in 59m"),
            "{text}"
        );
        let text = shown("none");
        assert!(text.contains("timeout       none"), "{text}");
        let json = store.run(&["show", "none", "--json"]).ends_with(0).json();
        assert_eq!(
            (&json["timeout_at"], &json["timeout_kind"]),
            (&json!(null), &json!(null))
        );

        let list = store.run(&["list"]).ends_with(0).out;
        let row = |name: &str| list.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(row("KEY").contains("TIMEOUT"), "{list}");
        assert!(row("late").contains("late "), "{list}");
        assert!(
            row("reminds").contains("1h 59m") && row("none").contains("none"),
            "{list}"
        );

        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        assert_eq!(stats["due"], 1);
        assert!(stats["longest_due_ms"].is_u64());
        let bins = stats["timeouts"].as_array().unwrap();
        let bins: Vec<_> = bins
            .iter()
            .map(|bin| bin["sessions"].as_u64().unwrap())
            .collect();
        assert_eq!(bins, [1, 1, 1, 0, 0, 0, 1]);
        let text = store.run(&["stats"]).ends_with(0).out;
        assert!(text.contains("1 timeout due, the first for "), "{text}");
        assert!(text.contains("TIMEOUT IN"), "{text}");
    });
}

/// The wait that has closed, and the one that took its scope, are two sessions of one scope.
#[test]
fn c26_timeouts_are_exported_and_imported() {
    on_each_store(test_name!(), |store| {
        populate(store);
        park_closed(store, "closed", "shared");
        park(store, "next", "shared", None);
        let (file, other) = (store.path("all.export"), Fixture::durable());
        let file = file.to_str().unwrap();
        store.run(&["export", "--output", file]).ends_with(0);
        let exported = fs::read_to_string(file).unwrap();
        assert_eq!(
            exported.matches(r#""timeout":{"at":"#).count(),
            4,
            "{exported}"
        );
        for arguments in [
            &["import", file, "--dry-run", "--json"][..],
            &["import", file, "--json"],
        ] {
            let report = other.run(arguments).ends_with(0).json();
            assert_eq!(
                (&report["imported"], &report["exists"]),
                (&json!(6), &json!(0))
            );
        }
        for name in ["late", "closes", "reminds", "none", "closed", "next"] {
            let of = |store: &Fixture| {
                let json = store.run(&["show", name, "--json"]).ends_with(0).json();
                (json["timeout_at"].clone(), json["timeout_kind"].clone())
            };
            assert_eq!(of(&other), of(store), "{name}");
        }
        other.store(|other| {
            let due = other.claim_due(&DueOptions::new(HOUR)).unwrap().turns;
            let mut due: Vec<_> = due
                .iter()
                .map(|turn| turn.token.session_key().as_str())
                .collect();
            due.sort_unstable();
            assert_eq!(due, ["closed", "late"]);
            let found = other.find(
                &ctx("acme", "hunter-the-user"),
                &UserId::try_from("hunter-the-user").unwrap(),
                &scope("shared"),
            );
            assert_eq!(found.unwrap(), Some(key("next")));
        });
    });
}

#[test]
fn c26_a_migration_takes_timeouts_along() {
    on_each_store(test_name!(), |store| {
        populate(store);
        park_closed(store, "closed", "shared");
        park(store, "next", "shared", None);
        let target = Fixture::durable();
        let migrate = [
            "migrate",
            "--from",
            &store.url,
            "--to",
            &target.url,
            "--json",
        ];
        let report = store.run_bare(&migrate).ends_with(0).json();
        assert_eq!(
            (&report["imported"], &report["verified"]),
            (&json!(6), &json!(true))
        );
        let keys = target.run(&["due", "--json"]).ends_with(0).keys();
        assert_eq!(keys, ["late", "closed", "closes", "reminds"]);
    });
}

#[test]
fn c32_timeouts_are_set_with_yes_only() {
    on_each_store(test_name!(), |store| {
        populate(store);
        let timeout = |name: &str| {
            let json = store.run(&["show", name, "--json"]).ends_with(0).json();
            (json["timeout_kind"].clone(), json["timeout_at"].as_u64())
        };
        let before = timeout("none");
        assert_eq!(before, (json!(null), None));
        let set = ["timeout", "none", "closes", "--remind=3h"];
        let dry = store.run(&set).ends_with(0);
        let told = "dry run: 2 waits would remind in 3h; --yes sets the timeout";
        assert!(dry.err.contains(told), "{}", dry.err);
        assert!(dry.out.contains("closes"), "{}", dry.out);
        assert_eq!(timeout("none"), before);

        let run = store.run(&[&set[..], &["--yes", "--json"]].concat());
        let lines = run.ends_with(0).lines();
        assert_eq!(
            (&lines[0]["outcome"], &lines[2]["set"]),
            (&json!("set"), &json!(2))
        );
        let at = lines[0]["timeout_at"].as_u64();
        assert_eq!(timeout("none"), (json!("remind"), at));
        assert_eq!(timeout("closes").0, "remind");
        let run = store
            .run(&["timeout", "--flow=support", "--close=4h", "--yes"])
            .ends_with(0);
        assert_eq!(run.out, "4 waits set to close in 4h\n");
        assert_eq!(timeout("late").0, "close");
        let none = ["timeout", "--tenant=acme", "--none"];
        let dry = store.run(&none).ends_with(0);
        assert!(
            dry.err.contains("4 waits would have no timeout"),
            "{}",
            dry.err
        );
        store.run(&[&none[..], &["--yes"]].concat()).ends_with(0);
        let left = store.run(&["due", "--json"]).ends_with(0);
        assert!(left.keys().is_empty());
    });
}

#[test]
fn c32_what_takes_no_timeout_is_counted() {
    on_each_store(test_name!(), |store| {
        store.populate();
        park(store, "short", "short", None);
        for yes in [None, Some("--yes")] {
            let outcomes = |run: crate::fixture::Run| {
                let mut lines = run.reports_one_line().lines();
                let end = lines.pop().unwrap();
                let mut outcomes: Vec<_> = lines
                    .iter()
                    .map(|line| {
                        let (key, outcome) = (&line["key"], &line["outcome"]);
                        format!("{} {}", key.as_str().unwrap(), outcome.as_str().unwrap())
                    })
                    .collect();
                outcomes.sort_unstable();
                (outcomes, end)
            };
            // The session lives for 48 hours.
            let mut late = vec!["timeout", "short", "--remind=48h", "--json"];
            late.extend(yes);
            let (found, end) = outcomes(store.run(&late).ends_with(4));
            assert_eq!(
                (found, &end["too_late"]),
                (vec!["short too_late".to_owned()], &json!(1))
            );
            let mut other = vec!["timeout", "claimed-1", "idle-1", "--close=1m", "--json"];
            other.extend(yes);
            let (found, end) = outcomes(store.run(&other).ends_with(4));
            assert_eq!(found, ["claimed-1 claimed", "idle-1 not_waiting"]);
            assert_eq!(
                (&end["claimed"], &end["not_waiting"]),
                (&json!(1), &json!(1))
            );
            let mut idle = vec!["timeout", "--state=idle", "--none"];
            idle.extend(yes);
            let run = store.run(&idle).ends_with(0);
            let told = run.out + &run.err;
            assert!(
                told.contains("0 waits") && told.contains("not waiting"),
                "{told}"
            );
        }
        let unknown = store.run(&["timeout", "unknown", "--none"]).ends_with(3);
        let _ = unknown.reports_one_line();
    });
}

#[test]
fn bad_input_is_refused() {
    let store = Fixture::durable();
    park(&store, "late", "late", None);
    let run = store.run(&["due", "--within", "soon"]).ends_with(2);
    assert!(run.reports_one_line().err.contains("--within"));
    for (arguments, told) in [
        (&["late", "--remind=soon"][..], "--remind"),
        (&["late", "--close=300000000d"], "too long"),
        (&["--none"], "--tenant"),
    ] {
        let run = store.run(&[&["timeout"], arguments].concat()).ends_with(2);
        let run = run.reports_one_line();
        assert!(run.err.contains(told), "{}", run.err);
    }
    store.run(&["timeout", "late"]).ends_with(2);
    store
        .run(&["timeout", "late", "--none", "--close=1h"])
        .ends_with(2);
}
