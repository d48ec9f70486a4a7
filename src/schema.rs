//! The JSON Schema of stored session data, for tools outside this crate.

use greentic_types::SessionData;
use schemars::Schema;

/// Returns the schema of [`SessionData`] in the stored form, JSON.
///
/// The crate contains the same schema as `docs/schema/session-data.schema.json`.
///
/// ```
/// let schema = greentic_session::schema::session_data_schema();
/// assert!(schema.get("properties").is_some());
/// ```
#[must_use]
pub fn session_data_schema() -> Schema {
    schemars::schema_for!(SessionData)
}
