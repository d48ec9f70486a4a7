//! Files, the environment and URLs give a store the same configuration, for every setting.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use greentic_session::StoreConfig;
use proptest::prelude::*;
use proptest::sample::Index;

const PREFIX: &str = "GREENTIC_SESSION__";
const URLS: [&str; 5] = [
    "memory:",
    "redb:///var/lib/flows/a%20b.redb",
    "rediss://me:p%40ss@h:7/2",
    "rediss-sentinel://a,b:7/main/1",
    "rediss-cluster://a,b:7",
];

/// The names of all settings, as the error of an unknown one tells them.
fn known(url: &str) -> Vec<String> {
    let error = StoreConfig::from_url(format!("{url}?unknown=1")).unwrap_err();
    let (_, names) = error.message.rsplit_once(" are ").unwrap();
    names.split(", ").map(str::to_owned).collect()
}

/// A value that the setting may have.
fn value(name: &str, number: u8) -> String {
    let number = number % 60 + 1;
    let unit = ["ms", "s", "m", "s500ms"][usize::from(number % 4)];
    match name {
        "default_ttl" | "message_window" | "sync_every" | "linger" | "timeout" | "open_timeout" => {
            format!("{number}{unit}")
        }
        "pointer_sweep" | "due_coverage" if number == 1 => "off".to_owned(),
        "pointer_sweep" => format!("{number}{unit}"),
        "connect_timeout" | "due_coverage" => format!("{number}s"),
        // It is longer than any time for replicas, also than the default of 1 second.
        "response_timeout" => format!("{}s", number + 1),
        "min_replicas_timeout" => format!("{number}ms"),
        "max_payload_bytes" | "cache_bytes" => {
            let unit = ["", "KiB", "MiB", "GiB"][usize::from(number % 4)];
            format!("{number}{unit}")
        }
        "max_messages" | "max_waits" | "max_batch" | "max_queued" | "connections"
        | "min_replicas" => number.to_string(),
        "find_by_user" => ["waits-only", "waits-and-created"][usize::from(number % 2)].to_owned(),
        "plaintext" => ["refuse", "accept"][usize::from(number % 2)].to_owned(),
        "hide_summary" | "compact_on_open" | "check_on_open" | "quick_repair" => {
            number.is_multiple_of(2).to_string()
        }
        "protocol" => (number % 2 + 2).to_string(),
        "namespace" | "username" | "password" | "sentinel_username" | "sentinel_password" => {
            format!("x{number}")
        }
        "keyring" | "shelf" => format!("/etc/flows/{number}"),
        "tls_ca" | "tls_cert" | "tls_key" => format!("/etc/ssl/{number}.pem"),
        other => panic!("the setting `{other}` needs a value in this test"),
    }
}

/// A value as files have it: bare where the format has numbers and switches.
fn bare(value: &str) -> String {
    let is_bare = value.parse::<u64>().is_ok() || value.parse::<bool>().is_ok();
    if is_bare {
        value.to_owned()
    } else {
        format!("{value:?}")
    }
}

fn assert_same(url: &str, settings: &BTreeMap<String, String>) {
    let pairs = settings.iter();
    let query: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let separator = if query.is_empty() { "" } else { "?" };
    let of_url = format!("{url}{separator}{}", query.join("&"));
    let of_url = StoreConfig::from_url(of_url).unwrap();
    let expected = of_url.backend().unwrap();

    let mut pairs = settings.clone();
    pairs.insert("url".to_owned(), url.to_owned());
    let variables = pairs.iter().map(|(name, value)| {
        let name = format!("{PREFIX}{}", name.to_uppercase());
        (OsString::from(name), OsString::from(value))
    });
    let of_env = StoreConfig::from_variables(PREFIX, variables).unwrap();
    assert_eq!(of_env.backend().unwrap(), expected);

    let lines = |separator: &str| -> Vec<String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| format!("{name}{separator}{}", bare(value)))
            .collect()
    };
    let of_toml: StoreConfig = toml::from_str(&lines(" = ").join("\n")).unwrap();
    assert_eq!(of_toml.backend().unwrap(), expected);

    let of_yaml: StoreConfig = serde_yaml_ng::from_str(&lines(": ").join("\n")).unwrap();
    assert_eq!(of_yaml.backend().unwrap(), expected);

    let members = pairs
        .iter()
        .map(|(name, value)| format!("{name:?}: {}", bare(value)));
    let json = format!("{{{}}}", members.collect::<Vec<_>>().join(", "));
    let of_json: StoreConfig = serde_json::from_str(&json).unwrap();
    assert_eq!(of_json.backend().unwrap(), expected);
}

#[test]
fn every_setting_is_the_same_from_each_source() {
    for url in URLS {
        for number in 1..8 {
            let all = known(url).into_iter();
            let all = all.map(|name| (name.clone(), value(&name, number)));
            assert_same(url, &all.collect());
        }
    }
}

#[test]
fn each_setting_alone_changes_the_configuration() {
    for url in URLS {
        let defaults = StoreConfig::from_url(url).unwrap().backend().unwrap();
        for name in known(url) {
            let changes = (1..=60).any(|number| {
                let config = StoreConfig::from_url(url).unwrap();
                let config = config.set(name.as_str(), value(&name, number)).unwrap();
                config.backend().unwrap() != defaults
            });
            assert!(changes, "{url}: {name}");
        }
    }
}

proptest! {
    #[test]
    fn any_settings_are_the_same_from_each_source(
        url in any::<Index>(),
        chosen in prop::collection::vec((any::<Index>(), any::<u8>()), 0..12),
    ) {
        let url = url.get(&URLS);
        let known = known(url);
        let settings = chosen.iter().map(|(index, number)| {
            let name = index.get(&known);
            (name.clone(), value(name, *number))
        });
        assert_same(url, &settings.collect());
    }
}

#[test]
fn the_documentation_lists_every_setting() {
    let document = include_str!("../../../../docs/configuration.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows.filter_map(|row| row.split('`').next()).collect();
    let known: BTreeSet<_> = URLS.into_iter().flat_map(known).collect();
    let known: BTreeSet<_> = known.iter().map(String::as_str).chain(["url"]).collect();
    assert_eq!(listed, known);
}
