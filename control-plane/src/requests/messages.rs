//! `voice:data`, `voice:e2ee:message`. Checks: a channel was joined; sizes, when they were read. Who gets them, how
//! often a user may send, and which commit is the first of its epoch is the room's to say. Both are answered by
//! the ack alone; nothing here looks into what they carry.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::{DataMessage, E2eeMessage};
use serde_json::Map;

pub(super) async fn data(session: &mut Session, message: DataMessage) -> Result<Answer, Refusal> {
    let DataMessage { kind, payload, to } = message;
    send(session, Command::SendData { session: session.id, kind, payload, to }).await
}

pub(super) async fn e2ee(session: &mut Session, message: E2eeMessage) -> Result<Answer, Refusal> {
    let E2eeMessage { kind, epoch, to, data } = message;
    send(session, Command::SendE2eeMessage { session: session.id, kind, epoch, to, data }).await
}

async fn send(session: &mut Session, command: Command) -> Result<Answer, Refusal> {
    match session.ask(command).await? {
        Reply::Done => Ok(Answer::AckOnly(Map::new())),
        other => Err(unexpected(&other)),
    }
}
