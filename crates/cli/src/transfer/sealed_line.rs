//! A record of an export, sealed with the key of its tenant.

use greentic_session::admin::{ExportRecord, OwnerParts};
use greentic_session::vault::{Encryption, Sealer, TenantRef};
use greentic_session::{ErrorCode, GreenticError, SessionResult};
use greentic_types::{EnvId, TenantId};
use serde::{Deserialize, Serialize};

/// What the records of an export are sealed as.
const NAME: &str = "greentic-session export";

/// A line with a sealed record.
#[derive(Serialize, Deserialize)]
pub struct SealedLine {
    pub kind: SealedKind,
    env: EnvId,
    tenant: TenantId,
    /// The envelope, in hex.
    sealed: String,
}

#[derive(Serialize, Deserialize)]
pub enum SealedKind {
    #[serde(rename = "sealed")]
    Sealed,
}

/// Seals and opens the records of an export.
pub struct LineSealer(Sealer);

impl LineSealer {
    pub fn new(encryption: &Encryption) -> SessionResult<Self> {
        Sealer::new(encryption).map(Self)
    }

    pub fn seal(&self, record: &ExportRecord) -> SessionResult<SealedLine> {
        let owner = owner_of(record)?;
        let json = serde_json::to_vec(record).map_err(|_| damaged("it cannot be written"))?;
        let tenant = TenantRef::new(&owner.env, &owner.tenant)?;
        let sealed = pollster::block_on(self.0.seal(tenant, NAME, &json))?;
        Ok(SealedLine {
            kind: SealedKind::Sealed,
            env: owner.env.clone(),
            tenant: owner.tenant.clone(),
            sealed: hex::encode(sealed),
        })
    }

    pub fn open(&self, line: &SealedLine) -> SessionResult<ExportRecord> {
        let sealed = hex::decode(&line.sealed).map_err(|_| damaged("it is not in hex"))?;
        let tenant = TenantRef::new(&line.env, &line.tenant)?;
        let json = pollster::block_on(self.0.open(tenant, NAME, &sealed))?;
        let record = serde_json::from_slice(&json);
        let record: ExportRecord = record.map_err(|_| damaged("it holds no record"))?;
        let owner = owner_of(&record)?;
        match (&owner.env, &owner.tenant) == (&line.env, &line.tenant) {
            true => Ok(record),
            false => Err(damaged("it holds the record of another tenant")),
        }
    }
}

fn owner_of(record: &ExportRecord) -> SessionResult<&OwnerParts> {
    match record {
        ExportRecord::Session(session) => Ok(&session.owner),
        ExportRecord::Messages(messages) => Ok(&messages.owner),
        _ => Err(damaged("it is a record of an unknown kind")),
    }
}

fn damaged(why: &str) -> GreenticError {
    GreenticError::new(
        ErrorCode::Internal,
        format!("a sealed record cannot be read: {why}"),
    )
}
