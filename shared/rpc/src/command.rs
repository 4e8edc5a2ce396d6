//! Commands: the control-plane writes them, the node reads them.

use super::error::WireError;
use super::field::Field;
use super::proto::{self, control_frame::Command as Message};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, JoinRequest, ResumeRequest};

/// `request` comes back in the reply and is unique on its stream. A deadline travels in whole
/// milliseconds. The boot id is for whoever sends the frame to fill in, who knows the node, and so is the trace.
pub fn encode_command(request: u64, address: &Address, command: &Command) -> proto::ControlFrame {
    proto::ControlFrame {
        request,
        channel: address.channel.to_string(),
        epoch: address.epoch,
        session: command.session().map(|session| session.to_string()).unwrap_or_default(),
        boot_id: String::new(),
        traceparent: String::new(),
        command: Some(encode(command.clone())),
    }
}

/// The number of the request, the room it is for, and the command. Of a frame that is refused, the
/// caller still has `frame.request` to answer it by, if it kept that.
pub fn decode_command(frame: proto::ControlFrame) -> Result<(u64, Address, Command), WireError> {
    let address = Address { channel: Field::from_wire(frame.channel, "channel")?, epoch: frame.epoch };
    let command = match frame.command.ok_or(WireError::Missing("command"))? {
        Message::SetLimits(proto::SetLimits { limits }) => {
            Command::SetLimits { limits: Field::from_wire(limits, "limits")? }
        }
        Message::SetEncryption(proto::SetEncryption { rule }) => {
            Command::SetEncryption { rule: Field::from_wire(rule, "rule")? }
        }
        Message::Inspect(proto::Empty {}) => Command::Inspect,
        Message::Watch(proto::Empty {}) => Command::Watch,
        Message::Unwatch(proto::Empty {}) => Command::Unwatch,
        of_session => decode(Field::from_wire(frame.session, "session")?, of_session)?,
    };
    Ok((frame.request, address, command))
}

/// Each command of a session with its fields and its message, whose fields are called the same.
macro_rules! commands_of_a_session {
    ($($variant:ident { $($field:ident),* } => $message:ident),* $(,)?) => {
        fn encode(command: Command) -> Message {
            match command {
                Command::Join(join) => Message::Join(encode_join(*join)),
                Command::Resume(resume) => Message::Resume(encode_resume(*resume)),
                Command::SetLimits { limits } => {
                    Message::SetLimits(proto::SetLimits { limits: limits.to_wire() })
                }
                Command::SetEncryption { rule } => {
                    Message::SetEncryption(proto::SetEncryption { rule: rule.to_wire() })
                }
                Command::Inspect => Message::Inspect(proto::Empty {}),
                Command::Watch => Message::Watch(proto::Empty {}),
                Command::Unwatch => Message::Unwatch(proto::Empty {}),
                $(Command::$variant { session: _, $($field),* } => {
                    Message::$variant(proto::$message { $($field: $field.to_wire()),* })
                })*
            }
        }

        fn decode(session: SessionId, message: Message) -> Result<Command, WireError> {
            Ok(match message {
                Message::Join(join) => Command::Join(Box::new(decode_join(session, join)?)),
                Message::Resume(resume) => Command::Resume(Box::new(decode_resume(session, resume)?)),
                // Read by `decode_command`, since they name no session.
                Message::SetLimits(_)
                | Message::SetEncryption(_)
                | Message::Inspect(_)
                | Message::Watch(_)
                | Message::Unwatch(_) => {
                    return Err(WireError::Missing("session"));
                }
                $(Message::$variant(proto::$message { $($field),* }) => Command::$variant {
                    session,
                    $($field: Field::from_wire($field, stringify!($field))?),*
                },)*
            })
        }
    };
}

commands_of_a_session! {
    Leave { reason, attachment } => Leave,
    ConfirmResume {} => Empty,
    Detach { attachment } => Detach,
    SetGrant { grant, reason } => SetGrant,
    RequestSlot { source } => OfVideoSource,
    ReleaseSlot { source } => OfVideoSource,
    Kick { reason, banned_for } => Kick,
    Mute {} => Empty,
    CreateTransport { direction } => CreateTransport,
    ConnectTransport { transport, dtls } => ConnectTransport,
    SetPreferredLayers { consumer, layers } => SetPreferredLayers,
    SetPriority { consumer, priority } => Priority,
    GetStats { transport } => GetStats,
    RestartIce { transport } => OfTransport,
    Produce { transport, kind, source, rtp_parameters } => Produce,
    PauseProducer { producer } => OfProducer,
    ResumeProducer { producer } => OfProducer,
    CloseProducer { producer } => OfProducer,
    Consume { transport, producer, rtp_capabilities } => Consume,
    PauseConsumer { consumer } => OfConsumer,
    ResumeConsumer { consumer } => OfConsumer,
    RequestKeyFrame { consumer } => OfConsumer,
    UpdateState { update } => UpdateState,
    SendData { kind, payload, to } => SendData,
    SendE2eeMessage { kind, epoch, to, data } => SendE2eeMessage,
}

/// A request that names its session itself, which its frame carries.
macro_rules! request {
    ($encode:ident, $decode:ident: $type:ident => $message:ident { $($field:ident),* $(,)? }) => {
        fn $encode(request: $type) -> proto::$message {
            let $type { session: _, $($field),* } = request;
            proto::$message { $($field: $field.to_wire()),* }
        }

        fn $decode(session: SessionId, message: proto::$message) -> Result<$type, WireError> {
            let proto::$message { $($field),* } = message;
            Ok($type { session, $($field: Field::from_wire($field, stringify!($field))?),* })
        }
    };
}

request!(encode_join, decode_join: JoinRequest => Join {
    user, device, name, avatar, grant, limits, rtp_capabilities, resume, diagnostics, asked_at, anew,
    encryption,
});
request!(encode_resume, decode_resume: ResumeRequest => Resume {
    user, device, token, next_token, rights,
});
