//! Joining, leaving, and what a participant says of itself.

use super::encryption_rule::{Follows, follows};
use super::mls_groups::KeyAgreement;
use super::moment::Moment;
use super::refusal::Refusal;
use super::resume_tokens::ResumeTokens;
use super::seats::{Room, Session};
use super::slots::VideoSlots;
use super::table::RoomTable;
use super::{accounts, consuming, grants, participant, producing, transports, video_slots};
use crate::arena::RoomKey;
use crate::audio::active_speaker::Speakers;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::limits;
use railgun_protocol::media_rpc::{Address, Audience, Event, JoinRequest, LeaveReason, Reply};
use railgun_protocol::ortc;
use railgun_protocol::signal::{KickReason, RejoinReason, StateUpdate, VideoSource};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Takes a seat, or tells a session that has one how the room stands.
pub(super) fn join(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    address: &Address,
    request: JoinRequest,
    now: Moment,
) -> Result<Reply, Refusal> {
    if let Some(capabilities) = &request.rtp_capabilities {
        ortc::validate_capabilities(capabilities)?;
    }
    let key = room_for(rooms, media, address, &request, now)?;
    let Some(room) = rooms.get(key) else { return Err(Refusal::Internal) };
    if room.ends_at.is_some() != request.diagnostics {
        return Err(Refusal::InvalidState("a channel is for calls or for diagnostics, not for both"));
    }
    let seats = if request.diagnostics { 1 } else { usize::from(request.limits.participants) };
    grants::set_limits(rooms, key, request.limits)?;
    if rooms.session(key, request.session).is_ok() {
        return join_again(rooms, media, key, request, now);
    }
    let Some(room) = rooms.get(key) else { return Err(Refusal::Internal) };
    let older = room.sessions.iter().find(|session| {
        session.user == request.user && session.device.is_some() && session.device == request.device
    });
    let older = older.map(|session| session.id);
    let taken = room.sessions.len() - usize::from(older.is_some());
    // Whoever is here and speaks goes before one who may come back.
    let lost = (taken >= seats).then(|| room.longest_silent(older)).flatten();
    if taken >= seats && lost.is_none() {
        forget_if_empty(rooms, media, key);
        return Err(Refusal::ChannelFull(request.limits));
    }
    let id = request.session;
    let account = accounts::open(rooms, media, key, &request.user, now.at);
    let session = Session {
        id,
        user: request.user,
        account,
        device: request.device,
        name: request.name,
        avatar: request.avatar,
        grant: request.grant,
        video_until: now.end_of(&request.grant),
        tokens: ResumeTokens::new(request.resume),
        // What the others are told of it, below.
        joined_seq: media.output.feed(key).map_or(0, |feed| feed.seq + 1),
        attachment: 1,
        silent_since: None,
        strikes: 0,
        rtp_capabilities: request.rtp_capabilities.map(Arc::new),
        muted: false,
        deafened: false,
        speaking: false,
        send: None,
        recv: None,
        producers: Vec::new(),
        consumers: Vec::new(),
    };
    let participant = Box::new(participant::participant(media, &session));
    if let Some(room) = rooms.get_mut(key) {
        room.sessions.push(session);
    }
    media.output.tell(key, Audience::Except(id), Event::ParticipantJoined(participant));
    // Only now, since a room whose last seat is freed is closed.
    if let Some(older) = older {
        kick(rooms, media, key, older, KickReason::Replaced, None);
    }
    if let Some(lost) = lost {
        remove_session(rooms, media, key, lost);
    }
    Ok(Reply::Joined(participant::snapshot(rooms, media, key, Some(id))))
}

/// A session that has its seat asks for it again.
fn join_again(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    key: RoomKey,
    request: JoinRequest,
    now: Moment,
) -> Result<Reply, Refusal> {
    let id = request.session;
    if request.anew {
        empty_seat(rooms, media, key, id);
        let joined_seq = media.output.feed(key).map_or(0, |feed| feed.seq);
        let session = rooms.session_mut(key, id)?;
        session.attachment += 1;
        session.joined_seq = joined_seq;
    }
    participant::speaks_again(rooms, media, key, id);
    grants::set_grant(rooms, media, key, id, request.grant, now)?;
    let session = rooms.session_mut(key, id)?;
    if request.rtp_capabilities.is_some() {
        session.rtp_capabilities = request.rtp_capabilities.map(Arc::new);
    }
    if request.resume.is_some() {
        session.tokens = ResumeTokens::new(request.resume);
    }
    Ok(Reply::Joined(participant::snapshot(rooms, media, key, Some(id))))
}

/// The room at `address`, opened if need be. A room of an earlier epoch ends first.
fn room_for(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    address: &Address,
    request: &JoinRequest,
    now: Moment,
) -> Result<RoomKey, Refusal> {
    if let Some(key) = rooms.of_channel(&address.channel) {
        let epoch = media.output.feed(key).map_or(0, |feed| feed.address.epoch);
        if address.epoch < epoch {
            return Err(Refusal::RoomMoved);
        }
        if address.epoch > epoch {
            close_room(rooms, media, key);
        } else {
            match follows(rooms, key, request.encryption) {
                Follows::Yes => return Ok(key),
                Follows::No => {
                    end(rooms, media, key, RejoinReason::EncryptionChanged);
                    // The next room has an epoch of its own, wherever it is.
                    return Err(Refusal::RoomMoved);
                }
                Follows::Outdated => return Err(Refusal::EncryptionChanged),
            }
        }
    }
    if rooms.has_ended(address) {
        return Err(Refusal::RoomMoved);
    }
    if rooms.len() >= limits::ROOMS_PER_WORKER {
        return Err(Refusal::NodeFull);
    }
    let room = Room {
        first_epoch: address.epoch,
        limits: request.limits,
        encryption: request.encryption,
        keys: KeyAgreement::default(),
        sessions: Vec::new(),
        accounts: Vec::new(),
        slots: VideoSlots::new(request.limits.video_publishers),
        speakers: Speakers::default(),
        ends_at: request.diagnostics.then(|| now.at + limits::DIAGNOSTICS_DURATION),
        wake: None,
    };
    let key = rooms.insert(address.channel.clone(), room);
    media.output.open_feed(key, address.clone());
    Ok(key)
}

/// A leave request of a socket that no longer has the session is ignored.
pub(super) fn leave(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    reason: LeaveReason,
    attachment: Option<u32>,
) -> Result<Reply, Refusal> {
    let current = rooms.session(room, session)?.attachment;
    if attachment.is_none_or(|attachment| attachment == current) {
        tracing::debug!(%session, ?reason, "leaves");
        remove_session(rooms, media, room, session);
    }
    Ok(Reply::Left)
}

/// Frees a seat: producers, then consumers, transports, the member, and the room if it is
/// empty then.
pub(crate) fn remove_session(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, id: SessionId) {
    let Ok(session) = rooms.session(room, id) else { return };
    let (user, account) = (session.user.clone(), session.account);
    empty_seat(rooms, media, room, id);
    let Some(entry) = rooms.get_mut(room) else { return };
    entry.sessions.retain(|session| session.id != id);
    accounts::leave(rooms, account);
    media.output.tell(room, Audience::Except(id), Event::ParticipantLeft { user, session: id });
    forget_if_empty(rooms, media, room);
}

/// Closes what a session has, and leaves it its seat.
fn empty_seat(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey, id: SessionId) {
    let Ok(session) = rooms.session(room, id) else { return };
    let (producers, consumers) = (session.producers.clone(), session.consumers.clone());
    let transports = session.transports();
    for producer in producers {
        producing::remove_producer(rooms, media, room, producer, Audience::Except(id));
    }
    for consumer in consumers {
        consuming::remove_consumer(rooms, media, consumer);
    }
    for transport in transports {
        transports::remove_transport(rooms, media, transport);
    }
    for source in VideoSource::ALL {
        video_slots::forget_slot(rooms, room, id, source);
    }
}

/// Puts a session out of its room, told why and for how long.
pub(super) fn kick(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    session: SessionId,
    reason: KickReason,
    banned_for: Option<Duration>,
) -> Reply {
    let event = Event::Kicked { reason, banned_for };
    media.output.tell(room, Audience::Only(session), event);
    remove_session(rooms, media, room, session);
    Reply::Done
}

/// Ends a room that another of a later epoch has replaced.
fn close_room(rooms: &mut RoomTable, media: &mut MediaTables, room: RoomKey) {
    let sessions = rooms.get(room).map(Room::session_ids).unwrap_or_default();
    for session in sessions {
        remove_session(rooms, media, room, session);
    }
}

fn forget_if_empty(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey) {
    if rooms.get(key).is_none_or(|room| !room.sessions.is_empty()) {
        return;
    }
    media.output.tell(key, Audience::Everyone, Event::RoomClosed);
    let Some(feed) = media.output.close_feed(key) else { return };
    let Some(room) = rooms.remove(key, feed.address) else { return };
    room.accounts.into_iter().for_each(|account| accounts::remove(rooms, media, account));
}

pub(super) fn update_state(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    id: SessionId,
    update: StateUpdate,
    now: Instant,
) -> Result<Reply, Refusal> {
    let session = rooms.session(room, id)?;
    let before = (session.muted, session.deafened, session.speaking);
    let muted = update.muted.unwrap_or(session.muted);
    let deafened = update.deafened.unwrap_or(session.deafened);
    let speaking = update.speaking.unwrap_or(session.speaking);
    if before != (muted, deafened, speaking) {
        accounts::charge_state(rooms, room, id, now)?;
        let session = rooms.session_mut(room, id)?;
        (session.muted, session.deafened, session.speaking) = (muted, deafened, speaking);
        participant::tell_state(rooms, media, room, id);
    }
    Ok(Reply::StateUpdated(StateUpdate {
        muted: Some(muted),
        deafened: Some(deafened),
        speaking: Some(speaking),
    }))
}

/// Ends a room whose people are told to join again, those without a socket included.
pub(super) fn end(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey, reason: RejoinReason) {
    media.output.tell(key, Audience::Everyone, Event::Rejoin { reason });
    // They leave together: nobody is told who else does.
    let told = media.output.notices.len();
    let sessions = rooms.get(key).map(|room| room.session_ids()).unwrap_or_default();
    for session in sessions {
        remove_session(rooms, media, key, session);
    }
    let closed = media.output.notices.pop_back();
    media.output.notices.truncate(told);
    media.output.notices.extend(closed);
}
