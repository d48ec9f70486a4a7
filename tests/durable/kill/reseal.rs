//! A process that seals a file anew is killed at random points. Each value stays readable (C37).

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use greentic_session::Blocking;
use greentic_session::admin::ResealMode;
use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::vault::{Keyring, Plaintext};
use greentic_session_testkit::name_of;

use super::worker::{OPENED, say};
use super::{Draw, listen};
use crate::scratch::{Scratch, assert_consistent};
use crate::sealed::{PLANTED, assert_planted, encryption, keyrings, plant};

const KILLS: usize = 20;
const FILE: &str = "KILLED_RESEAL_FILE";
const KEYRING: &str = "KILLED_RESEAL_KEYRING";
/// Of the 60 values that are planted, so that most kills come in the middle.
const PAGE: usize = 3;

fn open(file: &Path, keyring: &Path) -> Arc<DurableSessionStore> {
    let keyring = Keyring::from_file(keyring).unwrap();
    let mut config = DurableConfig::new(file);
    config.encryption = Some(encryption(&keyring).plaintext(Plaintext::Accept));
    Arc::new(DurableSessionStore::open(config).unwrap())
}

/// The child, when the test below starts this program again: it seals all values, stores all in clear, and
/// begins anew. Does nothing otherwise.
#[test]
fn the_child_reseals_until_it_is_killed() {
    let (Ok(file), Ok(keyring)) = (std::env::var(FILE), std::env::var(KEYRING)) else {
        return;
    };
    let store = Blocking::from(open(Path::new(&file), Path::new(&keyring)));
    say(&format!("\n{OPENED}"));
    for mode in [ResealMode::Seal, ResealMode::Clear].into_iter().cycle() {
        let mut after = None;
        loop {
            let page = store.reseal(mode, after.as_ref(), PAGE).unwrap();
            say("a page");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
}

fn start(file: &Path, keyring: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name_of(the_child_reseals_until_it_is_killed)])
        .args(["--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .env(KEYRING, keyring)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn c37_a_reseal_that_is_killed_leaves_each_value_readable() {
    let scratch = Scratch::new();
    let keyring = scratch.directory().join("keyring");
    keyrings().0.write_new(&keyring).unwrap();
    plant(&Blocking::from(open(&scratch.path(), &keyring)));
    let (mut draw, mut in_the_middle) = (Draw(0xC37), 0);
    for _ in 0..KILLS {
        let mut child = start(&scratch.path(), &keyring);
        let (told, pages) = mpsc::channel();
        let lines = listen(&mut child, told);
        for _ in 0..=draw.below(24) {
            pages
                .recv_timeout(Duration::from_secs(60))
                .expect("the child opens the store and reseals");
        }
        thread::sleep(Duration::from_micros(draw.below(5_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.join().unwrap();

        let store = open(&scratch.path(), &keyring);
        assert_consistent(&store);
        let store = Blocking::from(store);
        (0..PLANTED).for_each(|number| assert_planted(&store, number));
        let count = store.reseal(ResealMode::Count, None, 1_000).unwrap();
        in_the_middle += usize::from(count.by_key.len() > 1);
    }
    assert!(in_the_middle > 0, "no kill came in the middle of a walk");
}
