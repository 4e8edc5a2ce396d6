//! Under one key no packet is taken twice, whatever happened to its SSRC since: a layer that got
//! another one, a producer that was closed and made again with the same.

use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Call, KEY_FRAME, MID_ID, Offer, RID_ID};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::signal::Source;

const LAYER: [(u8, &[u8]); 2] = [(MID_ID, b"70"), (RID_ID, b"r0")];

/// A call whose talker sends a camera in one layer, known by its RID.
fn with_layer(seed: u8) -> Call {
    let mut call = Call::new(seed);
    let (room, talker, producer) = (call.room.clone(), call.talker, call.camera.producer);
    call.world.command(&room, Command::CloseProducer { session: talker, producer }).unwrap();
    let mut offer = Offer::simulcast(70, 1);
    offer.mid = "70".into();
    offer.parameters.mid = Some("70".into());
    call.camera.producer = call.world.produce(&room, talker, call.talker_send, &offer).unwrap();
    call.camera.consumer = call.world.consume(&room, call.listener, call.camera.producer).unwrap();
    call
}

fn layer_packet(call: &Call, ssrc: u32, index: u64) -> Vec<u8> {
    let sequence = (index & 0xffff) as u16;
    let header =
        HeaderWriter { marker: true, payload_type: 96, sequence, timestamp: 960 * sequence as u32, ssrc };
    let picture = [&KEY_FRAME[..], b"picture"].concat();
    call.world.peers[call.talker_send].seal_rtp(header, index, &LAYER, &picture)
}

/// Whether the packet was forwarded.
fn is_taken(call: &mut Call, packet: &[u8]) -> bool {
    let before = call.world.engine.counters().forwarded_packets;
    call.world.send(call.world.peers[call.talker_send].address, packet.to_vec());
    call.world.engine.counters().forwarded_packets > before
}

#[test]
fn what_was_taken_under_a_layers_old_ssrc_is_not_taken_again() {
    let mut call = with_layer(71);
    let old: Vec<Vec<u8>> = (10..30).map(|index| layer_packet(&call, 500, index)).collect();
    assert!(old.iter().all(|packet| is_taken(&mut call, packet)));
    let new: Vec<Vec<u8>> = (900..920).map(|index| layer_packet(&call, 501, index)).collect();
    assert!(new.iter().all(|packet| is_taken(&mut call, packet)));
    assert!(!old.iter().any(|packet| is_taken(&mut call, packet)), "replayed");
    let more = layer_packet(&call, 501, 920);
    assert!(is_taken(&mut call, &more), "and the new one is still its own");
    // It may come back, and goes on where it ended.
    let back = layer_packet(&call, 500, 30);
    assert!(is_taken(&mut call, &back));
    assert!(!old.iter().chain(&new).any(|packet| is_taken(&mut call, packet)));
}

#[test]
fn what_a_closed_producer_sent_is_not_taken_from_the_next_with_its_ssrc() {
    let mut call = Call::new(72);
    let (room, session, producer) = (call.room.clone(), call.talker, call.mic.producer);
    let sent: Vec<Vec<u8>> = (0..20).map(|_| call.packet(Source::Mic, b"speech")).collect();
    assert!(sent.iter().all(|packet| is_taken(&mut call, packet)));
    call.world.command(&room, Command::CloseProducer { session, producer }).unwrap();
    let mut again = Offer::new(Source::Mic, 0);
    again.mid = "80".into();
    again.parameters.mid = Some("80".into());
    let producer = call.world.produce(&room, session, call.talker_send, &again).unwrap();
    call.mic.consumer = call.world.consume(&room, call.listener, producer).unwrap();
    assert!(!sent.iter().any(|packet| is_taken(&mut call, packet)), "replayed");
    let next = call.packet(Source::Mic, b"more");
    assert!(is_taken(&mut call, &next));
}

#[test]
fn an_ssrc_too_many_in_a_transports_life_is_refused_and_none_forgotten() {
    let mut call = with_layer(73);
    let first = layer_packet(&call, 10_000, 10);
    assert!(is_taken(&mut call, &first));
    let taken = (10_001..13_000).filter(|ssrc| {
        let packet = layer_packet(&call, *ssrc, 10);
        is_taken(&mut call, &packet)
    });
    let taken = taken.count();
    assert!((1_500..1_536).contains(&taken), "{taken}");
    let unknown = call.world.engine.counters().unknown_streams;
    assert!(!is_taken(&mut call, &first));
    assert!(call.world.engine.counters().unknown_streams > unknown);
    assert_eq!(call.say(Source::Mic, b"speech"), [b"speech".to_vec()], "what is bound goes on");
}
