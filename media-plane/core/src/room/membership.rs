//! Joining, leaving, and what a participant says of itself.

use super::grants::Now;
use super::loudness::Speakers;
use super::moderation::REPLACED;
use super::resume::ResumeTokens;
use super::slots::VideoSlots;
use super::{Room, Session, refusal};
use crate::arena::RoomKey;
use crate::engine::Engine;
use railgun_shared::ids::SessionId;
use railgun_shared::limits;
use railgun_shared::media_rpc::{Address, Audience, Event, JoinRequest, LeaveReason, Reply, RoomSnapshot};
use railgun_shared::ortc;
use railgun_shared::signal::{ErrorBody, StateUpdate, VideoSource};
use std::sync::Arc;
use std::time::Instant;

/// Why a consumer was closed without its owner asking.
pub(crate) const PRODUCER_CLOSED: &str = "producer_closed";

impl Engine {
    /// Takes a seat, or tells a session that has one how the room stands.
    pub(super) fn join(
        &mut self,
        address: &Address,
        request: JoinRequest,
        now: Now,
    ) -> Result<Reply, ErrorBody> {
        if let Some(capabilities) = &request.rtp_capabilities {
            ortc::validate_capabilities(capabilities).map_err(ErrorBody::from)?;
        }
        let key = self.room_for(address, &request, now)?;
        let Some(room) = self.rooms.get(key) else { return Err(refusal::internal()) };
        if room.ends_at.is_some() != request.diagnostics {
            return Err(refusal::invalid_state("a channel is for calls or for diagnostics, not for both"));
        }
        let seats = if request.diagnostics { 1 } else { usize::from(request.limits.participants) };
        self.set_limits(key, request.limits)?;
        if self.session(key, request.session).is_ok() {
            return self.join_again(key, request, now);
        }
        let Some(room) = self.rooms.get(key) else { return Err(refusal::internal()) };
        let older = room.sessions.iter().find(|session| {
            session.user == request.user && session.device.is_some() && session.device == request.device
        });
        let older = older.map(|session| session.id);
        let taken = room.sessions.len() - usize::from(older.is_some());
        // Whoever is here and speaks goes before one who may come back.
        let lost = (taken >= seats).then(|| room.longest_silent(older)).flatten();
        if taken >= seats && lost.is_none() {
            self.forget_if_empty(key);
            return Err(refusal::channel_full(request.limits));
        }
        let id = request.session;
        let account = self.open_account(key, &request.user, now.at);
        let session = Session {
            id,
            user: request.user,
            account,
            device: request.device,
            name: request.name,
            grant: request.grant,
            video_until: now.end_of(&request.grant),
            tokens: ResumeTokens::new(request.resume),
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
        let participant = Box::new(self.participant(&session));
        if let Some(room) = self.rooms.get_mut(key) {
            room.sessions.push(session);
        }
        self.tell(key, Audience::Except(id), Event::ParticipantJoined(participant));
        // Only now, since a room whose last seat is freed is closed.
        if let Some(older) = older {
            self.kick(key, older, REPLACED, None);
        }
        if let Some(lost) = lost {
            self.remove_session(key, lost);
        }
        Ok(Reply::Joined(self.snapshot(key, Some(id))))
    }

    /// A session that has its seat asks for it again.
    fn join_again(&mut self, key: RoomKey, request: JoinRequest, now: Now) -> Result<Reply, ErrorBody> {
        let id = request.session;
        if request.anew {
            self.empty_seat(key, id);
            self.session_mut(key, id)?.attachment += 1;
        }
        self.speaks_again(key, id);
        self.set_grant(key, id, request.grant, now)?;
        let session = self.session_mut(key, id)?;
        if request.rtp_capabilities.is_some() {
            session.rtp_capabilities = request.rtp_capabilities.map(Arc::new);
        }
        if request.resume.is_some() {
            session.tokens = ResumeTokens::new(request.resume);
        }
        Ok(Reply::Joined(self.snapshot(key, Some(id))))
    }

    /// The room at `address`, opened if need be. An older incarnation of it ends first.
    fn room_for(&mut self, address: &Address, request: &JoinRequest, now: Now) -> Result<RoomKey, ErrorBody> {
        if let Some(key) = self.by_channel.get(&address.channel).copied() {
            let epoch = self.rooms.get(key).map_or(0, |room| room.address.epoch);
            if address.epoch < epoch {
                return Err(refusal::stale_epoch());
            }
            if address.epoch == epoch {
                return Ok(key);
            }
            self.close_room(key);
        }
        if self.rooms.len() >= limits::ROOMS_PER_WORKER {
            return Err(refusal::node_full());
        }
        let key = self.rooms.insert(Room {
            address: address.clone(),
            first_epoch: address.epoch,
            limits: request.limits,
            seq: 0,
            sessions: Vec::new(),
            accounts: Vec::new(),
            handshakes: 0,
            slots: VideoSlots::new(request.limits.video_publishers),
            speakers: Speakers::default(),
            ends_at: request.diagnostics.then(|| now.at + limits::DIAGNOSTICS_DURATION),
            wake: None,
        });
        self.by_channel.insert(address.channel.clone(), key);
        Ok(key)
    }

    /// The room as the session that asks sees it, or an operator.
    pub(super) fn snapshot(&self, room: RoomKey, asking: Option<SessionId>) -> RoomSnapshot {
        let others = self.rooms.get(room).into_iter().flat_map(|room| &room.sessions);
        let others = others.filter(|session| Some(session.id) != asking);
        let own = asking.and_then(|asking| self.session(room, asking).ok());
        RoomSnapshot {
            room_seq: self.rooms.get(room).map_or(0, |room| room.seq),
            participants: others.map(|session| self.participant(session)).collect(),
            attachment: own.map_or(0, |own| own.attachment),
        }
    }

    /// A socket that the session has no more takes nothing away.
    pub(super) fn leave(
        &mut self,
        room: RoomKey,
        session: SessionId,
        reason: LeaveReason,
        attachment: Option<u32>,
    ) -> Result<Reply, ErrorBody> {
        let current = self.session(room, session)?.attachment;
        if attachment.is_none_or(|attachment| attachment == current) {
            tracing::debug!(%session, ?reason, "leaves");
            self.remove_session(room, session);
        }
        Ok(Reply::Left)
    }

    /// Frees a seat: producers, then consumers, transports, the member, and the room if it is
    /// empty then.
    pub(crate) fn remove_session(&mut self, room: RoomKey, id: SessionId) {
        let Ok(session) = self.session(room, id) else { return };
        let (user, account) = (session.user.clone(), session.account);
        self.empty_seat(room, id);
        let Some(entry) = self.rooms.get_mut(room) else { return };
        entry.sessions.retain(|session| session.id != id);
        self.leave_account(account);
        self.tell(room, Audience::Except(id), Event::ParticipantLeft { user, session: id });
        self.forget_if_empty(room);
    }

    /// Closes what a session has, and leaves it its seat.
    fn empty_seat(&mut self, room: RoomKey, id: SessionId) {
        let Ok(session) = self.session(room, id) else { return };
        let (producers, consumers) = (session.producers.clone(), session.consumers.clone());
        let transports = session.transports();
        for producer in producers {
            self.remove_producer(room, producer, Audience::Except(id));
        }
        for consumer in consumers {
            self.remove_consumer(consumer);
        }
        for transport in transports {
            self.remove_transport(transport);
        }
        for source in VideoSource::ALL {
            self.forget_slot(room, id, source);
        }
    }

    /// Ends an incarnation of a room that another has replaced.
    fn close_room(&mut self, room: RoomKey) {
        let sessions = self.rooms.get(room).into_iter().flat_map(|room| &room.sessions);
        let sessions: Vec<SessionId> = sessions.map(|session| session.id).collect();
        for session in sessions {
            self.remove_session(room, session);
        }
    }

    fn forget_if_empty(&mut self, key: RoomKey) {
        if self.rooms.get(key).is_none_or(|room| !room.sessions.is_empty()) {
            return;
        }
        self.tell(key, Audience::Everyone, Event::RoomClosed);
        if let Some(room) = self.rooms.remove(key) {
            self.by_channel.remove(&room.address.channel);
            room.accounts.into_iter().for_each(|account| _ = self.accounts.remove(account));
        }
    }

    pub(super) fn update_state(
        &mut self,
        room: RoomKey,
        id: SessionId,
        update: StateUpdate,
        now: Instant,
    ) -> Result<Reply, ErrorBody> {
        let session = self.session(room, id)?;
        let before = (session.muted, session.deafened, session.speaking);
        let muted = update.muted.unwrap_or(session.muted);
        let deafened = update.deafened.unwrap_or(session.deafened);
        let speaking = update.speaking.unwrap_or(session.speaking);
        if before != (muted, deafened, speaking) {
            self.charge_state(room, id, now)?;
            let session = self.session_mut(room, id)?;
            (session.muted, session.deafened, session.speaking) = (muted, deafened, speaking);
            self.tell_state(room, id);
        }
        Ok(Reply::StateUpdated(StateUpdate {
            muted: Some(muted),
            deafened: Some(deafened),
            speaking: Some(speaking),
        }))
    }
}
