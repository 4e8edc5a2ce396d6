//! `voice:rtc:getRouterRtpCapabilities`, `voice:rtc:createTransport`, `voice:rtc:connectTransport`,
//! `voice:rtc:restartIce`. Checks: a channel was joined; a transport that is connected or restarted is
//! this session's own. Repeating is safe: the node answers with what there is, and a restart that the
//! client never used is replaced by the next.

use crate::media_client::unexpected;
use crate::refusal::Refusal;
use crate::session::{Answer, Owned, Session};
use railgun_protocol::ids::TransportId;
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::ortc::{self, DEFAULT_CODECS};
use railgun_protocol::signal::ServerEvent;
use railgun_protocol::transport_parameters::{DtlsParameters, TransportDirection};

/// The caller's own ceiling goes into the answer, so that a client keeps to it by itself.
pub(super) fn router_rtp_capabilities(session: &Session) -> Result<Answer, Refusal> {
    session.seated()?;
    let ceiling = session.permissions().max_bitrate;
    let mut rtp_capabilities = ortc::router_rtp_capabilities(&DEFAULT_CODECS, ceiling);
    if session.services.offers_ccfb {
        ortc::offer_ccfb(&mut rtp_capabilities);
    }
    Ok(ServerEvent::RouterRtpCapabilities { rtp_capabilities }.into())
}

pub(super) async fn create(session: &mut Session, direction: TransportDirection) -> Result<Answer, Refusal> {
    match session.ask(Command::CreateTransport { session: session.id, direction }).await? {
        Reply::TransportCreated { direction, transport, parameters } => {
            if let Some(call) = session.seat.as_mut().and_then(|seat| seat.call.as_mut()) {
                call.transport_created();
            }
            let event = ServerEvent::TransportCreated {
                direction,
                transport_id: transport,
                id: transport,
                parameters,
            };
            Ok(event.into())
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn connect(
    session: &mut Session,
    transport: Owned<TransportId>,
    dtls: DtlsParameters,
) -> Result<Answer, Refusal> {
    let command = Command::ConnectTransport { session: session.id, transport: transport.id(), dtls };
    match session.ask(command).await? {
        Reply::TransportConnected { transport } => {
            if let Some(call) = session.seat.as_mut().and_then(|seat| seat.call.as_mut()) {
                call.connect_asked();
            }
            Ok(ServerEvent::TransportConnected { transport_id: transport }.into())
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) async fn restart_ice(
    session: &mut Session,
    transport: Owned<TransportId>,
) -> Result<Answer, Refusal> {
    match session.ask(Command::RestartIce { session: session.id, transport: transport.id() }).await? {
        Reply::IceRestarted { transport, ice_parameters } => {
            Ok(ServerEvent::IceRestarted { transport_id: transport, ice_parameters }.into())
        }
        other => Err(unexpected(&other)),
    }
}
