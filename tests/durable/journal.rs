//! The journal holds commits that the synced file lacks (C17). With relaxed durability the time of a sync is known.

use std::path::PathBuf;
use std::time::Duration;

use greentic_session::SessionStore;
use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, assert_consistent, data};

const SESSIONS: usize = 20;

fn relaxed(scratch: &Scratch, sync_every: Duration) -> DurableConfig {
    let durability = Durability::SurvivesProcessCrash { sync_every };
    scratch.config().durability(durability)
}

fn never_synced(scratch: &Scratch) -> DurableSessionStore {
    let config = relaxed(scratch, Duration::from_secs(3600));
    DurableSessionStore::open(config).unwrap()
}

fn journal(scratch: &Scratch) -> PathBuf {
    scratch.directory().join("sessions.redb.journal")
}

/// Every second session is updated, so that a record replayed out of order would show.
fn fill(store: &DurableSessionStore) {
    for index in 0..SESSIONS {
        let name = format!("k-{index}");
        let (scope, key) = (scope(&name), key(&name));
        store
            .register_wait(&ctx("u"), &user("u"), &scope, &key, data("u", "1"), None)
            .unwrap();
        if index % 2 == 0 {
            store.update_session(&key, data("u", "2")).unwrap();
        }
    }
}

/// A copy of the files, as a crash at this moment would leave them.
fn crashed(scratch: &Scratch) -> Scratch {
    let left = Scratch::new();
    std::fs::copy(scratch.path(), left.path()).unwrap();
    std::fs::copy(journal(scratch), journal(&left)).unwrap();
    left
}

/// Counts the sessions of a store, which must be the first ones, without a gap.
fn count(scratch: &Scratch) -> usize {
    let store = scratch.open();
    assert_consistent(&store);
    let found = |index: usize| store.get_session(&key(&format!("k-{index}"))).unwrap();
    let present: Vec<_> = (0..SESSIONS).map_while(found).collect();
    let (sessions, _) = store.held().unwrap();
    assert_eq!(present.len(), usize::try_from(sessions).unwrap());
    present.len()
}

#[test]
fn unsynced_commits_survive_a_crash() {
    let scratch = Scratch::new();
    let store = never_synced(&scratch);
    fill(&store);
    let left = crashed(&scratch);
    assert_eq!(count(&left), SESSIONS);
    assert!(!journal(&left).exists(), "it was replayed");
    let even = left.open().get_session(&key("k-0")).unwrap();
    assert_eq!(even, Some(data("u", "2")));
}

#[test]
fn a_torn_journal_is_replayed_up_to_the_tear() {
    let scratch = Scratch::new();
    let store = never_synced(&scratch);
    fill(&store);
    let whole = std::fs::read(journal(&scratch)).unwrap();
    let mut counts = Vec::new();
    for part in 0..=16 {
        let left = crashed(&scratch);
        std::fs::write(journal(&left), &whole[..whole.len() * part / 16]).unwrap();
        counts.push(count(&left));
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts[0], counts[16]), (0, SESSIONS));
}

#[test]
fn records_that_the_file_contains_are_not_replayed() {
    let scratch = Scratch::new();
    let store = never_synced(&scratch);
    fill(&store);
    let old = std::fs::read(journal(&scratch)).unwrap();
    store.close().unwrap();
    assert!(!journal(&scratch).exists(), "closing deletes the journal");
    let store = scratch.open();
    store.remove_session(&key("k-19")).unwrap();
    store.close().unwrap();
    std::fs::write(journal(&scratch), &old).unwrap();
    assert_eq!(count(&scratch), SESSIONS - 1);
}

#[test]
fn another_stores_journal_is_not_replayed() {
    let (one, other) = (Scratch::new(), Scratch::new());
    let store = never_synced(&one);
    fill(&store);
    other.open().close().unwrap();
    std::fs::copy(journal(&one), journal(&other)).unwrap();
    assert_eq!(count(&other), 0);
}

#[test]
fn a_sync_empties_the_journal() {
    let scratch = Scratch::new();
    let store = DurableSessionStore::open(relaxed(&scratch, Duration::ZERO)).unwrap();
    fill(&store);
    // The writer syncs before it takes the next work.
    store.compact().unwrap();
    assert_eq!(std::fs::metadata(journal(&scratch)).unwrap().len(), 0);
    let left = crashed(&scratch);
    assert_eq!(count(&left), SESSIONS);
}

#[cfg(unix)]
#[test]
fn the_journal_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let _store = never_synced(&scratch);
    let mode = std::fs::metadata(journal(&scratch)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}
