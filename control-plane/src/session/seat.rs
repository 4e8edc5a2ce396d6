//! A session's place in a room.

use super::capabilities::CapabilitiesDigest;
use super::ownership::OwnedObjects;
use crate::media_client::NodeLink;
use crate::metrics::Call;
use crate::policy::call_quality::What;
use crate::resume_token::ResumeToken;
use crate::timelines::SeatTimeline;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Address, Event, Grant};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::signal::Encryption;
use std::time::Instant;

pub(crate) struct Seat {
    pub(crate) node: NodeLink,
    pub(crate) address: Address,
    /// As the client calls it.
    pub(crate) channel: ChannelId,
    pub(crate) owned: OwnedObjects,
    /// Which of the session's sockets this is, by the node's count.
    pub(crate) attachment: u32,
    pub(crate) grant: Grant,
    pub(crate) limits: RoomLimits,
    /// The room's, which is one until the room ends.
    pub(crate) encryption: Encryption,
    /// What the node knows that this session can receive; none if nothing, or if it was not this socket that
    /// told it.
    pub(crate) capabilities: Option<CapabilitiesDigest>,
    /// With what another socket can take the session up; none: nobody can.
    pub(crate) token: Option<ResumeToken>,
    /// The session was taken up and the client has not yet asked for anything: the token before this
    /// one is still good.
    pub(crate) is_unconfirmed: bool,
    /// The node cannot be reached, and may still have this session.
    pub(crate) is_silent: bool,
    /// None: this is no call.
    pub(crate) call: Option<Call>,
    /// None: this is no call, or nothing is kept of calls.
    pub(crate) timeline: Option<Box<SeatTimeline>>,
}

impl Seat {
    /// Takes note of a room event.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(timeline) = &mut self.timeline {
            timeline.note(event);
        }
        match event {
            Event::ProducerClosed { producer, .. } => self.owned.producer_closed(*producer),
            Event::ConsumerClosed { consumer, .. } => self.owned.consumer_closed(*consumer),
            Event::TransportState { ice, dtls, .. } => {
                if let Some(call) = &mut self.call {
                    call.transport_state(*ice, *dtls);
                }
            }
            Event::Permissions { permissions, limits, .. } => {
                self.grant.permissions = *permissions;
                self.limits = *limits;
            }
            _ => {}
        }
    }

    /// When [`super::Session::look_at_media`] is to be called next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let settles = self.call.as_ref().and_then(Call::due);
        let samples = self.timeline.as_ref().map(|timeline| timeline.due());
        settles.into_iter().chain(samples).min()
    }

    /// Notes what happened in the seat's timeline.
    pub(crate) fn happened(&mut self, what: What) {
        if let Some(timeline) = &mut self.timeline {
            timeline.happened(what);
        }
    }

    /// Notes why the seat is about to go.
    pub(crate) fn ends_by(&mut self, what: What) {
        if let Some(timeline) = &mut self.timeline {
            timeline.ends_by(what);
        }
    }
}
