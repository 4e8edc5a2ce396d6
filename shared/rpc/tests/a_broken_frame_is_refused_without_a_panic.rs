//! Whatever bytes come over the control stream, decoding answers with a value or an error.

use crate::samples;
use proptest::prelude::*;
use prost::Message;
use railgun_rpc::proto::{self, control_frame::Command, reply, room_event};
use railgun_rpc::{
    FromNode, WireError, decode_command, decode_node_frame, encode_command, encode_event, encode_reply,
    encode_worker_died,
};

fn control_frames() -> Vec<proto::ControlFrame> {
    samples::commands().iter().map(|command| encode_command(1, &samples::address(), command)).collect()
}

fn node_frames() -> Vec<proto::NodeFrame> {
    let refusals = samples::refusals().into_iter().map(Err);
    let replies = samples::replies().into_iter().map(Ok).chain(refusals);
    replies
        .map(|reply| encode_reply(1, reply))
        .chain(samples::room_events().into_iter().map(encode_event))
        .collect()
}

#[test]
fn an_empty_frame_is_refused() {
    assert!(matches!(
        decode_command(proto::ControlFrame::default()),
        Err(WireError::Id { field: "channel", .. })
    ));
    assert!(matches!(decode_node_frame(proto::NodeFrame::default()), Err(WireError::Missing("frame"))));
    for mut frame in control_frames() {
        frame.command = None;
        assert!(matches!(decode_command(frame), Err(WireError::Missing("command"))));
    }
    let empty_reply = proto::node_frame::Frame::Reply(proto::Reply::default());
    let refused = decode_node_frame(proto::NodeFrame { frame: Some(empty_reply) });
    assert!(matches!(refused, Err(WireError::Missing("reply"))));
}

#[test]
fn an_empty_message_inside_a_sound_frame_is_refused() {
    let empty = [
        Command::Join(proto::Join::default()),
        Command::ConnectTransport(proto::ConnectTransport::default()),
        Command::Produce(proto::Produce::default()),
        Command::PauseProducer(proto::OfProducer::default()),
        Command::Consume(proto::Consume::default()),
        Command::RequestKeyFrame(proto::OfConsumer::default()),
        Command::RestartIce(proto::OfTransport::default()),
        Command::SetPreferredLayers(proto::SetPreferredLayers::default()),
    ];
    for command in empty {
        let frame = proto::ControlFrame { command: Some(command), ..control_frames().remove(0) };
        assert!(decode_command(frame.clone()).is_err(), "{frame:?}");
    }
}

#[test]
fn each_way_to_be_wrong_has_its_error() {
    let with_join = |change: fn(&mut proto::Join)| {
        let mut frame = control_frames().remove(0);
        if let Some(Command::Join(join)) = &mut frame.command {
            change(join);
        }
        decode_command(frame).unwrap_err()
    };
    let error = with_join(|join| join.limits.as_mut().unwrap().participants = 65_536);
    assert!(matches!(error, WireError::OutOfRange("participants")));
    let error = with_join(|join| join.grant.as_mut().unwrap().permissions = None);
    assert!(matches!(error, WireError::Missing("permissions")));
    let error = with_join(|join| join.rtp_capabilities = Some("[]".repeat(9)));
    assert!(matches!(error, WireError::Json { field: "rtp_capabilities", .. }));

    let mut frame = control_frames().remove(0);
    frame.command = Some(Command::Leave(proto::Leave { reason: 3, attachment: None }));
    assert!(matches!(decode_command(frame), Err(WireError::UnknownWord("reason"))));

    let mut event = proto::RoomEvent {
        channel: "c".into(),
        event: Some(room_event::Event::RoomClosed(proto::Empty {})),
        except: Some("0".repeat(32)),
        ..proto::RoomEvent::default()
    };
    let decode = |event: &proto::RoomEvent| {
        let frame = Some(proto::node_frame::Frame::Event(event.clone()));
        decode_node_frame(proto::NodeFrame { frame })
    };
    assert!(decode(&event).is_ok());
    event.only = event.except.clone();
    assert!(matches!(decode(&event), Err(WireError::Audience)));

    let refusal = proto::Refusal { code: 99, details: "{}".into(), ..Default::default() };
    let reply = proto::Reply { request: 1, refused: Some(refusal), reply: None };
    let frame = proto::NodeFrame { frame: Some(proto::node_frame::Frame::Reply(reply)) };
    assert!(matches!(decode_node_frame(frame), Err(WireError::UnknownWord("code"))));

    let transport = proto::TransportStats { round_trip_ms: Some(f64::NAN), ..sound_transport_stats() };
    let stats = proto::Stats { transports: vec![transport], ..Default::default() };
    let stats = Some(reply::Reply::Stats(proto::StatsReply { stats: Some(stats) }));
    let reply = proto::Reply { request: 1, refused: None, reply: stats };
    let frame = proto::NodeFrame { frame: Some(proto::node_frame::Frame::Reply(reply)) };
    assert!(matches!(decode_node_frame(frame), Err(WireError::OutOfRange("round_trip_ms"))));
}

fn sound_transport_stats() -> proto::TransportStats {
    proto::TransportStats {
        transport_id: "0".repeat(32),
        direction: 1,
        ice: 1,
        dtls: 1,
        received: Some(proto::Traffic::default()),
        sent: Some(proto::Traffic::default()),
        ..Default::default()
    }
}

/// Bytes of a sound frame with some of them changed and the end perhaps cut off.
fn mutated(sound: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (prop::sample::select(sound), prop::collection::vec(change, 0..4), any::<Option<prop::sample::Index>>())
        .prop_map(|(mut bytes, changes, cut)| {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_still_read_of_a_mutated_command_is_sound(
        bytes in mutated(control_frames().iter().map(Message::encode_to_vec).collect())
    ) {
        let Ok(frame) = proto::ControlFrame::decode(bytes.as_slice()) else { return Ok(()) };
        if let Ok((request, address, command)) = decode_command(frame) {
            let again = decode_command(encode_command(request, &address, &command)).unwrap();
            prop_assert_eq!(again, (request, address, command));
        }
    }

    #[test]
    fn what_is_still_read_of_a_mutated_node_frame_is_sound(
        bytes in mutated(node_frames().iter().map(Message::encode_to_vec).collect())
    ) {
        let Ok(frame) = proto::NodeFrame::decode(bytes.as_slice()) else { return Ok(()) };
        if let Ok(read) = decode_node_frame(frame) {
            let encoded = match read.clone() {
                FromNode::Reply { request, reply } => encode_reply(request, reply),
                FromNode::Event(event) => encode_event(event),
                FromNode::WorkerDied(died) => encode_worker_died(died),
            };
            prop_assert_eq!(decode_node_frame(encoded).unwrap(), read);
        }
    }
}
