//! Transport-wide feedback, from which a browser learns how much it may send.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, MID_ID, TRANSPORT_CC_ID};
use railgun_protocol::media_rpc::{Command, Reply};
use std::time::Duration;

/// The speaker's packet of this place, with this transport-wide number.
fn sealed(call: &Call, place: u16, number: u16) -> Vec<u8> {
    let header = HeaderWriter {
        marker: false,
        payload_type: call.mic.offer.payload_type,
        sequence: 1000 + place,
        // 7 ms apart, as they are sent.
        timestamp: u32::from(place) * 336,
        ssrc: call.mic.offer.ssrc,
    };
    let number = number.to_be_bytes();
    let elements = [(MID_ID, call.mic.offer.mid.as_bytes()), (TRANSPORT_CC_ID, &number[..])];
    call.world.peers[call.talker_send].seal_rtp(header, 1000 + u64::from(place), &elements, b"speech")
}

/// What the speaker was told: of each message the numbers, and the time since the one before in 250 us.
fn told(call: &Call) -> Vec<Vec<(u16, i16)>> {
    let mut told = Vec::new();
    for arrival in &call.world.peers[call.talker_send].arrivals {
        let Arrival::Rtcp(compound) = arrival else { continue };
        for packet in parse_compound(compound).unwrap() {
            if let RtcpPacket::TransportCc(feedback) = packet {
                told.push(feedback.received().collect());
            }
        }
    }
    told
}

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
        let packet = sealed(&call, n, number);
        call.world.send(address, packet);
        arrived.push(number);
    }
    call.world.advance(Duration::from_millis(200));
    let messages = told(&call);
    let numbers: Vec<u16> = messages.iter().flatten().map(|(number, _)| *number).collect();
    assert_eq!(numbers, arrived);
    // 1.4 s and a bit, every 100 ms.
    assert!((12..=17).contains(&messages.len()), "{}", messages.len());
}

#[test]
fn packets_that_waited_for_a_worker_are_told_when_the_kernel_took_them_in() {
    let mut call = Call::new(9);
    call.world.peers[call.talker_send].arrivals.clear();
    let address = call.world.peers[call.talker_send].address;
    // One each 7 ms, of which the worker takes five at once.
    let mut waiting = Vec::new();
    for n in 0..200u16 {
        call.world.advance(Duration::from_millis(7));
        waiting.push((sealed(&call, n, n), call.world.now));
        if n % 5 == 4 {
            for (packet, arrived) in waiting.drain(..) {
                call.world.send_late(address, packet, call.world.now - arrived);
            }
        }
    }
    call.world.advance(Duration::from_millis(200));
    let messages = told(&call);
    let gaps: Vec<i16> = messages.iter().flat_map(|of| of.iter().skip(1)).map(|(_, since)| *since).collect();
    assert!(gaps.len() > 170 && gaps.iter().all(|gap| *gap == 28), "{gaps:?}");
    let command = Command::GetStats { session: call.talker, transport: None };
    let Ok(Reply::Stats(stats)) = call.world.command(&call.room, command) else { panic!("no statistics") };
    let speech = stats.producers.iter().flat_map(|of| &of.streams).find(|it| it.ssrc == call.mic.offer.ssrc);
    assert!(speech.unwrap().jitter_ms < 0.1, "{speech:?}");
}
