//! A sealed packet of video opened in place.

use crate::keys::master_key;
use crate::room::{BURST, VIDEO_PAYLOAD};
use crate::step::Step;
use railgun_media_core::packet::rtp::{FIXED_HEADER, HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{InboundSession, InboundStream, OutboundSession, Suite};
use std::hint::black_box;

struct Inbound {
    sender: OutboundSession,
    receiver: InboundSession,
    stream: InboundStream,
    next: u64,
    packets: [(RtpHeader, Vec<u8>); BURST],
}

pub(crate) fn new(suite: Suite) -> Box<dyn Step> {
    let key = master_key(suite);
    let sender = OutboundSession::new(&key).expect("a key");
    let receiver = InboundSession::new(&key).expect("a key");
    let packets = std::array::from_fn(|place| sealed(&sender, place as u64));
    Box::new(Inbound { sender, receiver, stream: InboundStream::default(), next: 0, packets })
}

fn sealed(sender: &OutboundSession, index: u64) -> (RtpHeader, Vec<u8>) {
    let [.., high, low] = index.to_be_bytes();
    let sequence = u16::from_be_bytes([high, low]);
    let header = HeaderWriter { marker: false, payload_type: 96, sequence, timestamp: 2, ssrc: 3 };
    let mut packet = vec![0; FIXED_HEADER + VIDEO_PAYLOAD + sender.overhead()];
    header.write(&mut packet, &[]).expect("room");
    sender.seal_rtp(index, 3, FIXED_HEADER, &[0x5a; VIDEO_PAYLOAD], &mut packet).expect("sealed");
    (RtpHeader::parse(&packet).expect("a header"), packet)
}

impl Step for Inbound {
    fn prepare(&mut self) {
        let first = self.next;
        self.packets = std::array::from_fn(|place| sealed(&self.sender, first + place as u64));
        self.next += BURST as u64;
    }

    fn run(&mut self) -> usize {
        let Self { receiver, stream, packets, .. } = self;
        let opened = packets.iter_mut().map(|(header, packet)| receiver.open_rtp(stream, header, packet));
        opened.filter(|opened| black_box(opened).is_ok()).count()
    }
}
