//! `voice:state:update`, `voice:ping`. Checks: a channel was joined, for the update; a ping has none.
//! Both are answered by the ack alone.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::StateUpdate;
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) async fn update(session: &mut Session, update: StateUpdate) -> Result<Answer, Refusal> {
    match session.ask(Command::UpdateState { session: session.id, update }).await? {
        Reply::StateUpdated(state) => {
            let mut fields = Map::new();
            for (name, value) in
                [("muted", state.muted), ("deafened", state.deafened), ("speaking", state.speaking)]
            {
                fields.insert(name.into(), value.into());
            }
            Ok(Answer::AckOnly(fields))
        }
        other => Err(unexpected(&other)),
    }
}

/// `serverTime` in Unix milliseconds.
pub(super) fn ping(sent_at: Value) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("sentAt".into(), sent_at);
    fields.insert("serverTime".into(), u64::try_from(now.as_millis()).unwrap_or(u64::MAX).into());
    Answer::AckOnly(fields)
}
