//! Transport-wide feedback, from which a browser learns how much it may send.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, MID_ID, TRANSPORT_CC_ID};
use std::time::Duration;

#[test]
fn each_packet_once_and_the_lost_ones_not_at_all() {
    let mut call = Call::new(9);
    call.world.peers[call.talker_send].arrivals.clear();
    let address = call.world.peers[call.talker_send].address;
    let mut arrived = Vec::new();
    for n in 0..200u16 {
        call.world.advance(Duration::from_millis(7));
        if n % 9 == 5 {
            continue;
        }
        // Crosses the wrap.
        let number = 65_500u16.wrapping_add(n);
        let header = HeaderWriter {
            marker: false,
            payload_type: call.mic.offer.payload_type,
            sequence: 1000 + n,
            timestamp: u32::from(n) * 960,
            ssrc: call.mic.offer.ssrc,
        };
        let number_bytes = number.to_be_bytes();
        let elements = [(MID_ID, call.mic.offer.mid.as_bytes()), (TRANSPORT_CC_ID, &number_bytes[..])];
        let peer = &call.world.peers[call.talker_send];
        let packet = peer.seal_rtp(header, 1000 + u64::from(n), &elements, b"speech");
        call.world.send(address, packet);
        arrived.push(number);
    }
    call.world.advance(Duration::from_millis(200));
    let mut told = Vec::new();
    let mut messages = 0;
    for arrival in &call.world.peers[call.talker_send].arrivals {
        let Arrival::Rtcp(compound) = arrival else { continue };
        for packet in parse_compound(compound).unwrap() {
            if let RtcpPacket::TransportCc(feedback) = packet {
                messages += 1;
                told.extend(feedback.received().map(|(sequence, _)| sequence));
            }
        }
    }
    assert_eq!(told, arrived);
    // 1.4 s and a bit, every 100 ms.
    assert!((12..=17).contains(&messages), "{messages}");
}
