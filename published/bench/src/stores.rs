//! Session stores as systems: this version and 1.2.0 through their nine common methods, and this
//! version through the async API.

use std::hint::black_box;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions,
    CreateOutcome, GreenticError, MessageId, ParkOptions, RemoveOptions, UpdateOptions, Worker,
    WorkerOptions,
};

use greentic_types::ReplyScope;

use crate::system::{AsyncSystem, BlockingSystem, Failure, cannot, missing};
use crate::workload::{Action, LISTED_PEOPLE, LISTED_WAITS, Person, Workload};

/// The lease of a claim, which is committed at once.
const LEASE: Duration = Duration::from_secs(30);

/// The users that have sessions before the action starts.
fn residents(workload: &Workload, action: Action) -> impl Iterator<Item = Result<Person, Failure>> {
    let people = if action.needs_sessions() {
        workload.people.len()
    } else {
        0
    };
    let numbers = 0..workload.population + people;
    numbers.map(|number| Ok(Person::new(number, workload.bytes)?))
}

// Both traits have the same methods with the same types.
macro_rules! nine {
    ($store:path, $self:ident, $prepare:ident, $act:ident) => {
        fn $prepare(
            store: &dyn $store,
            workload: &Workload,
            action: Action,
        ) -> Result<(), Failure> {
            for person in residents(workload, action) {
                let person = person?;
                store.register_wait(
                    &person.ctx,
                    &person.user,
                    &person.scope,
                    &person.key,
                    person.data,
                    None,
                )?;
            }
            if action == Action::List100 {
                for Person {
                    ctx,
                    user,
                    scope,
                    key,
                    data,
                } in workload.people.iter().take(LISTED_PEOPLE)
                {
                    store.register_wait(ctx, user, scope, key, data.clone(), None)?;
                    for nth in 1..LISTED_WAITS {
                        let scope = ReplyScope {
                            thread: Some(format!("other-{nth}")),
                            ..scope.clone()
                        };
                        let key = format!("{}-{nth}", key.as_str()).into();
                        store.register_wait(ctx, user, &scope, &key, data.clone(), None)?;
                    }
                }
            }
            Ok(())
        }

        fn $act(
            store: &dyn $store,
            action: Action,
            workload: &Workload,
            place: usize,
        ) -> Result<(), Failure> {
            if action == Action::Get {
                let found = store.get_session(&workload.picks[place].key)?;
                black_box(&found);
                return found.map(drop).ok_or_else(|| missing("a session"));
            }
            let person = &workload.people[place];
            match action {
                Action::CreateRemove => {
                    let key = store.create_session(&person.ctx, person.data.clone())?;
                    store.remove_session(&key)?;
                }
                Action::Update => store.update_session(&person.key, person.data.clone())?,
                Action::RegisterWait => {
                    let data = person.data.clone();
                    store.register_wait(
                        &person.ctx,
                        &person.user,
                        &person.scope,
                        &person.key,
                        data,
                        None,
                    )?;
                }
                Action::Turn => {
                    let data = person.data.clone();
                    store.register_wait(
                        &person.ctx,
                        &person.user,
                        &person.scope,
                        &person.key,
                        data,
                        None,
                    )?;
                    let key = store.find_wait_by_scope(&person.ctx, &person.user, &person.scope)?;
                    let data = store.get_session(&key.ok_or_else(|| missing("a wait"))?)?;
                    black_box(data.ok_or_else(|| missing("a session"))?);
                    store.clear_wait(&person.ctx, &person.user, &person.scope)?;
                }
                Action::List100 => {
                    let waits = store.list_waits_for_user(&person.ctx, &person.user)?;
                    if waits.len() != LISTED_WAITS {
                        return Err(missing("one of 100 waits"));
                    }
                }
                Action::Get | Action::GetShared | Action::ClaimedTurn => return Err(cannot(action)),
            }
            Ok(())
        }
    };
}

nine!(greentic_session::SessionStore, self, prepare_ours, act_ours);
nine!(
    published::store::SessionStore,
    self,
    prepare_published,
    act_published
);

/// This version, through the blocking API.
pub struct Ours<S> {
    nine: Arc<S>,
    all: Blocking<S>,
}

impl<S: AsyncSessionStore + greentic_session::SessionStore> Ours<S> {
    pub fn new(store: &Arc<S>) -> Self {
        Self {
            nine: Arc::clone(store),
            all: Blocking::from(Arc::clone(store)),
        }
    }
}

impl<S: AsyncSessionStore + greentic_session::SessionStore> BlockingSystem for Ours<S> {
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure> {
        prepare_ours(self.nine.as_ref(), workload, action)
    }

    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure> {
        match action {
            Action::GetShared => {
                let found = self.all.get(&workload.picks[place].key)?;
                found.map(drop).ok_or_else(|| missing("a session"))
            }
            Action::ClaimedTurn => {
                let person = &workload.people[place];
                let message = format!("message-{number}");
                let claim = self.all.claim(
                    &person.ctx,
                    &person.user,
                    slice::from_ref(&person.scope),
                    &MessageId::new(&message),
                    ClaimOptions::new(LEASE),
                )?;
                let ClaimOutcome::Claimed(claim) = claim else {
                    return Err(missing("a wait to claim"));
                };
                let data = person.data.clone();
                let next = Commit::park(person.scope.clone(), data);
                self.all.commit(&claim.token, next, CommitOptions::new())?;
                Ok(())
            }
            action => act_ours(self.nine.as_ref(), action, workload, place),
        }
    }
}

/// greentic-session 1.2.0.
pub struct Published(pub Box<dyn published::store::SessionStore>);

impl BlockingSystem for Published {
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure> {
        prepare_published(self.0.as_ref(), workload, action)
    }

    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        _number: u64,
    ) -> Result<(), Failure> {
        act_published(self.0.as_ref(), action, workload, place)
    }
}

/// This version, through the async API, on a store that another system has prepared.
pub struct OursAsync(pub Arc<dyn AsyncSessionStore>);

#[async_trait]
impl AsyncSystem for OursAsync {
    async fn prepare(&self, _workload: &Workload, _action: Action) -> Result<(), Failure> {
        Ok(())
    }

    async fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure> {
        let store = self.0.as_ref();
        if matches!(action, Action::Get | Action::GetShared) {
            let found = store.get(&workload.picks[place].key).await?;
            let found = found.ok_or_else(|| missing("a session"))?;
            if action == Action::Get {
                black_box(found.data.clone());
            }
            return Ok(());
        }
        let person = &workload.people[place];
        let Person {
            ctx,
            user,
            scope,
            key,
            data,
        } = person;
        match action {
            Action::CreateRemove => {
                let created = store
                    .create(ctx, data.clone(), CreateOptions::new())
                    .await?;
                let CreateOutcome::Created(key) = created else {
                    return Err(missing("a free key"));
                };
                store.remove(&key, RemoveOptions::new()).await?;
            }
            Action::Update => drop(
                store
                    .update(key, data.clone(), UpdateOptions::new())
                    .await?,
            ),
            Action::RegisterWait => {
                let _ = store
                    .park(ctx, user, scope, key, data.clone(), ParkOptions::new())
                    .await?;
            }
            Action::Turn => {
                let _ = store
                    .park(ctx, user, scope, key, data.clone(), ParkOptions::new())
                    .await?;
                let key = store
                    .find(ctx, user, scope)
                    .await?
                    .ok_or_else(|| missing("a wait"))?;
                let session = store.get(&key).await?.ok_or_else(|| missing("a session"))?;
                black_box(session.data.clone());
                let _ = store.clear(ctx, user, scope).await?;
            }
            Action::ClaimedTurn => {
                let message = format!("message-{number}");
                let claim = store
                    .claim(
                        ctx,
                        user,
                        slice::from_ref(scope),
                        &MessageId::new(&message),
                        ClaimOptions::new(LEASE),
                    )
                    .await?;
                let ClaimOutcome::Claimed(claim) = claim else {
                    return Err(missing("a wait to claim"));
                };
                let next = Commit::park(scope.clone(), data.clone());
                store
                    .commit(&claim.token, next, CommitOptions::new())
                    .await?;
            }
            Action::List100 => {
                if store.waits(ctx, user).await?.len() != LISTED_WAITS {
                    return Err(missing("one of 100 waits"));
                }
            }
            Action::Get | Action::GetShared => return Err(cannot(action)),
        }
        Ok(())
    }
}

/// A worker of this version, on a store that another system has prepared.
pub struct OursWorker(Worker);

impl OursWorker {
    pub fn new(store: Arc<dyn AsyncSessionStore>) -> Self {
        Self(Worker::new(store, WorkerOptions::new(LEASE)))
    }
}

#[async_trait]
impl AsyncSystem for OursWorker {
    async fn prepare(&self, _workload: &Workload, _action: Action) -> Result<(), Failure> {
        Ok(())
    }

    async fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure> {
        if action != Action::ClaimedTurn {
            return Err(cannot(action));
        }
        let person = &workload.people[place];
        let message = MessageId::new(&format!("message-{number}"));
        let handled = self.0.handle(
            &person.ctx,
            &person.user,
            slice::from_ref(&person.scope),
            &message,
            async |_turn, _watch| {
                let next = Commit::park(person.scope.clone(), person.data.clone());
                Ok::<_, GreenticError>(next)
            },
        );
        match handled.await?.duplicate {
            false => Ok(()),
            true => Err(missing("a wait to claim")),
        }
    }
}

/// An async system whose futures are ready at the first poll, called by threads.
pub struct Ready<S>(pub S);

impl<S: AsyncSystem> BlockingSystem for Ready<S> {
    fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure> {
        pollster::block_on(self.0.prepare(workload, action))
    }

    fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure> {
        pollster::block_on(self.0.act(action, workload, place, number))
    }
}
