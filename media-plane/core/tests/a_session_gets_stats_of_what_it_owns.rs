//! `getStats`: what a session sends and gets in numbers, and nothing of anybody else's.

use railgun_media_core::packet::rtcp::{ReportBlock, write_nack, write_receiver_report};
use railgun_peer::{Call, KEY_FRAME};
use railgun_protocol::ids::{SessionId, TransportId};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::rtp_parameters::MediaKind;
use railgun_protocol::signal::{ErrorCode, Source, Stats};
use railgun_protocol::transport_parameters::{DtlsState, IceState, TransportDirection};
use std::num::NonZeroU8;
use std::time::Duration;

fn stats(call: &mut Call, session: SessionId, transport: Option<TransportId>) -> Stats {
    let room = call.room.clone();
    match call.world.command(&room, Command::GetStats { session, transport }).unwrap() {
        Reply::Stats(stats) => *stats,
        other => panic!("not statistics: {other:?}"),
    }
}

#[test]
fn packets_bytes_and_rates_of_both_sides() {
    let mut call = Call::new(15);
    let (talker_id, listener_id) = (call.talker, call.listener);
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..200).for_each(|_| call.tick(&[talker, listener]));

    let of_talker = stats(&mut call, talker_id, None);
    assert!(of_talker.consumers.is_empty());
    let [transport] = &of_talker.transports[..] else { panic!("one transport: {of_talker:?}") };
    assert_eq!((transport.direction, transport.dtls), (TransportDirection::Send, DtlsState::Connected));
    assert_eq!(transport.ice, IceState::Completed);
    assert_eq!(transport.received.packets, 400);
    let [mic, camera] = &of_talker.producers[..] else { panic!("two producers: {of_talker:?}") };
    assert_eq!((mic.source, camera.source), (Source::Mic, Source::Camera));
    let [stream] = &camera.streams[..] else { panic!("one stream: {camera:?}") };
    assert_eq!((stream.ssrc, stream.received.packets), (call.camera.offer.ssrc, 200));
    assert_eq!(stream.received.bytes, 200 * 1_002);
    // 50 pictures a second of 1002 bytes.
    assert!((380_000..=420_000).contains(&stream.received.bitrate), "{stream:?}");
    assert_eq!((camera.score, stream.packets_lost), (10, 0));
    assert_eq!(camera.max_spatial_layer, Some(0));
    assert_eq!(mic.max_spatial_layer, None, "audio has none");

    let of_listener = stats(&mut call, listener_id, None);
    assert!(of_listener.producers.is_empty());
    let [of_mic, of_camera] = &of_listener.consumers[..] else { panic!("two: {of_listener:?}") };
    assert_eq!(of_mic.producer_id, call.mic.producer);
    assert_eq!((of_mic.sent.packets, of_mic.sent.bytes), (200, 200 * 80));
    assert_eq!(of_camera.sent.bytes, 200 * 1_002);
    assert!((380_000..=420_000).contains(&of_camera.sent.bitrate), "{of_camera:?}");
    assert_eq!((of_camera.kind, of_camera.paused, of_camera.priority), (MediaKind::Video, false, 1));
    assert_eq!(of_camera.packets_lost, None, "it has not reported");
    assert_eq!(of_camera.skipped_packets, Some(0));
    assert_eq!(mic.streams[0].delay_ms, Some(0.0), "each packet takes as long as the one before");
    assert!(of_listener.transports[0].sent.bytes > 200 * 1_082);
}

#[test]
fn losses_repairs_and_requests() {
    let mut call = Call::new(16);
    let talker_id = call.talker;
    let (talker, listener) = (call.talker_send, call.listener_recv);
    (0..100).for_each(|_| call.tick(&[talker, listener]));
    let consumer = call.camera.consumer.clone();
    let ssrc = consumer.rtp_parameters.encodings[0].ssrc.unwrap();
    let newest = call.world.peers[listener].highest_index(ssrc).unwrap();
    let newest = u16::try_from(newest & 0xffff).unwrap();

    let mut message = [0; 100];
    let len = write_nack(&mut message, 1, ssrc, &[newest.wrapping_sub(1), newest]).unwrap();
    let sealed = call.world.peers[listener].seal_rtcp(&message[..len]);
    call.world.send(call.world.peers[listener].address, sealed);
    let block = ReportBlock { ssrc, fraction_lost: 64, total_lost: 5, jitter: 900, ..ReportBlock::default() };
    let len = write_receiver_report(&mut message, 1, &[block]).unwrap();
    let sealed = call.world.peers[listener].seal_rtcp(&message[..len]);
    call.world.send(call.world.peers[listener].address, sealed);
    let (session, consumer) = (call.listener, consumer.consumer);
    let room = call.room.clone();
    call.world.command(&room, Command::RequestKeyFrame { session, consumer }).unwrap();
    let priority = NonZeroU8::new(200).unwrap();
    call.world.command(&room, Command::SetPriority { session, consumer, priority }).unwrap();

    let of_listener = stats(&mut call, session, None);
    let camera = of_listener.consumers.iter().find(|it| it.consumer_id == consumer).unwrap();
    assert_eq!((camera.nacked_packets, camera.resent.packets), (2, 2));
    assert_eq!(camera.resent.bytes, 2 * 1_004, "with the original's number in front");
    assert_eq!(
        (camera.packets_lost, camera.fraction_lost, camera.jitter_ms),
        (Some(5), Some(0.25), Some(10.0))
    );
    assert_eq!((camera.plis, camera.priority), (1, 200));

    // A packet of the talker's does not come, is asked for, and comes by retransmission.
    let picture = [&KEY_FRAME[..], &[7; 200]].concat();
    let lost = call.packet(Source::Camera, &picture);
    (0..5).for_each(|_| call.tick(&[]));
    let before = stats(&mut call, talker_id, None).producers[1].streams[0].clone();
    assert_eq!((before.nacked_packets, before.repaired_packets), (1, 0));
    assert!(before.plis > 0);
    drop(lost);
    call.world.advance(Duration::from_secs(2));
    let after = stats(&mut call, talker_id, None).producers[1].streams[0].clone();
    assert_eq!(after.packets_lost, 1);
    let of_listener = stats(&mut call, session, None);
    let camera = of_listener.consumers.iter().find(|it| it.consumer_id == consumer).unwrap();
    assert_eq!(camera.skipped_packets, Some(1), "the talker's uplink lost it, not the listener's downlink");
}

#[test]
fn of_one_transport_if_asked_and_of_nobody_elses() {
    let mut call = Call::new(17);
    let listener_id = call.listener;
    let (talker, listener) = (call.talker_send, call.listener_recv);
    let own = call.world.peers[listener].id;
    let one = stats(&mut call, listener_id, Some(own));
    assert_eq!((one.transports.len(), one.producers.len(), one.consumers.len()), (1, 0, 2));
    let (room, session) = (call.room.clone(), call.listener);
    let foreign = call.world.peers[talker].id;
    for transport in [foreign, TransportId::from_bits(1)] {
        let refused = call.world.command(&room, Command::GetStats { session, transport: Some(transport) });
        assert_eq!(refused.unwrap_err().code, ErrorCode::NotFound);
    }
}
