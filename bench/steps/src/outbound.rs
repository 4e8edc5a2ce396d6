//! The payload of a packet of video sealed into another buffer.

use crate::Step;
use crate::room::{BURST, VIDEO_PAYLOAD};
use railgun_media_core::packet::rtp::FIXED_HEADER;
use railgun_media_core::srtp::{MAX_RTP_OVERHEAD, MasterKey, OutboundSession, Suite};
use std::hint::black_box;

struct Outbound {
    session: OutboundSession,
    next: u64,
    payload: [u8; VIDEO_PAYLOAD],
    out: [u8; FIXED_HEADER + VIDEO_PAYLOAD + MAX_RTP_OVERHEAD],
}

pub(crate) fn gcm256() -> Box<dyn Step> {
    new(Suite::AeadAes256Gcm)
}

pub(crate) fn gcm128() -> Box<dyn Step> {
    new(Suite::AeadAes128Gcm)
}

pub(crate) fn cm() -> Box<dyn Step> {
    new(Suite::AesCm128HmacSha1_80)
}

fn new(suite: Suite) -> Box<dyn Step> {
    let key =
        MasterKey::new(suite, &[7; 32][..suite.key_len()], &[8; 14][..suite.salt_len()]).expect("lengths");
    let session = OutboundSession::new(&key).expect("a key");
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
