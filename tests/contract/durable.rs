//! The durable store keeps the whole contract with both APIs, and no case is skipped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::conformance::{Need, Subject, Time, run};
use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};
use greentic_session::{InboxOptions, StoreOptions};
use tempfile::TempDir;

/// How one kind of subject is opened. The directory of its files is removed after the last one.
#[derive(Clone)]
struct Kind {
    directory: Arc<TempDir>,
    durability: Durability,
    #[cfg(feature = "encryption")]
    encryption: Option<greentic_session::vault::Encryption>,
    /// None uses the system clock.
    clock: Option<Arc<ManualClock>>,
}

impl Kind {
    fn new(durability: Durability) -> Self {
        Self {
            directory: Arc::new(tempfile::tempdir().unwrap()),
            durability,
            #[cfg(feature = "encryption")]
            encryption: None,
            clock: Some(Arc::new(ManualClock::default())),
        }
    }

    fn config(&self, name: &str) -> DurableConfig {
        let path = self.directory.path().join(format!("{name}.redb"));
        let config = DurableConfig::new(path).durability(self.durability);
        #[cfg(feature = "encryption")]
        if let Some(encryption) = &self.encryption {
            return config.encryption(encryption.clone());
        }
        config
    }

    fn open(&self, name: &str, options: StoreOptions) -> Subject {
        let config = self.config(name).options(options);
        match &self.clock {
            Some(clock) => {
                let store = DurableSessionStore::open_with_clock(config, Arc::clone(clock));
                self.described(Arc::new(store.unwrap()))
                    .time(Time::Manual(Arc::clone(clock)))
            }
            None => self
                .described(Arc::new(DurableSessionStore::open(config).unwrap()))
                .without(Need::Clock, "it is the system's"),
        }
    }

    fn described(&self, store: Arc<DurableSessionStore>) -> Subject {
        let counted = Arc::clone(&store);
        let (made, named) = (self.clone(), self.clone());
        Subject::both_apis(store)
            .with_leftovers(move || {
                counted.sweep().unwrap();
                let (sessions, owners) = counted.held().unwrap();
                usize::try_from(sessions + owners).unwrap()
            })
            .with_options(move |options| made.open(&fresh_name(made.directory.path()), options))
            .with_reopen(move |name| {
                named.open(name, StoreOptions::new().inbox(InboxOptions::new()))
            })
    }
}

fn fresh_name(directory: &Path) -> String {
    let files = std::fs::read_dir(directory).unwrap().count();
    format!("made-{files}")
}

fn assert_complete(kind: &Kind) {
    let report = run(&kind.open("main", StoreOptions::new()));
    println!("{report}");
    report.assert_complete();
}

#[test]
fn durable_keeps_the_contract() {
    assert_complete(&Kind::new(Durability::SurvivesPowerLoss));
}

#[test]
fn durable_keeps_the_contract_with_relaxed_durability() {
    let sync_every = Duration::from_secs(3600);
    assert_complete(&Kind::new(Durability::SurvivesProcessCrash { sync_every }));
}

#[test]
fn durable_keeps_the_contract_with_the_system_clock() {
    assert_complete(&Kind {
        clock: None,
        ..Kind::new(Durability::SurvivesPowerLoss)
    });
}

#[cfg(feature = "encryption")]
#[test]
fn c35_durable_keeps_the_contract_with_encryption() {
    use greentic_session::vault::{Encryption, Keyring};

    let keyring = Keyring::generate().unwrap();
    assert_complete(&Kind {
        encryption: Some(Encryption::new(Arc::new(keyring))),
        ..Kind::new(Durability::SurvivesPowerLoss)
    });
}
