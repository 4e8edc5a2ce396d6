//! A full room whose receivers all ask for key frames without end: the sender hears of it twice a
//! second, whether it answers or not.

use railgun_media_core::packet::rtcp::{Pli, RtcpPacket, parse_compound, write_pli};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, KEY_FRAME, MID_ID, Offer, World};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

const CONSUMERS: u128 = 24;
const SECONDS: usize = 10;

/// How many requests the sender got, having answered each if it `answers`.
fn requests(answers: bool) -> usize {
    let mut world = World::new(71);
    let room = World::room("storm");
    let talker = world.join(&room, 1, Tier::Pro);
    let sender = world.connect(&room, talker, Send);
    let offer = Offer::new(Source::Camera, 1);
    let producer = world.produce(&room, talker, sender, &offer).unwrap();
    let mut receivers = Vec::new();
    for number in 0..CONSUMERS {
        let session = world.join(&room, 2 + number, Tier::Free);
        let peer = world.connect(&room, session, Recv);
        let consumer = world.consume(&room, session, producer).unwrap();
        receivers.push((peer, consumer.rtp_parameters.encodings[0].ssrc.unwrap()));
    }
    let address = world.peers[sender].address;
    // What the room's beginning asked for is over.
    world.advance(Duration::from_secs(1));
    world.peers[sender].arrivals.clear();

    let (mut heard, mut sequence) = (0, 0u16);
    for _ in 0..SECONDS * 100 {
        for (peer, ssrc) in &receivers {
            let mut message = [0; 12];
            let len = write_pli(&mut message, Pli { sender_ssrc: 1, media_ssrc: *ssrc }).unwrap();
            let sealed = world.peers[*peer].seal_rtcp(&message[..len]);
            world.send(world.peers[*peer].address, sealed);
        }
        world.advance(Duration::from_millis(10));
        for arrival in std::mem::take(&mut world.peers[sender].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            let is_request = |packet: &RtcpPacket<'_>| match packet {
                RtcpPacket::Pli(pli) => pli.media_ssrc == offer.ssrc,
                RtcpPacket::Fir(_) => true,
                _ => false,
            };
            let asked = parse_compound(&compound).unwrap().filter(is_request).count();
            heard += asked;
            if answers && asked > 0 {
                let (payload_type, ssrc) = (offer.payload_type, offer.ssrc);
                let timestamp = u32::from(sequence) * 3_000;
                let header = HeaderWriter { marker: true, payload_type, sequence, timestamp, ssrc };
                let mid = [(MID_ID, offer.mid.as_bytes())];
                let packet = world.peers[sender].seal_rtp(header, sequence.into(), &mid, &KEY_FRAME);
                world.send(address, packet);
                sequence += 1;
            }
        }
    }
    heard
}

#[test]
fn to_a_sender_that_answers_with_key_frames() {
    let heard = requests(true);
    assert!((SECONDS..=2 * SECONDS).contains(&heard), "{heard} in {SECONDS} s");
}

#[test]
fn to_a_sender_that_does_not_answer() {
    let heard = requests(false);
    assert!((SECONDS..=2 * SECONDS).contains(&heard), "{heard} in {SECONDS} s");
}
