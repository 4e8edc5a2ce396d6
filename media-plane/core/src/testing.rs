//! What tests and measurements do to an engine. No part of the crate's interface.

mod census;

pub use census::{Census, RoomCensus, VIDEO_ENDS, census};

use crate::engine::Engine;
use crate::transport::association;
use crate::transport::dtls::SrtpKeys;
use railgun_protocol::media_rpc::Address;
use std::net::SocketAddr;

/// Gives the connected transport behind an address other keys than its handshake did, in place of a client
/// that negotiates another suite; false if nobody is there.
pub fn replace_srtp_keys(engine: &mut Engine, address: SocketAddr, master: &SrtpKeys) -> bool {
    let transports = &mut engine.media.transports;
    let transport = transports.by_address(address).and_then(|key| transports.get_mut(key));
    let (Some(transport), Ok(keys)) = (transport, association::srtp_keys(master)) else { return false };
    transport.keys = Some(keys);
    true
}

/// Has the next counted event of a room be the one after this.
pub fn set_room_seq(engine: &mut Engine, address: &Address, seq: u64) {
    let room = engine.rooms.of_channel(&address.channel);
    if let Some(feed) = room.and_then(|room| engine.media.output.feed_mut(room)) {
        feed.seq = seq;
    }
}
