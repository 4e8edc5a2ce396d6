//! Replies and refusals: the node writes them, the control-plane reads them.

use super::command::{
    decode_rights, decode_state, direction, encode_grant, encode_limits, encode_state, of_consumer,
    of_producer, of_video_source,
};
use super::error::WireError;
use super::field::{
    decode_layers, decode_priority, encode_layers, encode_priority, from_json, from_word, id, name, to_json,
    to_word,
};
use super::proto::{self, reply::Reply as Message};
use railgun_protocol::ids::UserId;
use railgun_protocol::media_rpc::{ConsumerDescription, OwnState, Reply, RoomSnapshot};
use railgun_protocol::signal::{ErrorBody, ErrorCode};
use railgun_protocol::transport_parameters::TransportDirection;

/// The node's answer to the command numbered `request` on the same stream.
pub fn encode_reply(request: u64, reply: Result<Reply, ErrorBody>) -> proto::NodeFrame {
    let reply = match reply {
        Ok(reply) => encode(&reply),
        Err(error) => Message::Refused(encode_refusal(error)),
    };
    let reply = proto::Reply { request, reply: Some(reply) };
    proto::NodeFrame { frame: Some(proto::node_frame::Frame::Reply(reply)) }
}

fn encode(reply: &Reply) -> Message {
    match reply {
        Reply::Joined(room) => Message::Joined(encode_room(room)),
        Reply::Resumed(room, own) => {
            let rights = own.rights.as_ref();
            Message::Resumed(proto::Resumed {
                room: Some(encode_room(room)),
                own_json: to_json(own),
                grant: rights.map(|rights| encode_grant(&rights.grant)),
                limits: rights.map(|rights| encode_limits(rights.limits)),
            })
        }
        Reply::Inspected(room) => Message::Inspected(encode_room(room)),
        Reply::Left => Message::Left(proto::Left {}),
        Reply::Done => Message::Done(proto::Empty {}),
        Reply::Slot(slot) => Message::SlotJson(to_json(slot)),
        Reply::SlotReleased { source } => Message::SlotReleased(of_video_source(*source)),
        Reply::TransportCreated { direction, transport, parameters } => {
            Message::TransportCreated(proto::TransportCreated {
                send: *direction == TransportDirection::Send,
                transport: transport.to_string(),
                parameters_json: to_json(parameters),
            })
        }
        Reply::TransportConnected { transport } => {
            Message::TransportConnected(proto::OfTransport { transport: transport.to_string() })
        }
        Reply::PreferredLayersSet { consumer, layers } => {
            Message::PreferredLayersSet(encode_layers(*consumer, Some(*layers)))
        }
        Reply::IceRestarted { transport, ice_parameters } => Message::IceRestarted(proto::IceRestarted {
            transport: transport.to_string(),
            ice_parameters_json: to_json(ice_parameters),
        }),
        Reply::Produced { producer, kind, source } => Message::Produced(proto::Produced {
            producer: producer.to_string(),
            kind: to_word(kind),
            source: to_word(source),
        }),
        Reply::ProducerPaused { producer } => Message::ProducerPaused(of_producer(*producer)),
        Reply::ProducerResumed { producer } => Message::ProducerResumed(of_producer(*producer)),
        Reply::ProducerClosed { producer } => Message::ProducerClosed(of_producer(*producer)),
        Reply::Consumed(consumer) => Message::Consumed(encode_consumed(consumer)),
        Reply::ConsumerPaused { consumer } => Message::ConsumerPaused(of_consumer(*consumer)),
        Reply::ConsumerResumed { consumer } => Message::ConsumerResumed(of_consumer(*consumer)),
        Reply::KeyFrameRequested { consumer } => Message::KeyFrameRequested(of_consumer(*consumer)),
        Reply::PrioritySet { consumer, priority } => {
            Message::PrioritySet(encode_priority(*consumer, *priority))
        }
        Reply::Stats(stats) => Message::StatsJson(to_json(stats)),
        Reply::StateUpdated(state) => Message::StateUpdated(encode_state(*state)),
    }
}

fn encode_room(room: &RoomSnapshot) -> proto::Joined {
    proto::Joined {
        room_seq: room.room_seq,
        participants_json: to_json(&room.participants),
        attachment: room.attachment,
    }
}

fn decode_room(room: &proto::Joined) -> Result<RoomSnapshot, WireError> {
    Ok(RoomSnapshot {
        room_seq: room.room_seq,
        participants: from_json("participants_json", &room.participants_json)?,
        attachment: room.attachment,
    })
}

fn encode_refusal(error: ErrorBody) -> proto::Refusal {
    proto::Refusal {
        code: error.code.as_str().into(),
        details_json: to_json(&error.details),
        message: error.message,
        fatal: error.fatal,
    }
}

fn encode_consumed(consumer: &ConsumerDescription) -> proto::Consumed {
    proto::Consumed {
        consumer: consumer.consumer.to_string(),
        producer: consumer.producer.to_string(),
        user: consumer.user.to_string(),
        session: consumer.session.to_string(),
        kind: to_word(consumer.kind),
        source: to_word(consumer.source),
        stream_type: to_word(consumer.stream_type),
        rtp_parameters_json: to_json(&consumer.rtp_parameters),
        producer_paused: consumer.producer_paused,
    }
}

/// The number of the request and its answer.
pub(super) fn decode(reply: proto::Reply) -> Result<(u64, Result<Reply, ErrorBody>), WireError> {
    let answer = match reply.reply.ok_or(WireError::Missing("reply"))? {
        Message::Refused(refusal) => Err(decode_refusal(refusal)?),
        Message::Joined(room) => Ok(Reply::Joined(decode_room(&room)?)),
        Message::Resumed(resumed) => {
            let room = resumed.room.ok_or(WireError::Missing("room"))?;
            let mut own: Box<OwnState> = Box::new(from_json("own_json", &resumed.own_json)?);
            if resumed.grant.is_some() {
                own.rights = Some(decode_rights(resumed.grant, resumed.limits)?);
            }
            Ok(Reply::Resumed(decode_room(&room)?, own))
        }
        Message::Inspected(room) => Ok(Reply::Inspected(decode_room(&room)?)),
        Message::Left(proto::Left {}) => Ok(Reply::Left),
        Message::Done(proto::Empty {}) => Ok(Reply::Done),
        Message::SlotJson(json) => Ok(Reply::Slot(from_json("slot_json", &json)?)),
        Message::SlotReleased(of) => Ok(Reply::SlotReleased { source: from_word("source", &of.source)? }),
        Message::TransportCreated(created) => Ok(Reply::TransportCreated {
            direction: direction(created.send),
            transport: id("transport", &created.transport)?,
            parameters: from_json("parameters_json", &created.parameters_json)?,
        }),
        Message::TransportConnected(of) => {
            Ok(Reply::TransportConnected { transport: id("transport", &of.transport)? })
        }
        Message::PreferredLayersSet(of) => {
            let (consumer, layers) = decode_layers(&of)?;
            let layers = layers.ok_or(WireError::OutOfRange("spatial"))?;
            Ok(Reply::PreferredLayersSet { consumer, layers })
        }
        Message::IceRestarted(restarted) => Ok(Reply::IceRestarted {
            transport: id("transport", &restarted.transport)?,
            ice_parameters: from_json("ice_parameters_json", &restarted.ice_parameters_json)?,
        }),
        Message::Produced(produced) => Ok(Reply::Produced {
            producer: id("producer", &produced.producer)?,
            kind: from_word("kind", &produced.kind)?,
            source: from_word("source", &produced.source)?,
        }),
        Message::ProducerPaused(of) => Ok(Reply::ProducerPaused { producer: id("producer", &of.producer)? }),
        Message::ProducerResumed(of) => {
            Ok(Reply::ProducerResumed { producer: id("producer", &of.producer)? })
        }
        Message::ProducerClosed(of) => Ok(Reply::ProducerClosed { producer: id("producer", &of.producer)? }),
        Message::Consumed(consumed) => Ok(Reply::Consumed(Box::new(decode_consumed(consumed)?))),
        Message::ConsumerPaused(of) => Ok(Reply::ConsumerPaused { consumer: id("consumer", &of.consumer)? }),
        Message::ConsumerResumed(of) => {
            Ok(Reply::ConsumerResumed { consumer: id("consumer", &of.consumer)? })
        }
        Message::KeyFrameRequested(of) => {
            Ok(Reply::KeyFrameRequested { consumer: id("consumer", &of.consumer)? })
        }
        Message::PrioritySet(of) => {
            let (consumer, priority) = decode_priority(&of)?;
            Ok(Reply::PrioritySet { consumer, priority })
        }
        Message::StatsJson(json) => Ok(Reply::Stats(from_json("stats_json", &json)?)),
        Message::StateUpdated(state) => Ok(Reply::StateUpdated(decode_state(state))),
    };
    Ok((reply.request, answer))
}

fn decode_refusal(refusal: proto::Refusal) -> Result<ErrorBody, WireError> {
    Ok(ErrorBody {
        code: ErrorCode::from_name(&refusal.code).ok_or(WireError::UnknownWord("code"))?,
        message: refusal.message,
        details: from_json("details_json", &refusal.details_json)?,
        fatal: refusal.fatal,
    })
}

fn decode_consumed(consumed: proto::Consumed) -> Result<ConsumerDescription, WireError> {
    Ok(ConsumerDescription {
        consumer: id("consumer", &consumed.consumer)?,
        producer: id("producer", &consumed.producer)?,
        user: name("user", consumed.user, UserId::new)?,
        session: id("session", &consumed.session)?,
        kind: from_word("kind", &consumed.kind)?,
        source: from_word("source", &consumed.source)?,
        stream_type: from_word("stream_type", &consumed.stream_type)?,
        rtp_parameters: from_json("rtp_parameters_json", &consumed.rtp_parameters_json)?,
        producer_paused: consumed.producer_paused,
    })
}
