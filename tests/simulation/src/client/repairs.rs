//! What a sender sends again when a node asks (RFC 4585, 6.2.1), as retransmissions (RFC 4588).

use railgun_media_core::packet::rtp::HeaderWriter;
use std::collections::{BTreeMap, VecDeque};

/// Packets that are remembered, over all streams of a transport.
const REMEMBERED: usize = 100;
/// The payload type of retransmissions that offers of video name.
const PAYLOAD_TYPE: u8 = 97;
/// Of a simulcast's layers, whose retransmissions' SSRCs no offer names.
const LAYERS: u32 = 0x0100_0000;

/// A packet of video as it was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub header: HeaderWriter,
    pub mid: String,
    pub rid: Option<String>,
    pub payload: Vec<u8>,
}

/// Of one transport.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    sent: VecDeque<Sent>,
    /// By SSRC of retransmissions, the index of the last one.
    last: BTreeMap<u32, u64>,
}

impl Repairs {
    pub(super) fn remember(&mut self, sent: Sent) {
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(sent);
    }

    /// The retransmission of a packet, with its index: roll-over counter and sequence number.
    pub(super) fn answer(&mut self, ssrc: u32, sequence: u16) -> Option<(u64, Sent)> {
        let is_it = |it: &&Sent| it.header.ssrc == ssrc && it.header.sequence == sequence;
        let mut again = self.sent.iter().find(is_it)?.clone();
        let rtx = if again.rid.is_some() { ssrc + LAYERS } else { ssrc + 1 };
        let index = self.last.entry(rtx).or_insert(500);
        *index += 1;
        again.payload.splice(0..0, sequence.to_be_bytes());
        again.header.ssrc = rtx;
        again.header.payload_type = PAYLOAD_TYPE;
        again.header.sequence = u16::try_from(*index & 0xffff).unwrap_or_default();
        Some((*index, again))
    }
}
