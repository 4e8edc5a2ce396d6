//! MID and SSRC are claims; only the sender's own transport can give them meaning.

use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, KEY_FRAME, MID_ID, Offer, RID_ID};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorCode, Source};
use railgun_protocol::transport_parameters::TransportDirection::Send;

#[test]
fn another_members_ssrc_and_mid_are_unknown_on_ones_own_transport() {
    let mut call = Call::new(6);
    let room = call.room.clone();
    let intruder = call.world.join(&room, 3, Tier::Free);
    let peer = call.world.connect(&room, intruder, Send);
    // Its own producer, so that it has keys and a seat like anybody.
    call.world.produce(&room, intruder, peer, &Offer::new(Source::Mic, 40)).unwrap();
    call.assert_goes_on();
    call.world.peers[call.listener_recv].arrivals.clear();
    let victim = call.mic.offer.clone();
    for n in 0..200u64 {
        let header = HeaderWriter {
            marker: false,
            payload_type: victim.payload_type,
            sequence: u16::try_from(call.mic.next + n).unwrap(),
            timestamp: 0,
            ssrc: victim.ssrc,
        };
        let packet = call.world.peers[peer].seal_rtp(header, n, &[(9, victim.mid.as_bytes())], b"lie");
        let address = call.world.peers[peer].address;
        call.world.send(address, packet);
    }
    assert!(call.heard(Source::Mic).is_empty());
    call.assert_goes_on();
}

/// A layer's SSRC is learnt from MID and RID, which anybody may write.
#[test]
fn another_members_mid_and_rid_bind_no_ssrc_of_ones_own_transport() {
    let mut call = Call::new(6);
    let (room, listener) = (call.room.clone(), call.listener);
    let victim = call.world.join(&room, 3, Tier::Pro);
    let victims = call.world.connect(&room, victim, Send);
    let offer = Offer::simulcast(40, 2);
    let producer = call.world.produce(&room, victim, victims, &offer).unwrap();
    call.world.consume(&room, listener, producer).unwrap();
    let intruder = call.world.join(&room, 4, Tier::Free);
    let intruders = call.world.connect(&room, intruder, Send);
    call.world.produce(&room, intruder, intruders, &Offer::new(Source::Mic, 50)).unwrap();
    let picture = [&KEY_FRAME[..], b"whose"].concat();
    let mut got = |from: usize, ssrc: u32| {
        call.world.peers[call.listener_recv].arrivals.clear();
        let elements: [(u8, &[u8]); 2] = [(MID_ID, offer.mid.as_bytes()), (RID_ID, b"r0")];
        let header = HeaderWriter { ssrc, ..offer.header(100, 0, true) };
        let packet = call.world.peers[from].seal_rtp(header, 100, &elements, &picture);
        call.world.send(call.world.peers[from].address, packet);
        let arrivals = call.world.peers[call.listener_recv].arrivals.iter();
        arrivals.filter(|arrival| matches!(arrival, Arrival::Rtp(_))).count()
    };
    assert_eq!(got(intruders, 0x5000_0001), 0);
    assert_eq!(got(victims, 0x5000_0002), 1, "its owner's are forwarded");
    assert_eq!(call.world.engine.counters().unknown_streams, 1);
}

#[test]
fn an_ssrc_in_use_is_not_declared_again() {
    let mut call = Call::new(6);
    let (room, talker) = (call.room.clone(), call.talker);
    let mut second = Offer::new(Source::ScreenAudio, 60);
    second.parameters.encodings[0].ssrc = Some(call.mic.offer.ssrc);
    let refused = call.world.produce(&room, talker, call.talker_send, &second).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidPayload);
    call.world.produce(&room, talker, call.talker_send, &Offer::new(Source::ScreenAudio, 61)).unwrap();
}

#[test]
fn a_mid_is_never_used_twice_on_a_transport() {
    let mut call = Call::new(6);
    let (room, talker) = (call.room.clone(), call.talker);
    let producer = call.mic.producer;
    call.world.command(&room, Command::CloseProducer { session: talker, producer }).unwrap();
    let mut again = Offer::new(Source::Mic, 60);
    again.parameters.mid = Some(call.mic.offer.mid.clone());
    let refused = call.world.produce(&room, talker, call.talker_send, &again).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidPayload);
    call.world.produce(&room, talker, call.talker_send, &Offer::new(Source::Mic, 61)).unwrap();
}

#[test]
fn packets_of_a_closed_producer_reach_nobody() {
    let mut call = Call::new(6);
    let (room, talker) = (call.room.clone(), call.talker);
    let producer = call.mic.producer;
    call.world.command(&room, Command::CloseProducer { session: talker, producer }).unwrap();
    assert!(call.say(Source::Mic, b"too late").is_empty());
    let picture = [&KEY_FRAME[..], b"picture"].concat();
    assert_eq!(call.say(Source::Camera, &picture), std::slice::from_ref(&picture), "the other one goes on");
}

#[test]
fn a_video_payload_type_on_a_microphone_is_not_forwarded() {
    let mut call = Call::new(6);
    call.assert_goes_on();
    let header = HeaderWriter {
        marker: false,
        payload_type: 96,
        sequence: 5000,
        timestamp: 0,
        ssrc: call.mic.offer.ssrc,
    };
    call.world.peers[call.listener_recv].arrivals.clear();
    let packet = call.world.peers[call.talker_send].seal_rtp(header, 5000, &[], b"video");
    let address = call.world.peers[call.talker_send].address;
    call.world.send(address, packet);
    assert!(call.heard(Source::Mic).is_empty());
    assert_eq!(call.world.engine.counters().wrong_payload_types, 1);
}
