//! JSON Schema of the stored record, for tools that read it outside this crate.

use greentic_types::SessionData;
use schemars::Schema;

/// The schema of [`SessionData`] as every backend stores it: plain JSON.
///
/// The same text is published with the crate as `docs/schema/session-data.schema.json`.
///
/// ```
/// let schema = greentic_session::schema::session_data_schema();
/// assert!(schema.get("properties").is_some());
/// ```
#[must_use]
pub fn session_data_schema() -> Schema {
    schemars::schema_for!(SessionData)
}
