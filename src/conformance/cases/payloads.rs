//! C8: data is returned as it was stored.

use std::collections::BTreeMap;

use greentic_types::{Impersonation, InvocationDeadline, PackId, SessionData, SessionKey, UserId};

use crate::conformance::ensure::{CaseResult, ensure, ensure_eq, ensure_invalid};
use crate::conformance::samples::{ODD_PAYLOADS, scope};
use crate::conformance::test_env::TestEnv;
use crate::options::StoreOptions;

pub fn c08_payloads_come_back_byte_for_byte(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    for payload in ODD_PAYLOADS {
        let created = anna.create(payload)?;
        anna.ensure_stored(&created, payload)?;
        let data = anna.data(payload);
        env.store
            .register(&anna.ctx, &anna.user, &chat, &key, data, None)?;
        anna.ensure_stored(&key, payload)?;
        env.store.update(&created, anna.data("{}"))?;
        env.store.update(&created, anna.data(payload))?;
        anna.ensure_stored(&created, payload)?;
    }
    Ok(())
}

pub fn c08_every_field_comes_back(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "anna");
    for text in ODD_PAYLOADS {
        let data = data_with_every_field(&anna.data(text), text);
        let key = env.store.create(&anna.ctx, data.clone())?;
        ensure_eq(env.store.get(&key)?, Some(data))?;
    }
    Ok(())
}

pub(super) fn data_with_every_field(data: &SessionData, text: &str) -> SessionData {
    let mut data = data.clone();
    let some = || Some(text.to_owned());
    data.pack_id = Some(PackId("pack.id".to_owned()));
    data.cursor.node_pointer = text.to_owned();
    data.cursor.wait_reason = some();
    data.cursor.outbox_marker = some();
    let ctx = &mut data.tenant_ctx;
    ctx.session_id = some();
    ctx.flow_id = some();
    ctx.node_id = some();
    ctx.provider_id = some();
    ctx.trace_id = some();
    ctx.i18n_id = some();
    ctx.correlation_id = some();
    ctx.idempotency_key = some();
    ctx.attributes = BTreeMap::from([
        (text.to_owned(), text.to_owned()),
        ("empty".to_owned(), String::new()),
    ]);
    ctx.deadline = Some(InvocationDeadline::from_unix_millis(i128::from(i64::MIN)));
    ctx.attempt = u32::MAX;
    ctx.impersonation = Some(Impersonation {
        actor_id: UserId("actor".to_owned()),
        reason: some(),
    });
    data
}

pub fn c08_a_mebibyte_comes_back(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let payload = "{\"ä\\n\":\"\u{1}\"}".repeat(1 << 16);
    let key = anna.create(&payload)?;
    let found = env.store.get(&key)?.map(|data| data.context_json);
    ensure(
        found == Some(payload),
        "a long payload is returned unchanged",
    )
}

pub fn c08_odd_session_keys_work(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let names = [
        " ", ":", "a:b:c", "{a}", "}{", "*?[x]", "ü😀", "a\nb", "a\0b", "'\"`", "\\", "%2D",
        "../x", "@a",
    ];
    let keys: Vec<SessionKey> = names.iter().map(|name| env.key(name)).collect();
    let scopes = env.scopes(keys.len());
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.register(scope, key)?;
    }
    let waits: Vec<_> = scopes.iter().zip(&keys).collect();
    anna.ensure_waits(&waits)?;
    for key in &keys {
        anna.ensure_stored(key, key.as_str())?;
        env.store.remove(key)?;
    }
    anna.ensure_waits(&[])
}

pub fn c08_data_that_cannot_be_read_back_is_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for millis in [i128::MAX, i128::MIN, i128::from(i64::MAX) + 1] {
        let mut data = anna.data("{}");
        data.tenant_ctx.deadline = Some(InvocationDeadline::from_unix_millis(millis));
        ensure_invalid(env.store.create(&anna.ctx, data))?;
    }
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c08_the_limit_names_both_sizes(env: &TestEnv) -> CaseResult {
    let limit = 2_000;
    let env = env.with_options(StoreOptions::new().max_payload_bytes(limit))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let frame = serialized_len(&anna.data(""));
    let fits = anna.data(&"x".repeat(limit - frame));
    let over = anna.data(&"x".repeat(limit - frame + 1));
    // A quote is two bytes in JSON; the limit is on the stored form.
    let escaped = anna.data(&"\"".repeat((limit - frame) / 2 + 1));
    let key_of_fit = env.store.create(&anna.ctx, fits.clone())?;
    ensure_eq(env.store.get(&key_of_fit)?, Some(fits))?;
    for data in [over, escaped] {
        let size = serialized_len(&data).to_string();
        let register = env
            .store
            .register(&anna.ctx, &anna.user, &chat, &key, data.clone(), None);
        for refused in [
            env.store.create(&anna.ctx, data.clone()).map(|_key| ()),
            env.store.update(&key_of_fit, data),
            register,
        ] {
            let message = ensure_invalid(refused)?.message;
            ensure(message.contains(&size), "the message names the size")?;
            ensure(message.contains("2000"), "the message names the limit")?;
        }
    }
    anna.ensure_gone(&key)?;
    anna.ensure_latest(&key_of_fit)
}

fn serialized_len(data: &SessionData) -> usize {
    serde_json::to_vec(data).map_or(0, |bytes| bytes.len())
}
