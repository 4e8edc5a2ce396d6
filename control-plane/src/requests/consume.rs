//! `voice:rtc:consume`, `requestKeyFrame`, `setPreferredLayers`, `setPriority`. Checks: the transport, if
//! one is named, and the consumer are this session's own. The producer is looked up by the node through this session's
//! room, so one of another room does not exist. What the session can receive is checked and narrowed here, and the
//! node is told of it only if it does not know it from the join.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Owned, Session};
use railgun_protocol::ids::{ConsumerId, ProducerId, TransportId};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::{AppData, ConsumerLayers, ServerEvent};
use std::num::NonZeroU8;

pub(super) async fn consume(
    session: &mut Session,
    transport: Option<Owned<TransportId>>,
    producer: ProducerId,
    rtp_capabilities: Option<RtpCapabilities>,
) -> Result<Answer, Refusal> {
    let transport = transport.map(|owned| owned.id());
    let rtp_capabilities = match rtp_capabilities {
        Some(said) => {
            let known = session.seat.as_ref().and_then(|seat| seat.capabilities);
            let (digest, narrowed) = session.capabilities.narrow(&said)?;
            (known != Some(digest)).then(|| narrowed.clone())
        }
        None => None,
    };
    let command = Command::Consume { session: session.id, transport, producer, rtp_capabilities };
    match session.ask(command).await? {
        Reply::Consumed(consumer) => Ok(ServerEvent::Consumed {
            id: consumer.consumer,
            consumer_id: consumer.consumer,
            producer_id: consumer.producer,
            user_id: consumer.user,
            session_id: consumer.session,
            kind: consumer.kind,
            stream_type: consumer.stream_type,
            rtp_parameters: consumer.rtp_parameters,
            producer_paused: consumer.producer_paused,
            app_data: AppData { source: consumer.source },
        }
        .into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn request_key_frame(
    session: &mut Session,
    consumer: Owned<ConsumerId>,
) -> Result<Answer, Refusal> {
    let command = Command::RequestKeyFrame { session: session.id, consumer: consumer.id() };
    match session.ask(command).await? {
        Reply::KeyFrameRequested { consumer } => {
            Ok(ServerEvent::KeyFrameRequested { consumer_id: consumer }.into())
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn set_preferred_layers(
    session: &mut Session,
    consumer: Owned<ConsumerId>,
    layers: ConsumerLayers,
) -> Result<Answer, Refusal> {
    let command = Command::SetPreferredLayers { session: session.id, consumer: consumer.id(), layers };
    match session.ask(command).await? {
        Reply::PreferredLayersSet { consumer, layers } => {
            Ok(ServerEvent::PreferredLayersSet { consumer_id: consumer, layers }.into())
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn set_priority(
    session: &mut Session,
    consumer: Owned<ConsumerId>,
    priority: NonZeroU8,
) -> Result<Answer, Refusal> {
    let command = Command::SetPriority { session: session.id, consumer: consumer.id(), priority };
    match session.ask(command).await? {
        Reply::PrioritySet { consumer, priority } => {
            Ok(ServerEvent::PrioritySet { consumer_id: consumer, priority }.into())
        }
        other => Err(unexpected(&other)),
    }
}
