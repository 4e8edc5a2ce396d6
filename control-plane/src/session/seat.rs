//! A session's place in a room.

use super::capabilities::CapabilitiesDigest;
use super::ownership::OwnedObjects;
use crate::media_client::NodeLink;
use crate::metrics::Call;
use crate::resume_token::ResumeToken;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Address, Event, Grant};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::signal::Encryption;

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
}

impl Seat {
    /// Takes note of a room event.
    pub(crate) fn note(&mut self, event: &Event) {
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
}
