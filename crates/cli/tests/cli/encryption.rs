//! `keyring`, `reseal`, `erase --shred`, `export --sealed`, and the warnings of `doctor` about keys.

use std::fs;

use greentic_session_testkit::test_name;
use serde_json::Value;

use crate::fixture::{Fixture, Run, SECRET_STATE, on_each_store};
use crate::raw;

/// A fixture with a keyring in a file.
struct Keyed<'a> {
    store: &'a Fixture,
    keyring: String,
}

impl<'a> Keyed<'a> {
    fn new(store: &'a Fixture) -> Self {
        let keyring = store.path("keyring").to_str().unwrap().to_owned();
        store.run_bare(&["keyring", "new", &keyring]).ends_with(0);
        Self { store, keyring }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let keyring = ["--keyring", &self.keyring];
        self.store.run(&[arguments, &keyring].concat())
    }

    fn ids(&self) -> Vec<String> {
        let run = self
            .store
            .run_bare(&["keyring", "list", &self.keyring, "--json"]);
        let lines = run.ends_with(0).lines();
        lines
            .iter()
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The last line of a `reseal`.
    fn reseal(&self, more: &[&str]) -> Value {
        let run = self
            .run(&[&["reseal", "--json"], more].concat())
            .ends_with(0);
        run.lines().pop().unwrap()
    }
}

#[test]
fn a_store_is_taken_over_rotated_and_given_back() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let keyed = Keyed::new(store);
        let counted = keyed.reseal(&[]);
        assert_eq!(
            (&counted["clear"], &counted["rewritten"]),
            (&5.into(), &0.into())
        );
        assert_eq!(counted["dry_run"], true);
        assert!(raw::holds(store, SECRET_STATE));
        assert_eq!(keyed.reseal(&["--yes"])["rewritten"], 5);
        let first = keyed.ids();
        store
            .run_bare(&["keyring", "add", &keyed.keyring])
            .ends_with(0);
        let next = keyed.ids();
        assert_eq!((next.len(), next.last()), (2, first.last()));
        store
            .run_bare(&["keyring", "use", &keyed.keyring, &next[0]])
            .ends_with(0);
        assert_eq!(keyed.reseal(&["--yes"])["rewritten"], 5);
        store
            .run_bare(&["keyring", "remove", &keyed.keyring, &first[0]])
            .ends_with(0);
        let shown = keyed
            .run(&["show", "waiting-1", "--reveal", "--json"])
            .ends_with(0);
        assert!(shown.out.contains(SECRET_STATE));
        // Without the keyring the payload cannot be shown, and the list can.
        let refused = store.run(&["show", "waiting-1", "--reveal"]).ends_with(6);
        assert!(!refused.err.contains(SECRET_STATE));
        assert_eq!(store.run(&["list", "--json"]).ends_with(0).keys().len(), 5);
        assert_eq!(keyed.reseal(&["--clear", "--yes"])["rewritten"], 5);
        store.run(&["show", "waiting-1", "--reveal"]).ends_with(0);
    });
}

#[test]
fn a_keyring_is_private_and_never_shown() {
    let store = Fixture::durable();
    store.populate();
    let keyed = Keyed::new(&store);
    let secret = fs::read_to_string(&keyed.keyring).unwrap();
    let secret = secret
        .lines()
        .nth(1)
        .unwrap()
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let again = store.run_bare(&["keyring", "new", &keyed.keyring]);
    let again = again.ends_with(2).reports_one_line();
    let listed = store
        .run_bare(&["keyring", "list", &keyed.keyring])
        .ends_with(0);
    let rotated = store
        .run_bare(&["keyring", "rotate", &keyed.keyring])
        .ends_with(0);
    for run in [again, listed, rotated] {
        assert!(!run.out.contains(&secret) && !run.err.contains(&secret));
    }
    assert_eq!(keyed.ids().len(), 2);
    let current = keyed.ids().pop().unwrap();
    store
        .run_bare(&["keyring", "remove", &keyed.keyring, &current])
        .ends_with(2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&keyed.keyring).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&keyed.keyring, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = keyed.run(&["list"]).ends_with(2).reports_one_line();
        assert!(refused.err.contains("chmod 600"), "{}", refused.err);
    }
}

#[test]
fn doctor_warns_of_clear_data_unknown_keys_and_a_single_keyring() {
    let store = Fixture::durable();
    store.populate();
    let keyed = Keyed::new(&store);
    let codes = |more: &[&str], exit: i32| -> Vec<String> {
        let arguments = [&["doctor", "--json"], more].concat();
        let lines = keyed.run(&arguments).ends_with(exit).lines();
        let warnings = lines.iter().filter(|line| line["kind"] == "warning");
        warnings
            .map(|line| line["code"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(codes(&[], 10), ["stored_in_clear", "keyring_copy"]);
    keyed.reseal(&["--yes"]);
    let copy = store.path("copy").to_str().unwrap().to_owned();
    fs::copy(&keyed.keyring, &copy).unwrap();
    assert_eq!(codes(&["--keyring-copy", &copy], 0), [""; 0]);
    // The copy is out of date then, and the old key is taken out.
    store
        .run_bare(&["keyring", "rotate", &keyed.keyring])
        .ends_with(0);
    let old = keyed.ids().remove(0);
    store
        .run_bare(&["keyring", "remove", &keyed.keyring, &old])
        .ends_with(0);
    assert_eq!(
        codes(&["--keyring-copy", &copy], 10),
        ["unknown_keys", "keyring_copy"]
    );
}

#[test]
fn the_keys_of_a_tenant_are_shredded_with_its_data() {
    on_each_store(test_name!(), |store| {
        let keyed = Keyed::new(store);
        let tenant = [
            "erase",
            "--env=dev",
            "--tenant=globex",
            "--shred",
            "--yes",
            "--json",
        ];
        // Without a shelf nothing is erased.
        keyed.run(&tenant).ends_with(2).reports_one_line();
        store.populate();
        let shelf = store.path("shelf").to_str().unwrap().to_owned();
        let with_shelf =
            |arguments: &[&str]| keyed.run(&[arguments, &["--shelf", &shelf]].concat());
        with_shelf(&["reseal", "--yes"]).ends_with(0);
        let export = store.path("export").to_str().unwrap().to_owned();
        with_shelf(&["export", "--sealed", "--output", &export]).ends_with(0);
        assert!(!fs::read_to_string(&export).unwrap().contains(SECRET_STATE));
        let receipt = with_shelf(&tenant).ends_with(0).json();
        assert_eq!(receipt["verified"], true);
        let keys = receipt["keys_shredded"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].as_str().unwrap().len(), 32);
        // The backup of the erased tenant cannot be read any more; that of the other can.
        let refused = with_shelf(&["import", &export, "--merge"]).ends_with(6);
        assert!(refused.err.contains("key"), "{}", refused.err);
        let shown = with_shelf(&["show", "waiting-1", "--reveal"]).ends_with(0);
        assert!(shown.out.contains(SECRET_STATE));
    });
}

#[test]
fn a_sealed_export_is_imported_with_its_keys_only() {
    let store = Fixture::durable();
    store.populate();
    let keyed = Keyed::new(&store);
    keyed.reseal(&["--yes"]);
    let export = store.path("export").to_str().unwrap().to_owned();
    let no_keys = store.run(&["export", "--sealed", "--output", &export]);
    no_keys.ends_with(2).reports_one_line();
    keyed
        .run(&["export", "--sealed", "--zstd", "--output", &export])
        .ends_with(0);
    let target = Fixture::durable();
    target
        .run(&["import", &export])
        .ends_with(2)
        .reports_one_line();
    let imported = target.run(&["import", &export, "--keyring", &keyed.keyring]);
    imported.ends_with(0);
    assert!(!raw::holds(&target, SECRET_STATE));
    let shown = target.run(&["show", "waiting-1", "--reveal", "--keyring", &keyed.keyring]);
    assert!(shown.ends_with(0).out.contains(SECRET_STATE));
}

#[test]
fn a_receipt_names_a_user_by_an_hmac_or_not() {
    let store = Fixture::durable();
    store.populate();
    let (secret, receipt) = (store.path("secret"), store.path("receipt"));
    fs::write(&secret, [7; 32]).unwrap();
    let person = [
        "erase",
        "--env=dev",
        "--tenant=globex",
        "--user=hunter-the-user",
        "--yes",
        "--json",
    ];
    let run = |more: &[&str]| store.run(&[&person[..], more].concat());
    let named = ["--receipt-key", secret.to_str().unwrap()];
    let first = run(&named).ends_with(0).json();
    let code = first["subject"]["user_hmac"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 64);
    // It is that of the library.
    let keyed = greentic_session::mapping::Keyed::new([7; 32]).unwrap();
    let ctx = crate::fixture::ctx("globex", "hunter-the-user");
    let expected = keyed.user_id(&ctx, "erasure receipt", "hunter-the-user");
    assert_eq!(code, expected.unwrap().as_str());
    let short = store.path("short");
    fs::write(&short, "short").unwrap();
    run(&["--receipt-key", short.to_str().unwrap()])
        .ends_with(2)
        .reports_one_line();
    // A run that was not finished is continued only if its receipt identifies the user.
    let kept = ["--receipt", receipt.to_str().unwrap()];
    run(&kept).ends_with(0);
    let text = fs::read_to_string(&receipt).unwrap();
    let mut unfinished: Value = serde_json::from_str(&text).unwrap();
    unfinished["finished"] = Value::Null;
    fs::write(&receipt, unfinished.to_string()).unwrap();
    run(&kept).ends_with(2).reports_one_line();
    unfinished["subject"]["user_hmac"] = code.into();
    fs::write(&receipt, unfinished.to_string()).unwrap();
    let again = run(&[kept, named].concat()).ends_with(0).json();
    assert_eq!(again["unfinished_runs"].as_array().unwrap().len(), 1);
}
