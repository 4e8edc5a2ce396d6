//! Every command, reply and event is, after protobuf bytes, what it was before.

use crate::samples;
use prost::Message;
use railgun_protocol::media_rpc::{Command, EncryptionRule, WorkerDied};
use railgun_rpc::{
    FromNode, decode_command, decode_node_frame, encode_command, encode_event, encode_reply,
    encode_worker_died, proto,
};
use std::collections::BTreeSet;

fn over_the_wire<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

/// What a version before end-to-end encryption leaves out means what it knows.
#[test]
fn a_join_without_a_word_of_encryption_is_one_to_the_node() {
    let join = samples::commands().remove(0);
    let mut frame = encode_command(1, &samples::address(), &join);
    if let Some(proto::control_frame::Command::Join(join)) = &mut frame.command {
        join.encryption = None;
    }
    let Command::Join(read) = decode_command(over_the_wire(&frame)).unwrap().2 else { panic!("no join") };
    assert_eq!(read.encryption, EncryptionRule::default());
}

/// Fails when a numbered variant has no sample.
fn assert_complete(ordinals: impl Iterator<Item = usize>, variants: usize) {
    let seen: BTreeSet<usize> = ordinals.collect();
    assert_eq!(seen, (0..variants).collect());
}

#[test]
fn commands_read_back() {
    let commands = samples::commands();
    assert_complete(commands.iter().map(samples::command_ordinal), 32);
    for (request, command) in (u64::MAX - 99..).zip(commands) {
        let frame = over_the_wire(&encode_command(request, &samples::address(), &command));
        assert_eq!(decode_command(frame).unwrap(), (request, samples::address(), command));
    }
}

#[test]
fn replies_and_refusals_read_back() {
    let replies = samples::replies();
    assert_complete(replies.iter().map(samples::reply_ordinal), 22);
    let refusals = samples::refusals().into_iter().map(Err);
    for (request, reply) in (0..).zip(replies.into_iter().map(Ok).chain(refusals)) {
        let frame: proto::NodeFrame = over_the_wire(&encode_reply(request, reply.clone()));
        assert_eq!(decode_node_frame(frame).unwrap(), FromNode::Reply { request, reply });
    }
}

#[test]
fn events_read_back() {
    assert_complete(samples::events().iter().map(samples::event_ordinal), 25);
    for event in samples::room_events() {
        let frame = over_the_wire(&encode_event(event.clone()));
        assert_eq!(decode_node_frame(frame).unwrap(), FromNode::Event(event));
    }
    let died = WorkerDied { worker: 3, rooms: 17, deaths: 2 };
    let frame = over_the_wire(&encode_worker_died(died));
    assert_eq!(decode_node_frame(frame).unwrap(), FromNode::WorkerDied(died));
}
