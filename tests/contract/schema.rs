//! The published schema is that of the stored record.

use std::path::Path;

use greentic_session::SessionData;
use greentic_session::schema::session_data_schema;
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId};

/// Set to 1, the test rewrites the published schema instead of comparing it.
const BLESS: &str = "GREENTIC_SESSION_BLESS";

#[test]
fn the_published_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/session-data.schema.json");
    let current = serde_json::to_value(session_data_schema()).unwrap();
    if std::env::var(BLESS).is_ok_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(&current).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    let published: serde_json::Value = serde_json::from_str(&published).unwrap();
    assert!(
        published == current,
        "the stored record changed: see what that means for stored sessions, then run this test \
         with {BLESS}=1"
    );
}

#[test]
fn the_schema_names_what_is_stored() {
    let data = SessionData {
        tenant_ctx: TenantCtx::new(EnvId("dev".into()), TenantId("tenant-42".into())),
        flow_id: FlowId("support.flow".into()),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: "{}".into(),
    };
    let stored = serde_json::to_value(&data).unwrap();
    let schema = serde_json::to_value(session_data_schema()).unwrap();
    let stored: Vec<&String> = stored.as_object().unwrap().keys().collect();
    for field in &stored {
        assert!(
            schema["properties"].get(field).is_some(),
            "no {field} in the schema"
        );
    }
    for required in schema["required"].as_array().unwrap() {
        let required = required.as_str().unwrap();
        assert!(
            stored.iter().any(|field| *field == required),
            "{required} is not stored"
        );
    }
}
