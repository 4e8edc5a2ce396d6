//! `voice:rtc:produce`, `voice:rtc:closeProducer`. Checks: the transport, or the producer, is this
//! session's own; the kind fits the source; the user's tier allows the source. The node checks the
//! same again, and the codecs, one producer a source, and the room's number of videos.

use crate::media_client::unexpected;
use crate::policy::entitlement;
use crate::refusal::Refusal;
use crate::session::{Answer, Owned, Session};
use railgun_protocol::ids::{ProducerId, TransportId};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters};
use railgun_protocol::signal::{AppData, ServerEvent, Source};

pub(super) async fn produce(
    session: &mut Session,
    transport: Owned<TransportId>,
    kind: MediaKind,
    source: Source,
    rtp_parameters: RtpParameters,
) -> Result<Answer, Refusal> {
    entitlement::check_source(session.permissions(), kind, source)?;
    let rtp_parameters = Box::new(rtp_parameters);
    let command =
        Command::Produce { session: session.id, transport: transport.id(), kind, source, rtp_parameters };
    match session.ask(command).await? {
        Reply::Produced { producer, kind, source } => Ok(ServerEvent::Produced {
            id: producer,
            producer_id: producer,
            kind,
            app_data: AppData { source },
        }
        .into()),
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn close(session: &mut Session, producer: Owned<ProducerId>) -> Result<Answer, Refusal> {
    let command = Command::CloseProducer { session: session.id, producer: producer.id() };
    match session.ask(command).await? {
        Reply::ProducerClosed { producer } => {
            let user_id = session.identity.user.clone();
            Ok(ServerEvent::ProducerClosed {
                producer_id: producer,
                user_id,
                reason: None,
                session_id: None,
                room_seq: None,
            }
            .into())
        }
        other => Err(unexpected(&other)),
    }
}
