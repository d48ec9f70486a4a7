//! The JSON form of an exported record is part of the contract (C26): other programs read it.

use std::slice;
use std::time::Duration;

use greentic_session::admin::{EraseMode, ExportRecord, ImportMode, ImportOutcome, OwnerSelection};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, MessageId, ParkOptions, ReplyScope, SessionData,
    SessionKey,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use serde_json::{Value, json};

/// Records that a store of this format version wrote.
const SESSION: &str = r#"{
    "kind": "session",
    "key": "run-1",
    "owner": {"env": "dev", "tenant": "acme", "team": "-", "user": "user-7"},
    "data": {
        "tenant_ctx": {
            "env": "dev", "tenant": "acme", "tenant_id": "acme", "team": "-", "team_id": "-",
            "user": "user-7", "user_id": "user-7", "attempt": 0
        },
        "flow_id": "support.flow",
        "cursor": {"node_pointer": "node.wait"},
        "context_json": "{\"a\": 1}"
    },
    "revision": 3,
    "created": 1700000000000,
    "deadline": 9000000000000,
    "latest": true,
    "fencing": 1700000000007,
    "wait": {
        "scope": "bf8a8d2df73a6de2e1ba13b4fa7d1ac9d6e41e5e2d4d9a4a6b7d57f2fd6a0f11",
        "order": 1700000000005,
        "since": 1700000000001,
        "attempt": 2,
        "timeout": {"at": 8999999999999, "kind": "close"}
    }
}"#;

const MESSAGES: &str = r#"{
    "kind": "messages",
    "owner": {"env": "dev", "tenant": "acme", "user": "user-7"},
    "messages": [{
        "digest": "bf8a8d2df73a6de2e1ba13b4fa7d1ac9d6e41e5e2d4d9a4a6b7d57f2fd6a0f11",
        "until": 9000000000000
    }]
}"#;

#[test]
fn c26_a_checked_in_record_is_read() {
    for text in [SESSION, MESSAGES] {
        let record: ExportRecord = serde_json::from_str(text).unwrap();
        let store = Blocking::new(InMemorySessionStore::new());
        let outcome = store.import(record, ImportMode::IfAbsent).unwrap();
        assert_eq!(outcome, ImportOutcome::Imported);
        let page = store.export(None, 10).unwrap();
        let again = serde_json::to_value(&page.records[0]).unwrap();
        let written: Value = serde_json::from_str(text).unwrap();
        for (field, value) in written.as_object().unwrap() {
            match field.as_str() {
                // The data has fields that this record leaves to their defaults.
                "data" => assert_eq!(again["data"]["context_json"], value["context_json"]),
                // A greater number is allowed: the store has given numbers of its own.
                "fencing" => assert!(again["fencing"].as_u64() >= value.as_u64()),
                field => assert_eq!(again[field], *value, "{field}"),
            }
        }
    }
}

#[test]
fn c26_waits_with_equal_order_numbers_are_listed_by_key() {
    let store = Blocking::new(InMemorySessionStore::new());
    let keys: Vec<_> = (0..1_000)
        .map(|number| format!("run-{number:04}"))
        .collect();
    for (number, key) in keys.iter().enumerate() {
        let mut record: Value = serde_json::from_str(SESSION).unwrap();
        record["key"] = json!(key);
        record["wait"]["scope"] = json!(format!("{number:064x}"));
        let record = serde_json::from_value(record).unwrap();
        let outcome = store.import(record, ImportMode::IfAbsent).unwrap();
        assert_eq!(outcome, ImportOutcome::Imported);
    }
    let record: Value = serde_json::from_str(SESSION).unwrap();
    let ctx: TenantCtx = serde_json::from_value(record["data"]["tenant_ctx"].clone()).unwrap();
    let user = UserId::try_from("user-7").unwrap();
    let listed = store.waits(&ctx, &user).unwrap();
    let listed: Vec<_> = listed.iter().map(SessionKey::as_str).collect();
    assert_eq!(listed, keys);
}

#[test]
fn c26_absent_fields_are_not_written() {
    let store = Blocking::new(InMemorySessionStore::new());
    let env = EnvId::try_from("dev").unwrap();
    let user = UserId::try_from("user-7").unwrap();
    let ctx = TenantCtx::new(env, TenantId::try_from("acme").unwrap());
    let ctx = ctx.with_user(Some(user.clone()));
    let data = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait"),
        context_json: "{}".into(),
    };
    let scope = ReplyScope {
        conversation: "chat".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    let key = SessionKey::new("run-1");
    let _parked = store.park(&ctx, &user, &scope, &key, data, ParkOptions::new());
    let claim = store.claim(
        &ctx,
        &user,
        slice::from_ref(&scope),
        &MessageId::new("message"),
        ClaimOptions::new(Duration::from_secs(60)),
    );
    assert!(matches!(claim, Ok(ClaimOutcome::Claimed(_))));
    let page = store.export(None, 10).unwrap();
    let record = serde_json::to_value(&page.records).unwrap();
    let owner = json!({"env": "dev", "tenant": "acme", "user": "user-7"});
    assert_eq!(record[0]["owner"], owner);
    assert_eq!(record[0]["wait"]["scope"], scope.scope_hash());
    assert_eq!(record[0]["wait"]["attempt"], 1);
    assert!(record[0].get("deadline").is_none());
    // The claim stays behind.
    assert!(!record.to_string().contains("lease"), "{record}");

    let tenant = OwnerSelection::tenant(ctx.env, ctx.tenant);
    let erased = store.erase(&tenant, EraseMode::Erase, None, 1_000).unwrap();
    assert_eq!(erased.sessions, 1);
}

#[test]
fn c26_a_page_of_large_sessions_ends_early() {
    let store = Blocking::new(InMemorySessionStore::new());
    let mut session: Value = serde_json::from_str(SESSION).unwrap();
    for number in 0..40 {
        session["key"] = json!(format!("run-{number}"));
        session["wait"] = Value::Null;
        session["data"]["context_json"] = json!("x".repeat(1024 * 1024));
        let record = serde_json::from_value(session.clone()).unwrap();
        let _imported = store.import(record, ImportMode::IfAbsent).unwrap();
    }
    let (mut records, mut pages, mut after) = (0, 0, None);
    loop {
        let page = store.export(after.as_ref(), 1_000).unwrap();
        assert!(page.records.len() <= 16, "about 8 MiB, in steps of 16");
        records += page.records.len();
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(records, 40);
    assert!(pages >= 3);
}
