//! Commands: the control-plane writes them, the node reads them.

use super::error::WireError;
use super::field::{
    decode_layers, decode_priority, encode_layers, encode_priority, from_json, from_word, id, name, to_json,
    to_word,
};
use super::proto::{self, control_frame::Command as Message};
use railgun_protocol::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, UserId};
use railgun_protocol::media_rpc::{
    Address, Command, Grant, JoinRequest, LeaveReason, ResumeRequest, Rights, TokenDigest,
};
use railgun_protocol::plan::RoomLimits;
use railgun_protocol::rtp_parameters::RtpCapabilities;
use railgun_protocol::signal::{StateUpdate, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `request` comes back in the reply and is unique on its stream. A deadline travels in whole
/// milliseconds. The boot id is for whoever sends the frame to fill in: it knows the node.
pub fn encode_command(request: u64, address: &Address, command: &Command) -> proto::ControlFrame {
    proto::ControlFrame {
        request,
        channel: address.channel.to_string(),
        epoch: address.epoch,
        session: command.session().map(|session| session.to_string()).unwrap_or_default(),
        boot_id: String::new(),
        command: Some(encode(command)),
    }
}

fn encode(command: &Command) -> Message {
    match command {
        Command::Join(join) => Message::Join(encode_join(join)),
        Command::Leave { reason, attachment, .. } => {
            Message::Leave(proto::Leave { reason: encode_reason(*reason).into(), attachment: *attachment })
        }
        Command::Resume(resume) => Message::Resume(encode_resume(resume)),
        Command::ConfirmResume { .. } => Message::ConfirmResume(proto::Empty {}),
        Command::Detach { attachment, .. } => Message::Detach(proto::Detach { attachment: *attachment }),
        Command::SetGrant { grant, reason, .. } => {
            Message::SetGrant(proto::SetGrant { grant: Some(encode_grant(grant)), reason: to_word(reason) })
        }
        Command::RequestSlot { source, .. } => Message::RequestSlot(of_video_source(*source)),
        Command::ReleaseSlot { source, .. } => Message::ReleaseSlot(of_video_source(*source)),
        Command::Kick { reason, banned_for, .. } => {
            Message::Kick(proto::Kick { reason: reason.clone(), banned_for_ms: banned_for.map(millis) })
        }
        Command::Mute { .. } => Message::Mute(proto::Empty {}),
        Command::SetLimits { limits } => Message::SetLimits(encode_limits(*limits)),
        Command::Inspect => Message::Inspect(proto::Empty {}),
        Command::CreateTransport { direction, .. } => {
            Message::CreateTransport(proto::CreateTransport { send: *direction == TransportDirection::Send })
        }
        Command::ConnectTransport { transport, dtls, .. } => {
            Message::ConnectTransport(proto::ConnectTransport {
                transport: transport.to_string(),
                dtls_parameters_json: to_json(dtls),
            })
        }
        Command::SetPreferredLayers { consumer, layers, .. } => {
            Message::SetPreferredLayers(encode_layers(*consumer, Some(*layers)))
        }
        Command::SetPriority { consumer, priority, .. } => {
            Message::SetPriority(encode_priority(*consumer, *priority))
        }
        Command::GetStats { transport, .. } => {
            Message::GetStats(proto::GetStats { transport: transport.map(|it| it.to_string()) })
        }
        Command::RestartIce { transport, .. } => {
            Message::RestartIce(proto::OfTransport { transport: transport.to_string() })
        }
        Command::Produce { transport, kind, source, rtp_parameters, .. } => {
            Message::Produce(proto::Produce {
                transport: transport.to_string(),
                kind: to_word(kind),
                source: to_word(source),
                rtp_parameters_json: to_json(rtp_parameters),
            })
        }
        Command::PauseProducer { producer, .. } => Message::PauseProducer(of_producer(*producer)),
        Command::ResumeProducer { producer, .. } => Message::ResumeProducer(of_producer(*producer)),
        Command::CloseProducer { producer, .. } => Message::CloseProducer(of_producer(*producer)),
        Command::Consume { transport, producer, rtp_capabilities, .. } => Message::Consume(proto::Consume {
            transport: transport.map(|transport| transport.to_string()),
            producer: producer.to_string(),
            rtp_capabilities_json: rtp_capabilities.as_ref().map(to_json),
        }),
        Command::PauseConsumer { consumer, .. } => Message::PauseConsumer(of_consumer(*consumer)),
        Command::ResumeConsumer { consumer, .. } => Message::ResumeConsumer(of_consumer(*consumer)),
        Command::RequestKeyFrame { consumer, .. } => Message::RequestKeyFrame(of_consumer(*consumer)),
        Command::UpdateState { update, .. } => Message::UpdateState(encode_state(*update)),
    }
}

fn encode_join(join: &JoinRequest) -> proto::Join {
    proto::Join {
        user: join.user.to_string(),
        device: join.device.as_ref().map(ToString::to_string),
        name: join.name.clone(),
        grant: Some(encode_grant(&join.grant)),
        limits: Some(encode_limits(join.limits)),
        rtp_capabilities_json: join.rtp_capabilities.as_ref().map(to_json),
        resume: join.resume.map(|digest| digest.0.to_vec()),
        diagnostics: join.diagnostics,
        asked_at_ms: join.asked_at,
        anew: join.anew,
    }
}

fn encode_resume(resume: &ResumeRequest) -> proto::Resume {
    proto::Resume {
        user: resume.user.to_string(),
        device: resume.device.as_ref().map(ToString::to_string),
        token: resume.token.0.to_vec(),
        next_token: resume.next_token.0.to_vec(),
        grant: resume.rights.as_ref().map(|rights| encode_grant(&rights.grant)),
        limits: resume.rights.map(|rights| encode_limits(rights.limits)),
        keep_rights: resume.rights.is_none(),
    }
}

pub(super) fn encode_grant(grant: &Grant) -> proto::Grant {
    proto::Grant {
        permissions_json: to_json(&grant.permissions),
        video_until_ms: grant.video_until.map(unix_millis),
        relay_only: grant.relay_only,
    }
}

pub(super) fn encode_limits(limits: RoomLimits) -> proto::RoomLimits {
    proto::RoomLimits {
        participants_max: limits.participants.into(),
        video_publishers_max: limits.video_publishers.into(),
    }
}

pub(super) fn of_video_source(source: VideoSource) -> proto::OfVideoSource {
    proto::OfVideoSource { source: to_word(source) }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time before 1970 is long past, and so is 1970.
fn unix_millis(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

fn encode_reason(reason: LeaveReason) -> proto::leave::Reason {
    match reason {
        LeaveReason::Left => proto::leave::Reason::Left,
        LeaveReason::Lost => proto::leave::Reason::Lost,
    }
}

pub(super) fn of_producer(producer: ProducerId) -> proto::OfProducer {
    proto::OfProducer { producer: producer.to_string() }
}

pub(super) fn of_consumer(consumer: ConsumerId) -> proto::OfConsumer {
    proto::OfConsumer { consumer: consumer.to_string() }
}

pub(super) fn encode_state(state: StateUpdate) -> proto::UpdateState {
    proto::UpdateState { muted: state.muted, deafened: state.deafened, speaking: state.speaking }
}

pub(super) fn decode_state(state: proto::UpdateState) -> StateUpdate {
    StateUpdate { muted: state.muted, deafened: state.deafened, speaking: state.speaking }
}

pub(super) fn direction(send: bool) -> TransportDirection {
    if send { TransportDirection::Send } else { TransportDirection::Recv }
}

/// The number of the request, the room it is for, and the command. Of a frame that is refused, the
/// caller still has `frame.request` to answer it by, if it kept that.
pub fn decode_command(frame: proto::ControlFrame) -> Result<(u64, Address, Command), WireError> {
    let address = Address { channel: name("channel", frame.channel, ChannelId::new)?, epoch: frame.epoch };
    let command = match frame.command.ok_or(WireError::Missing("command"))? {
        Message::SetLimits(limits) => Command::SetLimits { limits: decode_limits(Some(limits))? },
        Message::Inspect(proto::Empty {}) => Command::Inspect,
        of_session => decode(id("session", &frame.session)?, of_session)?,
    };
    Ok((frame.request, address, command))
}

fn decode(session: SessionId, message: Message) -> Result<Command, WireError> {
    let producer = |message: proto::OfProducer| id("producer", &message.producer);
    let consumer = |message: proto::OfConsumer| id("consumer", &message.consumer);
    Ok(match message {
        Message::Join(join) => Command::Join(Box::new(decode_join(session, join)?)),
        Message::Leave(leave) => {
            let reason = decode_reason(leave.reason)?;
            Command::Leave { session, reason, attachment: leave.attachment }
        }
        Message::Resume(resume) => Command::Resume(Box::new(decode_resume(session, resume)?)),
        Message::ConfirmResume(proto::Empty {}) => Command::ConfirmResume { session },
        Message::Detach(detach) => Command::Detach { session, attachment: detach.attachment },
        Message::SetGrant(set) => Command::SetGrant {
            session,
            grant: decode_grant(set.grant)?,
            reason: from_word("reason", &set.reason)?,
        },
        Message::RequestSlot(of) => {
            Command::RequestSlot { session, source: from_word("source", &of.source)? }
        }
        Message::ReleaseSlot(of) => {
            Command::ReleaseSlot { session, source: from_word("source", &of.source)? }
        }
        Message::Kick(kick) => Command::Kick {
            session,
            reason: kick.reason,
            banned_for: kick.banned_for_ms.map(Duration::from_millis),
        },
        Message::Mute(proto::Empty {}) => Command::Mute { session },
        // Read by `decode_command`, since they name no session.
        Message::SetLimits(_) | Message::Inspect(_) => return Err(WireError::Missing("session")),
        Message::CreateTransport(create) => {
            Command::CreateTransport { session, direction: direction(create.send) }
        }
        Message::ConnectTransport(connect) => Command::ConnectTransport {
            session,
            transport: id("transport", &connect.transport)?,
            dtls: from_json("dtls_parameters_json", &connect.dtls_parameters_json)?,
        },
        Message::SetPreferredLayers(of) => {
            let (consumer, layers) = decode_layers(&of)?;
            let layers = layers.ok_or(WireError::OutOfRange("spatial"))?;
            Command::SetPreferredLayers { session, consumer, layers }
        }
        Message::SetPriority(of) => {
            let (consumer, priority) = decode_priority(&of)?;
            Command::SetPriority { session, consumer, priority }
        }
        Message::GetStats(of) => {
            let transport = of.transport.map(|transport| id("transport", &transport)).transpose()?;
            Command::GetStats { session, transport }
        }
        Message::RestartIce(of) => {
            Command::RestartIce { session, transport: id("transport", &of.transport)? }
        }
        Message::Produce(produce) => Command::Produce {
            session,
            transport: id("transport", &produce.transport)?,
            kind: from_word("kind", &produce.kind)?,
            source: from_word("source", &produce.source)?,
            rtp_parameters: from_json("rtp_parameters_json", &produce.rtp_parameters_json)?,
        },
        Message::PauseProducer(of) => Command::PauseProducer { session, producer: producer(of)? },
        Message::ResumeProducer(of) => Command::ResumeProducer { session, producer: producer(of)? },
        Message::CloseProducer(of) => Command::CloseProducer { session, producer: producer(of)? },
        Message::Consume(consume) => Command::Consume {
            session,
            transport: consume.transport.map(|transport| id("transport", &transport)).transpose()?,
            producer: id("producer", &consume.producer)?,
            rtp_capabilities: capabilities(consume.rtp_capabilities_json)?,
        },
        Message::PauseConsumer(of) => Command::PauseConsumer { session, consumer: consumer(of)? },
        Message::ResumeConsumer(of) => Command::ResumeConsumer { session, consumer: consumer(of)? },
        Message::RequestKeyFrame(of) => Command::RequestKeyFrame { session, consumer: consumer(of)? },
        Message::UpdateState(update) => Command::UpdateState { session, update: decode_state(update) },
    })
}

fn decode_join(session: SessionId, join: proto::Join) -> Result<JoinRequest, WireError> {
    Ok(JoinRequest {
        session,
        user: name("user", join.user, UserId::new)?,
        device: join.device.map(|device| name("device", device, DeviceId::new)).transpose()?,
        name: join.name,
        grant: decode_grant(join.grant)?,
        limits: decode_limits(join.limits)?,
        rtp_capabilities: capabilities(join.rtp_capabilities_json)?,
        resume: join.resume.map(|digest| decode_digest("resume", &digest)).transpose()?,
        diagnostics: join.diagnostics,
        asked_at: join.asked_at_ms,
        anew: join.anew,
    })
}

fn decode_resume(session: SessionId, resume: proto::Resume) -> Result<ResumeRequest, WireError> {
    Ok(ResumeRequest {
        session,
        user: name("user", resume.user, UserId::new)?,
        device: resume.device.map(|device| name("device", device, DeviceId::new)).transpose()?,
        token: decode_digest("token", &resume.token)?,
        next_token: decode_digest("next_token", &resume.next_token)?,
        rights: match resume.keep_rights {
            true => None,
            false => Some(decode_rights(resume.grant, resume.limits)?),
        },
    })
}

fn decode_digest(field: &'static str, bytes: &[u8]) -> Result<TokenDigest, WireError> {
    bytes.try_into().map(TokenDigest).map_err(|_| WireError::OutOfRange(field))
}

pub(super) fn decode_rights(
    grant: Option<proto::Grant>,
    limits: Option<proto::RoomLimits>,
) -> Result<Rights, WireError> {
    Ok(Rights { grant: decode_grant(grant)?, limits: decode_limits(limits)? })
}

fn decode_grant(grant: Option<proto::Grant>) -> Result<Grant, WireError> {
    let grant = grant.ok_or(WireError::Missing("grant"))?;
    Ok(Grant {
        permissions: from_json("permissions_json", &grant.permissions_json)?,
        video_until: grant.video_until_ms.map(from_unix_millis).transpose()?,
        relay_only: grant.relay_only,
    })
}

pub(super) fn decode_limits(limits: Option<proto::RoomLimits>) -> Result<RoomLimits, WireError> {
    let limits = limits.ok_or(WireError::Missing("limits"))?;
    let small = |field, number: u32| u16::try_from(number).map_err(|_| WireError::OutOfRange(field));
    Ok(RoomLimits {
        participants: small("participants_max", limits.participants_max)?,
        video_publishers: small("video_publishers_max", limits.video_publishers_max)?,
    })
}

fn from_unix_millis(millis: u64) -> Result<SystemTime, WireError> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).ok_or(WireError::OutOfRange("video_until_ms"))
}

fn decode_reason(reason: i32) -> Result<LeaveReason, WireError> {
    match proto::leave::Reason::try_from(reason) {
        Ok(proto::leave::Reason::Left) => Ok(LeaveReason::Left),
        Ok(proto::leave::Reason::Lost) => Ok(LeaveReason::Lost),
        Err(_) => Err(WireError::UnknownWord("reason")),
    }
}

fn capabilities(json: Option<String>) -> Result<Option<RtpCapabilities>, WireError> {
    json.map(|json| from_json("rtp_capabilities_json", &json)).transpose()
}
