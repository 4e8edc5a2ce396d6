//! Each command of the control-plane, to the function that carries it out.

use super::moment::Moment;
use super::refusal::Refusal;
use super::table::RoomTable;
use super::{
    consuming, data_messages, epoch, grants, key_agreement, membership, moderation, producing, resume, stats,
    transports, video_slots,
};
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Reply};

/// Carries out one command.
pub(crate) fn handle(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    address: &Address,
    command: Command,
    now: Moment,
) -> Result<Reply, Refusal> {
    let reply = dispatch(rooms, media, address, command, now);
    if let Some(room) = rooms.of_channel(&address.channel) {
        video_slots::settle(rooms, media, room, now.at);
        rooms.schedule(room);
    }
    reply
}

fn dispatch(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    address: &Address,
    command: Command,
    now: Moment,
) -> Result<Reply, Refusal> {
    match command {
        Command::Join(request) => membership::join(rooms, media, address, *request, now),
        Command::Resume(request) => {
            let room = room_with(rooms, media, address, request.session).map_err(|refusal| {
                // A replica that went by what a token remembers learns that etcd knows better by now.
                let is_moved = request.rights.is_none() && refusal == Refusal::RoomMoved;
                if is_moved { refusal } else { Refusal::ResumeFailed }
            })?;
            resume::resume(rooms, media, room, &request, now)
        }
        Command::SetLimits { limits } => {
            let room = room_at(rooms, media, address)?;
            grants::set_limits(rooms, room, limits)
        }
        Command::SetEncryption { rule } => {
            let room = room_at(rooms, media, address)?;
            Ok(epoch::set_encryption(rooms, media, room, rule))
        }
        Command::Inspect => moderation::inspect(rooms, media, room_at(rooms, media, address)?),
        command => {
            let session = command.session().ok_or(Refusal::NotFound)?;
            let room = room_with(rooms, media, address, session)?;
            resume::confirm(rooms, room, session, &command);
            dispatch_of_session(rooms, media, room, session, command, now)
        }
    }
}

/// Carries out a command that concerns one session.
fn dispatch_of_session(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    command: Command,
    clock: Moment,
) -> Result<Reply, Refusal> {
    let now = clock.at;
    match command {
        Command::Join(_)
        | Command::Resume(_)
        | Command::SetLimits { .. }
        | Command::SetEncryption { .. }
        | Command::Inspect
        | Command::Watch
        | Command::Unwatch => Err(Refusal::Internal),
        Command::Leave { reason, attachment, .. } => {
            membership::leave(rooms, media, room, session, reason, attachment)
        }
        // The driver keeps the windows; here a socket is a number.
        Command::Detach { .. } | Command::ConfirmResume { .. } => Ok(Reply::Done),
        Command::SetGrant { grant, reason, .. } => {
            grants::change_grant(rooms, media, room, session, grant, reason, clock)
        }
        Command::RequestSlot { source, .. } => video_slots::request_slot(rooms, room, session, source, now),
        Command::ReleaseSlot { source, .. } => video_slots::release_slot(rooms, room, session, source),
        Command::Kick { reason, banned_for, .. } => {
            Ok(membership::kick(rooms, media, room, session, reason, banned_for))
        }
        Command::Mute { .. } => moderation::mute(rooms, media, room, session),
        Command::CreateTransport { direction, .. } => {
            transports::create_transport(rooms, media, room, session, direction, now)
        }
        Command::ConnectTransport { transport, dtls, .. } => {
            transports::connect_transport(rooms, media, room, session, transport, &dtls, now)
        }
        Command::RestartIce { transport, .. } => {
            transports::restart_ice(rooms, media, room, session, transport)
        }
        Command::Produce { transport, kind, source, rtp_parameters, .. } => {
            let request = producing::Request { transport, kind, source, parameters: &rtp_parameters };
            producing::produce(rooms, media, room, session, &request, now)
        }
        Command::PauseProducer { producer, .. } => {
            producing::pause_producer(rooms, media, room, session, producer)
        }
        Command::ResumeProducer { producer, .. } => {
            producing::resume_producer(rooms, media, room, session, producer, now)
        }
        Command::CloseProducer { producer, .. } => {
            producing::close_producer(rooms, media, room, session, producer)
        }
        Command::Consume { transport, producer, rtp_capabilities, .. } => {
            let request = consuming::Request { transport, producer, capabilities: rtp_capabilities };
            consuming::consume(rooms, media, room, session, request, now)
        }
        Command::PauseConsumer { consumer, .. } => {
            consuming::pause_consumer(rooms, media, room, session, consumer)
        }
        Command::ResumeConsumer { consumer, .. } => {
            consuming::resume_consumer(rooms, media, room, session, consumer, now)
        }
        Command::SetPreferredLayers { consumer, layers, .. } => {
            consuming::set_preferred_layers(rooms, media, room, session, consumer, layers, now)
        }
        Command::SetPriority { consumer, priority, .. } => {
            consuming::set_priority(rooms, media, room, session, consumer, priority)
        }
        Command::GetStats { transport, .. } => stats::get_stats(rooms, media, room, session, transport, now),
        Command::RequestKeyFrame { consumer, .. } => {
            consuming::request_key_frame(rooms, media, room, session, consumer, now)
        }
        Command::UpdateState { update, .. } => {
            membership::update_state(rooms, media, room, session, update, now)
        }
        Command::SendData { kind, payload, to, .. } => {
            let message = data_messages::Message { kind, payload, to };
            data_messages::send(rooms, media, room, session, message, now)
        }
        Command::SendE2eeMessage { kind, epoch, to, data, .. } => {
            let message = key_agreement::Message { kind, epoch, to, data };
            key_agreement::send(rooms, media, room, session, message, now)
        }
    }
}

/// The room at `address`, if the epoch is one that it has, or had since it was opened.
fn room_at(rooms: &RoomTable, media: &MediaTables, address: &Address) -> Result<RoomKey, Refusal> {
    let key = rooms.of_channel(&address.channel).ok_or(Refusal::NotFound)?;
    let first = rooms.get(key).ok_or(Refusal::NotFound)?.first_epoch;
    let last = media.output.feed(key).ok_or(Refusal::Internal)?.address.epoch;
    if (first..=last).contains(&address.epoch) { Ok(key) } else { Err(Refusal::RoomMoved) }
}

/// The room at `address`, if the session has a seat in it.
pub(crate) fn room_with(
    rooms: &RoomTable,
    media: &MediaTables,
    address: &Address,
    session: SessionId,
) -> Result<RoomKey, Refusal> {
    let key = room_at(rooms, media, address)?;
    rooms.session(key, session).map(|_| key)
}
