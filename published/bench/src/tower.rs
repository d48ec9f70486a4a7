//! The stores of tower-sessions: records by id, with an expiry, and no routing.

use std::hint::black_box;

use async_trait::async_trait;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};

use crate::system::{AsyncSystem, Failure, cannot, missing};
use crate::workload::{Action, Workload};

/// The note of their rows.
pub const NOTE: &str = "a record by id: no owner check, no routing, no revision";

/// One of the stores.
pub struct Tower<S>(pub S);

// A record of the same payload.
fn record(id: Id, payload: &str) -> Record {
    let data = [("state".to_owned(), Value::String(payload.to_owned()))];
    Record {
        id,
        data: data.into_iter().collect(),
        expiry_date: OffsetDateTime::now_utc() + Duration::DAY,
    }
}

fn id(number: usize) -> Id {
    Id((number as i128).wrapping_mul(0x1e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

#[async_trait]
impl<S: SessionStore> AsyncSystem for Tower<S> {
    async fn prepare(&self, workload: &Workload, action: Action) -> Result<(), Failure> {
        let people = if action.needs_sessions() {
            workload.people.len()
        } else {
            0
        };
        let payload = workload
            .people
            .first()
            .map(|person| person.data.context_json.as_str());
        for number in 0..workload.population + people {
            self.0
                .create(&mut record(id(number), payload.unwrap_or_default()))
                .await?;
        }
        Ok(())
    }

    async fn act(
        &self,
        action: Action,
        workload: &Workload,
        place: usize,
        _number: u64,
    ) -> Result<(), Failure> {
        match action {
            Action::Get => {
                let found = self.0.load(&id(workload.picks[place].number)).await?;
                black_box(found.ok_or_else(|| missing("a record"))?);
            }
            Action::CreateRemove => {
                let mut record = record(Id::default(), &workload.people[place].data.context_json);
                self.0.create(&mut record).await?;
                self.0.delete(&record.id).await?;
            }
            Action::Update | Action::RegisterWait => {
                let payload = &workload.people[place].data.context_json;
                let record = record(id(workload.population + place), payload);
                self.0.save(&record).await?;
            }
            _ => return Err(cannot(action)),
        }
        Ok(())
    }
}
