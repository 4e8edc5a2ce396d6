//! `voice:rtc:pauseProducer`, `resumeProducer`, `pauseConsumer`, `resumeConsumer`. Checks: it is this
//! session's own. Pausing or resuming what already is so succeeds.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Owned, Session};
use railgun_protocol::ids::{ConsumerId, ProducerId};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::ServerEvent;

pub(super) async fn pause_producer(session: &mut Session, of: Owned<ProducerId>) -> Result<Answer, Refusal> {
    match session.ask(Command::PauseProducer { session: session.id, producer: of.id() }).await? {
        Reply::ProducerPaused { producer } => Ok(ServerEvent::ProducerPaused {
            producer_id: producer,
            user_id: None,
            session_id: None,
            room_seq: None,
        }
        .into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn resume_producer(session: &mut Session, of: Owned<ProducerId>) -> Result<Answer, Refusal> {
    match session.ask(Command::ResumeProducer { session: session.id, producer: of.id() }).await? {
        Reply::ProducerResumed { producer } => Ok(ServerEvent::ProducerResumed {
            producer_id: producer,
            user_id: None,
            session_id: None,
            room_seq: None,
        }
        .into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn pause_consumer(session: &mut Session, of: Owned<ConsumerId>) -> Result<Answer, Refusal> {
    match session.ask(Command::PauseConsumer { session: session.id, consumer: of.id() }).await? {
        Reply::ConsumerPaused { consumer } => {
            Ok(ServerEvent::ConsumerPaused { consumer_id: consumer }.into())
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn resume_consumer(session: &mut Session, of: Owned<ConsumerId>) -> Result<Answer, Refusal> {
    match session.ask(Command::ResumeConsumer { session: session.id, consumer: of.id() }).await? {
        Reply::ConsumerResumed { consumer } => {
            Ok(ServerEvent::ConsumerResumed { consumer_id: consumer }.into())
        }
        other => Err(unexpected(&other)),
    }
}
