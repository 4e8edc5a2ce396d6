//! The signaling's requests, one file for each or for a small family. Every file begins with what
//! the server checks before it does anything.

mod consume;
pub(crate) mod diagnostics;
mod entitlement;
mod join;
mod leave;
mod messages;
mod pause_resume;
mod produce;
mod report;
mod resume;
mod ring;
mod state_update;
mod stats;
mod transport;
mod turn;
mod video_slot;
mod watch;

pub(crate) use entitlement::records_changed;
pub(crate) use resume::{NotResumed, reclaim, resume};
pub(crate) use ring::RATE as RING_RATE;

use crate::refusal::Refusal;
use crate::session::{Answer, Session};
use railgun_protocol::signal::ClientEvent;

/// Does what was asked and says what to answer.
pub(crate) async fn handle(session: &mut Session, event: ClientEvent) -> Result<Answer, Refusal> {
    match event {
        ClientEvent::Join { channel_id, rtp_capabilities, network_type, e2ee } => {
            join::join(session, join::Request { channel: channel_id, rtp_capabilities, network_type, e2ee })
                .await
        }
        ClientEvent::Leave { channel_id } => leave::leave(session, channel_id).await,
        ClientEvent::GetRouterRtpCapabilities => transport::router_rtp_capabilities(session),
        ClientEvent::CreateTransport { direction } => transport::create(session, direction).await,
        ClientEvent::ConnectTransport { transport_id, dtls_parameters } => {
            let transport = session.own_transport(transport_id)?;
            transport::connect(session, transport, dtls_parameters).await
        }
        ClientEvent::RestartIce { transport_id } => {
            let transport = session.own_transport(transport_id)?;
            transport::restart_ice(session, transport).await
        }
        ClientEvent::Produce { transport_id, kind, rtp_parameters, source } => {
            let transport = session.own_transport(transport_id)?;
            produce::produce(session, transport, kind, source, rtp_parameters).await
        }
        ClientEvent::Consume { transport_id, producer_id, rtp_capabilities } => {
            let transport = transport_id.map(|id| session.own_transport(id)).transpose()?;
            consume::consume(session, transport, producer_id, rtp_capabilities).await
        }
        ClientEvent::PauseProducer { producer_id } => {
            let producer = session.own_producer(producer_id)?;
            pause_resume::pause_producer(session, producer).await
        }
        ClientEvent::ResumeProducer { producer_id } => {
            let producer = session.own_producer(producer_id)?;
            pause_resume::resume_producer(session, producer).await
        }
        ClientEvent::CloseProducer { producer_id } => {
            let producer = session.own_producer(producer_id)?;
            produce::close(session, producer).await
        }
        ClientEvent::PauseConsumer { consumer_id } => {
            let consumer = session.own_consumer(consumer_id)?;
            pause_resume::pause_consumer(session, consumer).await
        }
        ClientEvent::ResumeConsumer { consumer_id } => {
            let consumer = session.own_consumer(consumer_id)?;
            pause_resume::resume_consumer(session, consumer).await
        }
        ClientEvent::SetPreferredLayers { consumer_id, layers } => {
            let consumer = session.own_consumer(consumer_id)?;
            consume::set_preferred_layers(session, consumer, layers).await
        }
        ClientEvent::SetPriority { consumer_id, priority } => {
            let consumer = session.own_consumer(consumer_id)?;
            consume::set_priority(session, consumer, priority).await
        }
        ClientEvent::GetStats { transport_id } => {
            let transport = transport_id.map(|id| session.own_transport(id)).transpose()?;
            stats::get_stats(session, transport).await
        }
        ClientEvent::RequestKeyFrame { consumer_id } => {
            let consumer = session.own_consumer(consumer_id)?;
            consume::request_key_frame(session, consumer).await
        }
        ClientEvent::StateUpdate(update) => state_update::update(session, update).await,
        ClientEvent::StatsReport(stats) => report::stats(session, stats),
        ClientEvent::TurnRefresh => Ok(turn::refresh(session)),
        ClientEvent::EntitlementRefresh { token } => entitlement::refresh(session, &token).await,
        ClientEvent::RequestSlot { source } => video_slot::request(session, source).await,
        ClientEvent::ReleaseSlot { source } => video_slot::release(session, source).await,
        ClientEvent::Data(message) => messages::data(session, message).await,
        ClientEvent::E2eeMessage(message) => messages::e2ee(session, message).await,
        ClientEvent::UiEvent { name } => Ok(report::ui_event(session, name)),
        ClientEvent::Ring { channel_id } => ring::ring(session, channel_id).await,
        ClientEvent::DeclineRing { channel_id } => Ok(ring::decline(session, &channel_id)),
        ClientEvent::WatchChannel { channel_id } => watch::watch(session, channel_id).await,
        ClientEvent::UnwatchChannel { channel_id } => Ok(watch::unwatch(session, channel_id)),
        ClientEvent::Ping { sent_at } => Ok(state_update::ping(sent_at)),
    }
}
