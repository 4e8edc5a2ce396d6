//! The payload of a packet of video sealed into another buffer.

use crate::keys::master_key;
use crate::room::{BURST, VIDEO_PAYLOAD};
use crate::step::Step;
use railgun_media_core::packet::rtp::FIXED_HEADER;
use railgun_media_core::srtp::{MAX_RTP_OVERHEAD, OutboundSession, Suite};
use std::hint::black_box;

struct Outbound {
    session: OutboundSession,
    next: u64,
    payload: [u8; VIDEO_PAYLOAD],
    out: [u8; FIXED_HEADER + VIDEO_PAYLOAD + MAX_RTP_OVERHEAD],
}

pub(crate) fn new(suite: Suite) -> Box<dyn Step> {
    let session = OutboundSession::new(&master_key(suite)).expect("a key");
    let out = [0x80; FIXED_HEADER + VIDEO_PAYLOAD + MAX_RTP_OVERHEAD];
    Box::new(Outbound { session, next: 0, payload: [0x5a; VIDEO_PAYLOAD], out })
}

impl Step for Outbound {
    fn run(&mut self) -> usize {
        let Self { session, next, payload, out } = self;
        let sealed = (0..BURST).map(|_| {
            *next += 1;
            session.seal_rtp(*next, 3, FIXED_HEADER, black_box(payload), black_box(out))
        });
        sealed.filter(Result::is_ok).count()
    }
}
