//! Retransmission, both ways: consumers that lost something get it from the node; the node asks
//! publishers for what it lost (RFC 4585 section 6.2.1, RFC 4588).
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound, write_nack};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_peer::{Arrival, Call, KEY_FRAME, MID_ID};
use railgun_protocol::signal::Source;
use std::time::Duration;

fn picture(n: u8) -> Vec<u8> {
    [&KEY_FRAME[..], &[n; 500]].concat()
}

/// What the listener got on this SSRC: sequence number and payload.
fn got(call: &Call, ssrc: u32) -> Vec<(u16, Vec<u8>)> {
    let arrivals = call.world.peers[call.listener_recv].arrivals.iter();
    arrivals
        .filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => {
                let header = RtpHeader::parse(packet).unwrap();
                (header.ssrc == ssrc).then(|| (header.sequence, packet[header.header_len..].to_vec()))
            }
            Arrival::Unopened(_) => panic!("the listener could not open a packet"),
            _ => None,
        })
        .collect()
}

fn nack(call: &mut Call, ssrc: u32, sequences: &[u16]) {
    let mut message = [0; 1400];
    let len = write_nack(&mut message, 1, ssrc, sequences).unwrap();
    let peer = &mut call.world.peers[call.listener_recv];
    let (sealed, address) = (peer.seal_rtcp(&message[..len]), peer.address);
    call.world.send(address, sealed);
}

#[test]
fn a_consumer_gets_what_it_asks_for_as_rtx() {
    let mut call = Call::new(8);
    let parameters = call.camera.consumer.rtp_parameters.clone();
    let (ssrc, rtx_ssrc) = (parameters.encodings[0].ssrc.unwrap(), parameters.encodings[0].rtx.unwrap().ssrc);
    call.world.peers[call.listener_recv].arrivals.clear();
    for n in 0..20 {
        let packet = call.packet(Source::Camera, &picture(n));
        let address = call.world.peers[call.talker_send].address;
        call.world.send(address, packet);
        call.world.advance(Duration::from_millis(5));
    }
    let sent = got(&call, ssrc);
    assert_eq!(sent.len(), 20);
    let lost = [sent[3].0, sent[4].0, sent[17].0];
    nack(&mut call, ssrc, &lost);
    let repaired = got(&call, rtx_ssrc);
    assert_eq!(repaired.len(), 3);
    for ((_, payload), lost) in repaired.iter().zip([&sent[3], &sent[4], &sent[17]]) {
        assert_eq!(payload[..2], lost.0.to_be_bytes(), "the original sequence number");
        assert_eq!(payload[2..], lost.1, "what was sent the first time, to the byte");
    }
    assert_eq!(repaired[1].0, repaired[0].0.wrapping_add(1), "RTX counts for itself");

    nack(&mut call, ssrc, &lost);
    assert_eq!(got(&call, rtx_ssrc).len(), 3, "not again within a round trip");
    call.world.advance(Duration::from_millis(150));
    nack(&mut call, ssrc, &lost);
    assert_eq!(got(&call, rtx_ssrc).len(), 6, "but after it");
    nack(&mut call, ssrc, &[sent[19].0.wrapping_add(50)]);
    assert_eq!(got(&call, rtx_ssrc).len(), 6, "what was never sent");
    call.world.advance(Duration::from_secs(3));
    nack(&mut call, ssrc, &lost);
    assert_eq!(got(&call, rtx_ssrc).len(), 6, "what is too old");
}

#[test]
fn a_consumer_that_asks_for_everything_gets_little_more_than_its_share() {
    let mut call = Call::new(8);
    let parameters = call.camera.consumer.rtp_parameters.clone();
    let ssrc = parameters.encodings[0].ssrc.unwrap();
    let rtx_ssrc = parameters.encodings[0].rtx.unwrap().ssrc;
    let (mut media, mut repairs) = (0, 0);
    // Ten seconds of 1 Mbit/s, all of it asked for over and over.
    for n in 0..2_500u32 {
        let packet = call.packet(Source::Camera, &picture(n as u8));
        let address = call.world.peers[call.talker_send].address;
        call.world.peers[call.listener_recv].arrivals.clear();
        call.world.send(address, packet);
        let sent = got(&call, ssrc);
        media += sent.iter().map(|(_, payload)| payload.len()).sum::<usize>();
        let last = sent[0].0;
        let wanted: Vec<u16> = (0..40).map(|back| last.wrapping_sub(back)).rev().collect();
        nack(&mut call, ssrc, &wanted);
        repairs += got(&call, rtx_ssrc).iter().map(|(_, payload)| payload.len()).sum::<usize>();
        call.world.advance(Duration::from_millis(4));
    }
    assert!(repairs > 0);
    let work = call.world.engine.counters();
    assert_eq!(work.resend_copies, work.resent_packets);
    assert!(work.resend_lookups <= 21_000, "{} looked up of 100,000 asked for", work.resend_lookups);
    assert!(media + repairs <= media * 12 / 10, "{media} bytes of media and {repairs} of repairs");
}

#[test]
fn a_publisher_is_asked_for_what_is_missing_and_its_repair_is_forwarded_in_place() {
    let mut call = Call::new(8);
    let ssrc = call.camera.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let address = call.world.peers[call.talker_send].address;
    call.world.peers[call.listener_recv].arrivals.clear();
    let mut missing = 0;
    for n in 0..10 {
        let packet = call.packet(Source::Camera, &picture(n));
        if n == 4 {
            missing = u16::try_from(call.camera.next - 1).unwrap();
            continue;
        }
        call.world.send(address, packet);
    }
    call.world.peers[call.talker_send].arrivals.clear();
    call.world.advance(Duration::from_millis(30));
    let asked: Vec<u16> = call.world.peers[call.talker_send]
        .arrivals
        .iter()
        .filter_map(|arrival| match arrival {
            Arrival::Rtcp(compound) => Some(compound.clone()),
            _ => None,
        })
        .flat_map(|compound| {
            let packets = parse_compound(&compound).unwrap();
            let lost = packets.filter_map(|packet| match packet {
                RtcpPacket::Nack(nack) => Some((nack.media_ssrc, nack.lost().collect::<Vec<_>>())),
                _ => None,
            });
            lost.inspect(|(media, _)| assert_eq!(*media, call.camera.offer.ssrc))
                .flat_map(|(_, lost)| lost)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(asked, [missing]);

    let header = HeaderWriter {
        marker: true,
        payload_type: 97,
        sequence: 900,
        timestamp: u32::from(missing) * 960,
        ssrc: call.camera.offer.ssrc + 1,
    };
    let repair = [&missing.to_be_bytes()[..], &picture(4)].concat();
    for n in 0..2 {
        let header = HeaderWriter { sequence: 900 + n, ..header };
        let mid = [(MID_ID, call.camera.offer.mid.as_bytes())];
        let peer = &call.world.peers[call.talker_send];
        let packet = peer.seal_rtp(header, 900 + u64::from(n), &mid, &repair);
        call.world.send(address, packet);
    }
    let got = got(&call, ssrc);
    let fourth = got.iter().filter(|(_, payload)| payload[2..] == [4; 500]).collect::<Vec<_>>();
    assert_eq!(fourth.len(), 1, "once, though it was sent twice");
    assert_eq!(fourth[0].0, got[3].0.wrapping_add(1), "in the gap that was left for it");
    assert_eq!(got.len(), 10);
}
