//! Replies and refusals: the node writes them, the control-plane reads them.

use super::error::WireError;
use super::field::Field;
use super::proto;
use super::variants::variants;
use proto::reply::Reply as Message;
use railgun_protocol::media_rpc::Reply;
use railgun_protocol::signal::ErrorBody;

type Answer = Result<Reply, ErrorBody>;

/// The node's answer to the command numbered `request` on the same stream.
pub fn encode_reply(request: u64, reply: Answer) -> proto::NodeFrame {
    let (reply, refused) = match reply {
        Ok(reply) => (Some(encode(reply)), None),
        Err(error) => (None, Some(error.to_wire())),
    };
    let reply = proto::Reply { request, refused, reply };
    proto::NodeFrame { frame: Some(proto::node_frame::Frame::Reply(reply)) }
}

pub(super) fn decode_answer(reply: proto::Reply) -> Result<(u64, Answer), WireError> {
    let answer = match reply.refused {
        Some(refusal) => Err(Field::from_wire(refusal, "refused")?),
        None => Ok(decode(reply.reply.ok_or(WireError::Missing("reply"))?)?),
    };
    Ok((reply.request, answer))
}

variants! { Reply => Message {
    Joined(room) => Joined,
    Left => Empty,
    Resumed(room, own) => Resumed,
    Done => Empty,
    Slot(slot) => SlotReply,
    SlotReleased { source } => OfVideoSource,
    Inspected(room) => Joined,
    TransportCreated { direction, transport, parameters } => TransportCreated,
    TransportConnected { transport } => OfTransport,
    IceRestarted { transport, ice_parameters } => IceRestarted,
    Produced { producer, kind, source } => Produced,
    ProducerPaused { producer } => OfProducer,
    ProducerResumed { producer } => OfProducer,
    ProducerClosed { producer } => OfProducer,
    Consumed(consumer) => Consumed,
    ConsumerPaused { consumer } => OfConsumer,
    ConsumerResumed { consumer } => OfConsumer,
    PreferredLayersSet { consumer, layers } => SetPreferredLayers,
    KeyFrameRequested { consumer } => OfConsumer,
    PrioritySet { consumer, priority } => Priority,
    Stats(stats) => StatsReply,
    StateUpdated(state) => StateUpdated,
} }
