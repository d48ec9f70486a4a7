//! Start claims as they are stored, and the pointers of their commits (C27).

use greentic_session_testkit::{RedisCluster, RedisServer, own_servers, require, wait_until};
use greentic_types::{EnvId, ReplyScope, SessionKey, TenantCtx, TenantId, UserId};

use super::pointers::{at, data, findings, of_ada, pointer, scope};
use super::*;
use crate::admin::{FindingKind, VerifyMode};
use crate::claim::Turn;
use crate::error::{Conflict, SessionErrorExt};
use crate::message_id::MessageId;
use crate::scope::ScopeDigests;
use crate::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, ErrorCode,
    ParkOptions, RedisSessionStore, RemoveOptions, StartOptions,
};

const MINUTE: Duration = Duration::from_secs(60);
const ROUTE: &str = "greentic:session:route:dev:acme:-:ada";
const EXPIRY: &str = "greentic:session:expiry:dev:acme:-:ada";

fn start(store: &RedisSessionStore, message: &str, lease: Duration, start: StartOptions) -> Turn {
    let ((ctx, ada), message) = (of_ada(), MessageId::new(message));
    let options = ClaimOptions::new(lease).start(start);
    let claimed = wait(store.claim(&ctx, &ada, &[scope()], &message, options)).unwrap();
    match claimed {
        ClaimOutcome::Claimed(turn) => turn,
        other => panic!("{other:?}"),
    }
}

fn commit(store: &RedisSessionStore, turn: &Turn) -> SessionResult<()> {
    let next = Commit::park_here(data(&of_ada().0));
    wait(store.commit(&turn.token, next, CommitOptions::new())).map(drop)
}

fn digest() -> String {
    ScopeDigests::of(&scope()).unwrap().ours.to_string()
}

fn instant(server: &RedisServer, command: &[&str]) -> u64 {
    server.command(command).text().parse().unwrap()
}

/// Until when the index keeps the record, after both of its keys are seen to end then.
fn kept_until(server: &RedisServer) -> u64 {
    let kept = instant(server, &["ZSCORE", EXPIRY, &digest()]);
    for key in [ROUTE, EXPIRY] {
        let ends = server.command(&["PEXPIRETIME", key]).int();
        assert_eq!(u64::try_from(ends).unwrap() + 1, kept, "{key}");
    }
    kept
}

#[test]
fn c27_a_record_is_kept_for_one_more_lease_and_at_least_a_minute() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::new(config(&server.url())).unwrap();
    let whole = |time: Duration| u64::try_from(time.as_millis()).unwrap();
    for lease in [MINUTE / 6, MINUTE * 60] {
        let turn = start(&store, "message", lease, StartOptions::new());
        let stays = whole(lease.max(MINUTE));
        assert_eq!(kept_until(&server), turn.lease_until.as_millis() + stays);
        // A renewal may make it shorter, too.
        for lease in [lease * 2, lease] {
            let until = wait(store.renew(&turn.token, lease)).unwrap();
            let stays = whole(lease.max(MINUTE));
            assert_eq!(kept_until(&server), until.as_millis() + stays);
        }
        let kept = kept_until(&server);
        wait(store.release(&turn.token)).unwrap();
        assert_eq!(kept_until(&server), kept);
        let again = start(&store, "message", lease, StartOptions::new());
        assert_eq!(again.token.session_key(), turn.token.session_key());
        assert_eq!(again.attempt, 2);
        let finish = Commit::Finish;
        wait(store.commit(&again.token, finish, CommitOptions::new())).unwrap();
        assert_eq!(server.command(&["EXISTS", ROUTE, EXPIRY]).int(), 0);
        let _forgotten = server.command(&["FLUSHALL"]).accepted();
    }
}

/// The server's clock cannot be set, so the record is made to end.
#[test]
fn c27_a_record_that_is_over_counts_for_nothing() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::new(config(&server.url())).unwrap();
    let turn = start(&store, "message", MINUTE, StartOptions::new());
    let record = server.command(&["HGET", ROUTE, &digest()]).text();
    let fields: Vec<_> = record.split(' ').collect();
    let over = [&[fields[0], "1000", "2000"], &fields[3..]]
        .concat()
        .join(" ");
    let _ = server
        .command(&["HSET", ROUTE, &digest(), &over])
        .accepted();
    let _ = server
        .command(&["ZADD", EXPIRY, "2000", &digest()])
        .accepted();

    let lost = |error: crate::GreenticError| {
        assert_eq!(error.conflict(), Some(&Conflict::ClaimLost));
    };
    lost(commit(&store, &turn).unwrap_err());
    lost(wait(store.renew(&turn.token, MINUTE)).unwrap_err());
    lost(wait(store.release(&turn.token)).unwrap_err());
    let again = start(&store, "message", MINUTE, StartOptions::new());
    assert_eq!(again.attempt, 1);
    assert_ne!(again.token.session_key(), turn.token.session_key());
    assert!(again.token.fencing_number() > turn.token.fencing_number());
    commit(&store, &again).unwrap();
}

#[test]
fn c23_verify_knows_start_claims() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::new(config(&server.url())).unwrap();
    let turn = start(&store, "message", MINUTE, StartOptions::new());
    assert_eq!(findings(&store, VerifyMode::Repair), []);
    let kept = kept_until(&server).to_string();
    let record = server.command(&["HGET", ROUTE, &digest()]).text();
    let wrong = ["9999999999999", "inf"].map(|score| vec!["ZADD", EXPIRY, score]);
    for (mut command, kind) in wrong
        .map(|command| (command, FindingKind::Missing))
        .into_iter()
        .chain([(vec!["ZREM", EXPIRY], FindingKind::Missing)])
    {
        let digest = digest();
        command.push(&digest);
        let _ = server.command(&command).accepted();
        for (mode, repaired) in [(VerifyMode::Check, false), (VerifyMode::Repair, true)] {
            let found = findings(&store, mode);
            let found: Vec<_> = found
                .iter()
                .map(|f| (f.kind, f.place, f.repaired))
                .collect();
            assert_eq!(found, [(kind, "route", repaired)], "{command:?}");
        }
        assert_eq!(findings(&store, VerifyMode::Check), []);
        assert_eq!(server.command(&["ZSCORE", EXPIRY, &digest]).text(), kept);
    }

    let _ = server
        .command(&["HSET", ROUTE, &digest(), &record[..40]])
        .accepted();
    let ((ctx, ada), chat, key) = (of_ada(), scope(), SessionKey::new("run"));
    let park = store.park(&ctx, &ada, &chat, &key, data(&ctx), ParkOptions::new());
    for refused in [commit(&store, &turn).unwrap_err(), wait(park).unwrap_err()] {
        assert_eq!(refused.code, ErrorCode::Internal, "{refused}");
    }
    for (mode, repaired) in [(VerifyMode::Check, false), (VerifyMode::Repair, true)] {
        let found = findings(&store, mode);
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.kind, f.place, f.repaired))
            .collect();
        assert_eq!(found, [(FindingKind::Dangling, "route", repaired)]);
    }
    assert_eq!(findings(&store, VerifyMode::Check), []);
    let again = start(&store, "message", MINUTE, StartOptions::new());
    commit(&store, &again).unwrap();
}

/// As the claims of waits: tests/redis/full_server.rs.
#[test]
fn c17_a_full_server_ends_start_claims() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::new(config(&server.url())).unwrap();
    let (ctx, ada) = of_ada();
    let claim = |chat: &str, message: &str, options: ClaimOptions| {
        let chat = ReplyScope {
            conversation: chat.into(),
            ..scope()
        };
        let message = MessageId::new(message);
        wait(store.claim(&ctx, &ada, &[chat], &message, options)).unwrap()
    };
    let started = |chat: &str, message: &str| {
        let options = ClaimOptions::new(MINUTE).start(StartOptions::new());
        match claim(chat, message, options) {
            ClaimOutcome::Claimed(turn) => turn,
            other => panic!("{other:?}"),
        }
    };
    let (released, finished) = (started("one", "one"), started("two", "two"));
    let [first, second] = ["three", "four"].map(|chat| started(chat, "twice"));
    commit(&store, &first).unwrap();
    let limit = |bytes: &str| {
        let full = ["CONFIG", "SET", "maxmemory", bytes];
        let _ = server.command(&full).accepted();
    };
    limit("1");
    wait(store.release(&released.token)).unwrap();
    let finish = store.commit(&finished.token, Commit::Finish, CommitOptions::new());
    let _committed = wait(finish).unwrap();
    // The message is committed by then, so this claim ends.
    let refused = commit(&store, &second).unwrap_err();
    assert_eq!(refused.conflict(), Some(&Conflict::ClaimLost));
    for chat in ["one", "two", "four"] {
        let free = claim(chat, "next", ClaimOptions::new(MINUTE));
        assert_eq!(free, ClaimOutcome::NoWait, "{chat}");
    }
    limit("0");
}

fn of_ben() -> TenantCtx {
    let ctx = TenantCtx::new(
        EnvId::try_from("dev").unwrap(),
        TenantId::try_from("acme").unwrap(),
    );
    ctx.with_user(Some(UserId::try_from("ben").unwrap()))
}

fn pointer_exists(cluster: &RedisCluster, key: &SessionKey) -> bool {
    let pointer = pointer(key.as_str());
    cluster.command_for(&pointer, &["EXISTS", &pointer]).int() == 1
}

#[test]
fn c27_a_refused_commit_removes_the_pointer_that_it_wrote() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ctx, ada) = of_ada();
    let turn = start(&store, "message", MINUTE, StartOptions::new());
    let key = turn.token.session_key().clone();
    assert!(!pointer_exists(&cluster, &key));

    // Another worker holds the wait on whose scope the flow is to be parked.
    let other = ReplyScope {
        conversation: "another chat".into(),
        ..scope()
    };
    let holder = SessionKey::new("holder");
    let park = ParkOptions::new();
    let _parked = wait(store.park(&ctx, &ada, &other, &holder, data(&ctx), park)).unwrap();
    let (scopes, message) = ([other.clone()], MessageId::new("other"));
    let held = wait(store.claim(&ctx, &ada, &scopes, &message, ClaimOptions::new(MINUTE)));
    assert!(matches!(held.unwrap(), ClaimOutcome::Claimed(_)));
    let next = Commit::park(other, data(&ctx));
    let refused = wait(store.commit(&turn.token, next, CommitOptions::new())).unwrap_err();
    assert!(matches!(refused.conflict(), Some(Conflict::Claimed { .. })));
    wait_until("the pointer is removed", NEVER, || {
        !pointer_exists(&cluster, &key)
    });
    let fence = format!("greentic:session:{{dev:acme:-:ada}}:fence:{}", key.as_str());
    assert_eq!(cluster.command_for(&fence, &["EXISTS", &fence]).int(), 1);

    // Nothing was changed, and the fence keeps off the refused call only.
    commit(&store, &turn).unwrap();
    assert!(pointer_exists(&cluster, &key));
    assert!(wait(store.get(&key)).unwrap().is_some());

    // The repeat of a commit whose session is gone makes a pointer, and nothing else.
    wait(store.remove(&key, RemoveOptions::new())).unwrap();
    commit(&store, &turn).unwrap();
    wait_until("the pointer is removed", NEVER, || {
        !pointer_exists(&cluster, &key)
    });
    assert!(wait(store.get(&key)).unwrap().is_none());
}

/// On a Cluster the pointer is looked at before the message and the claim.
#[test]
fn c27_a_commit_is_done_or_lost_also_if_another_owner_has_the_key() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let take = |key: &SessionKey| {
        let (ctx, options) = (of_ben(), CreateOptions::new().key(key.clone()));
        let _created = wait(store.create(&ctx, data(&ctx), options)).unwrap();
    };
    let done = start(&store, "first", MINUTE, StartOptions::new());
    commit(&store, &done).unwrap();
    wait(store.remove(done.token.session_key(), RemoveOptions::new())).unwrap();
    take(done.token.session_key());
    commit(&store, &done).unwrap();

    let lost = start(&store, "second", MINUTE, StartOptions::new());
    wait(store.release(&lost.token)).unwrap();
    take(lost.token.session_key());
    let refused = commit(&store, &lost).unwrap_err();
    assert_eq!(refused.conflict(), Some(&Conflict::ClaimLost));

    // A retry is refused if it chooses the key of its record, and else its commit is.
    let ((ctx, ada), message) = (of_ada(), MessageId::new("third"));
    let again = StartOptions::new().key(lost.token.session_key().clone());
    let options = ClaimOptions::new(MINUTE).start(again);
    let refused = wait(store.claim(&ctx, &ada, &[scope()], &message, options)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidInput);
    let given = StartOptions::new().key(SessionKey::new("run"));
    let held = start(&store, "third", MINUTE, given);
    assert_eq!(held.attempt, 2);
    assert_eq!(
        commit(&store, &held).unwrap_err().code,
        ErrorCode::InvalidInput
    );
}
