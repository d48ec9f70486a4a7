//! `erase`.

use std::fs;
use std::time::Duration;

use greentic_session::ClaimOptions;
use greentic_session::ClaimOutcome;
use greentic_session::Commit;
use greentic_session::CommitOptions;
use greentic_session::MessageId;
use greentic_session_testkit::test_name;
use greentic_types::UserId;
use serde_json::Value;

use crate::fixture::{Fixture, SECRET_STATE, SECRET_USER, ctx, data, on_each_store};
use crate::raw;
use crate::samples::{key, scope};

const PERSON: [&str; 4] = [
    "erase",
    "--env=dev",
    "--tenant=globex",
    "--user=hunter-the-user",
];

/// A user with sessions, a wait and a remembered message; other users have another payload.
fn populate(store: &Fixture) {
    store.populate();
    store.store(|store| {
        let (ctx, user) = (
            ctx("globex", SECRET_USER),
            UserId::try_from(SECRET_USER).unwrap(),
        );
        let lease = Duration::from_secs(60);
        let claimed = store
            .claim(
                &ctx,
                &user,
                &[scope("secret-2")],
                &MessageId::new("m-9"),
                ClaimOptions::new(lease),
            )
            .unwrap();
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("the wait exists and is not claimed")
        };
        let next = Commit::park(scope("secret-2"), data(&ctx, "order"));
        store
            .commit(&claim.token, next, CommitOptions::new())
            .unwrap();
        for name in ["waiting-1", "claimed-1", "idle-1"] {
            let _ = store.revoke(&key(name)).unwrap();
            let mut other = store.get(&key(name)).unwrap().unwrap().data.clone();
            other.context_json = "{}".to_owned();
            store.update(&key(name), other, Default::default()).unwrap();
        }
    });
}

fn erased(store: &Fixture, more: &[&str]) -> Value {
    let arguments: Vec<&str> = PERSON.iter().chain(more).copied().collect();
    store.run(&arguments).ends_with(0).json()
}

#[test]
fn c22_nothing_of_the_user_is_left_in_the_bytes_of_the_store() {
    on_each_store(test_name!(), |store| {
        populate(store);
        assert!(raw::holds(store, SECRET_USER) && raw::holds(store, SECRET_STATE));
        let receipt = erased(store, &["--yes"]);
        assert_eq!(receipt["verified"], true);
        assert_eq!(receipt["found"]["sessions"], 2);
        assert_eq!(receipt["found"]["message_ids"], 1);
        assert_eq!(receipt["remaining"]["sessions"], 0);
        for text in [SECRET_USER, SECRET_STATE, "secret-1", "globex"] {
            assert!(!raw::holds(store, text), "{text}");
        }
        assert!(!receipt.to_string().contains(SECRET_USER));
        // Other users keep everything.
        let mut left = store.run(&["list", "--json"]).ends_with(0).keys();
        left.sort();
        assert_eq!(left, ["claimed-1", "idle-1", "waiting-1"]);
        let doctor = store.run(&["doctor", "--json"]);
        assert!(doctor.code == 0 || doctor.code == 10, "{}", doctor.out);
    });
}

#[test]
fn a_dry_run_erases_nothing() {
    on_each_store(test_name!(), |store| {
        populate(store);
        let receipt = erased(store, &["--json"]);
        assert_eq!(
            (&receipt["dry_run"], &receipt["verified"]),
            (&true.into(), &false.into())
        );
        assert_eq!(receipt["found"]["sessions"], 2);
        assert!(raw::holds(store, SECRET_USER));
        let run = store
            .run(&["erase", "--env=dev", "--tenant=globex"])
            .ends_with(0);
        assert!(
            run.out
                .starts_with("2 sessions and 1 message id would be erased"),
            "{}",
            run.out
        );
        assert!(run.err.contains("--yes erases"), "{}", run.err);
    });
}

#[test]
fn a_finished_receipt_is_signed() {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    on_each_store(test_name!(), |store| {
        populate(store);
        let [key, file, no_key] =
            ["key.pem", "receipt.json", "no.pem"].map(|name| store.path(name));
        let signing = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let pem = signing.to_pkcs8_pem(LineEnding::LF).unwrap();
        fs::write(&key, pem.as_bytes()).unwrap();
        fs::write(&no_key, "hunter2").unwrap();
        let with = |key: &str, receipt: &str| -> Vec<String> {
            let more = ["--yes", "--json", "--receipt", receipt, "--sign-key", key];
            let all = PERSON.iter().chain(&more);
            all.map(|word| (*word).to_owned()).collect()
        };
        let run = |key: &str, receipt: &str| {
            let arguments = with(key, receipt);
            store.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let named = file.to_str().unwrap();
        // A wrong key ends the command before anything is erased.
        let refused = run(no_key.to_str().unwrap(), named)
            .ends_with(2)
            .reports_one_line();
        assert!(!refused.err.contains("hunter2"));
        let _ = run("missing.pem", named).ends_with(3).reports_one_line();
        let _ = run(key.to_str().unwrap(), "/dev/null")
            .ends_with(2)
            .reports_one_line();
        assert!(raw::holds(store, SECRET_USER) && !file.exists());

        let _ = run(key.to_str().unwrap(), named).ends_with(0);
        let mut receipt = fs::read(&file).unwrap();
        let signature = fs::read(store.path("receipt.json.sig")).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        let public = signing.verifying_key();
        public.verify_strict(&receipt, &signature).unwrap();
        receipt[5] ^= 1;
        assert!(public.verify_strict(&receipt, &signature).is_err());
    });
}

#[test]
fn the_receipt_is_also_written_to_a_file() {
    on_each_store(test_name!(), |store| {
        populate(store);
        let file = store.path("receipt.json");
        let receipt = erased(
            store,
            &["--yes", "--json", "--receipt", file.to_str().unwrap()],
        );
        let kept: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        assert_eq!(kept, receipt);
        // Without a secret nothing identifies the user: a digest of a short id could be guessed.
        assert_eq!(receipt["subject"]["of_one_user"], true);
        assert_eq!(receipt["subject"]["user_hmac"], Value::Null);
        // A second erasure finds nothing, and is as good.
        let again = erased(store, &["--yes", "--json"]);
        assert_eq!(
            (&again["found"]["sessions"], &again["verified"]),
            (&0.into(), &true.into())
        );
    });
}

#[test]
fn a_whole_tenant_is_erased_and_no_other() {
    on_each_store(test_name!(), |store| {
        store
            .run(&["demo", "--fill", "300", "--tenants", "3"])
            .ends_with(0);
        let arguments = [
            "erase",
            "--env=demo",
            "--tenant=tenant-01",
            "--yes",
            "--json",
        ];
        let receipt = store.run(&arguments).ends_with(0).json();
        assert_eq!(receipt["found"]["sessions"], 100);
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        let tenants = stats["by_tenant"].as_array().unwrap();
        let tenants: Vec<_> = tenants.iter().map(|tenant| &tenant["tenant"]).collect();
        assert_eq!(tenants, ["tenant-00", "tenant-02"]);
        assert!(!raw::holds(store, "tenant-01"));
    });
}
