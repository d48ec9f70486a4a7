//! The limits of a store in memory.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, PoisonError, RwLock};

use greentic_session::{SessionData, SessionKey};

use crate::system::{BlockingSystem, Failure, cannot, missing};
use crate::workload::{Action, Person, Workload};

/// A list of the same sessions. A read is a clone. A turn is two clones, which every store must
/// make: of what is registered, and of what is read.
pub struct Clones(Box<[SessionData]>);

impl Clones {
    pub fn new(workload: &Workload) -> Result<Self, Failure> {
        let sessions =
            (0..workload.population).map(|number| Ok(Person::new(number, workload.bytes)?.data));
        Ok(Self(sessions.collect::<Result<_, Failure>>()?))
    }
}

impl BlockingSystem for Clones {
    fn prepare(&self, _workload: &Workload, _action: Action) -> Result<(), Failure> {
        Ok(())
    }

    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        _number: u64,
    ) -> Result<(), Failure> {
        match action {
            Action::Get => {}
            Action::Turn => {
                let data = &workload.people[place].data;
                let registered = black_box(data.clone());
                black_box(registered.clone());
                return Ok(());
            }
            _ => return Err(cannot(action)),
        }
        let pick = &workload.picks[place];
        // The callers of a store have the key.
        black_box(pick.key.as_str());
        let found = self
            .0
            .get(pick.number)
            .ok_or_else(|| missing("a session"))?;
        black_box(found.clone());
        Ok(())
    }
}

/// The hash map of the standard library behind one lock.
#[derive(Default)]
pub struct Map(RwLock<HashMap<SessionKey, Arc<SessionData>>>);

impl BlockingSystem for Map {
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure> {
        let people = if action.needs_sessions() {
            workload.people.len()
        } else {
            0
        };
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for number in 0..workload.population + people {
            let person = Person::new(number, workload.bytes)?;
            map.insert(person.key, Arc::new(person.data));
        }
        Ok(())
    }

    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        _number: u64,
    ) -> Result<(), Failure> {
        if matches!(action, Action::Get | Action::GetShared) {
            let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let found = map.get(&workload.picks[place].key).map(Arc::clone);
            drop(map);
            let found = found.ok_or_else(|| missing("a session"))?;
            if action == Action::Get {
                black_box(SessionData::clone(&found));
            }
            return Ok(());
        }
        let person = &workload.people[place];
        let write = || self.0.write().unwrap_or_else(PoisonError::into_inner);
        match action {
            Action::CreateRemove => {
                let data = Arc::new(person.data.clone());
                write().insert(person.key.clone(), data);
                let removed = write().remove(&person.key);
                drop(removed);
            }
            Action::Update => {
                let data = Arc::new(person.data.clone());
                let replaced = write().insert(person.key.clone(), data);
                drop(replaced);
            }
            _ => return Err(cannot(action)),
        }
        Ok(())
    }
}
