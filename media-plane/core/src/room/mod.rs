//! Rooms: who is in them, what they send and what they get. A room is the only writer of its
//! seats, slots, transports, producers and consumers; the control-plane asks, the room decides.
//!
//! Each command of the contract is a method of [`Engine`] in the file of its subject. Every id in
//! a command is looked up in the asking session's own tables, so that an id which is absent,
//! closed or somebody else's has one answer.

pub(crate) mod accounts;
pub(crate) mod producer;
pub(crate) mod consumer;
pub(crate) mod incarnation;
pub(crate) mod membership;
pub(crate) mod transports;
pub(crate) mod association;
pub(crate) mod handshakes;
mod address_changes;
pub(crate) mod unproved_budget;
pub(crate) mod producing;
pub(crate) mod consuming;
pub(crate) mod demand;
pub(crate) mod allocation;
pub(crate) mod ceilings;
mod stats;
pub(crate) mod refusal;
mod slots;
mod video_slots;
mod grants;
mod resume;
pub(crate) mod reconnecting;
mod moderation;
pub(crate) mod loudness;
mod levels;
mod due;

use crate::arena::{AccountKey, ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::engine::{Engine, Notice};
use grants::Now;
use loudness::Speakers;
use railgun_shared::ids::{DeviceId, ProducerId, SessionId, UserId};
use railgun_shared::media_rpc::{Address, Audience, Command, Event, Grant, Reply, RoomEvent};
use railgun_shared::plan::RoomLimits;
use railgun_shared::rtp_parameters::RtpCapabilities;
use railgun_shared::signal::{ErrorBody, Participant};
use railgun_shared::transport_parameters::TransportDirection;
use resume::ResumeTokens;
use slots::VideoSlots;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The live instance of a channel.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) address: Address,
    /// The epoch it was opened with.
    pub(crate) first_epoch: u64,
    pub(crate) limits: RoomLimits,
    /// Counts the events told to more than one session.
    pub(crate) seq: u64,
    /// Oldest first.
    pub(crate) sessions: Vec<Session>,
    /// Of everybody who has a seat, and of some who had one. Oldest first.
    pub(crate) accounts: Vec<AccountKey>,
    /// DTLS handshakes of its transports that are in progress.
    pub(crate) handshakes: usize,
    pub(crate) slots: VideoSlots,
    pub(crate) speakers: Speakers,
    /// A diagnostics room's end.
    pub(crate) ends_at: Option<Instant>,
    /// The entry of the timer queue that is valid.
    pub(crate) wake: Option<Instant>,
}

/// One seat.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    /// The user's in this room.
    pub(crate) account: AccountKey,
    pub(crate) device: Option<DeviceId>,
    pub(crate) name: Option<String>,
    /// Its deadline is `video_until`, which no step of the wall clock moves.
    pub(crate) grant: Grant,
    pub(crate) video_until: Option<Instant>,
    pub(crate) tokens: ResumeTokens,
    /// Which of its sockets has it: one more with each resume.
    pub(crate) attachment: u32,
    /// Since when nobody speaks for it, once that is longer than the least window.
    pub(crate) silent_since: Option<Instant>,
    /// Noise loops so far.
    pub(crate) strikes: u8,
    /// Shared, so that a consume need not copy them.
    pub(crate) rtp_capabilities: Option<Arc<RtpCapabilities>>,
    pub(crate) muted: bool,
    pub(crate) deafened: bool,
    pub(crate) speaking: bool,
    pub(crate) send: Option<TransportKey>,
    pub(crate) recv: Option<TransportKey>,
    pub(crate) producers: Vec<ProducerKey>,
    pub(crate) consumers: Vec<ConsumerKey>,
}

impl Session {
    pub(crate) fn transport(&self, direction: TransportDirection) -> Option<TransportKey> {
        match direction {
            TransportDirection::Send => self.send,
            TransportDirection::Recv => self.recv,
        }
    }

    pub(crate) fn transports(&self) -> impl Iterator<Item = TransportKey> + use<> {
        self.send.into_iter().chain(self.recv)
    }
}

impl Room {
    pub(crate) fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    pub(crate) fn session_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.id == id)
    }
}

impl Engine {
    /// Carries out one command; the reply comes out as a [`Notice`] in its place among the events.
    /// `wall` is the time of day, for the deadlines that commands bring.
    pub fn handle_command(
        &mut self,
        tag: u64,
        address: &Address,
        command: Command,
        now: Instant,
        wall: SystemTime,
    ) {
        let reply = self.command(address, command, Now { at: now, wall });
        if let Some(room) = self.by_channel.get(&address.channel).copied() {
            self.settle_slots(room, now);
            self.schedule_room(room);
        }
        self.notices.push_back(Notice::Reply { tag, reply });
    }

    fn command(&mut self, address: &Address, command: Command, now: Now) -> Result<Reply, ErrorBody> {
        match command {
            Command::Join(request) => self.join(address, *request, now),
            Command::Resume(request) => self.resume(address, &request, now),
            Command::SetLimits { limits } => self.set_limits(self.room_at(address)?, limits),
            Command::Inspect => self.inspect(self.room_at(address)?),
            command => {
                let session = command.session().ok_or_else(refusal::not_found)?;
                let room = self.room_with(address, session)?;
                self.confirm_resume(room, session, &command);
                self.command_of(room, session, command, now)
            }
        }
    }

    /// What a session wants, or what is wanted of it.
    fn command_of(
        &mut self,
        room: RoomKey,
        session: SessionId,
        command: Command,
        clock: Now,
    ) -> Result<Reply, ErrorBody> {
        let now = clock.at;
        match command {
            Command::Join(_) | Command::Resume(_) | Command::SetLimits { .. } | Command::Inspect => {
                Err(refusal::internal())
            }
            Command::Leave { reason, attachment, .. } => self.leave(room, session, reason, attachment),
            // Windows are the driver's; here a socket is a number.
            Command::Detach { .. } | Command::ConfirmResume { .. } => Ok(Reply::Done),
            Command::SetGrant { grant, reason, .. } => self.change_grant(room, session, grant, reason, clock),
            Command::RequestSlot { source, .. } => self.request_slot(room, session, source, now),
            Command::ReleaseSlot { source, .. } => self.release_slot(room, session, source),
            Command::Kick { reason, banned_for, .. } => Ok(self.kick(room, session, reason, banned_for)),
            Command::Mute { .. } => self.mute(room, session),
            Command::CreateTransport { direction, .. } => {
                self.create_transport(room, session, direction, now)
            }
            Command::ConnectTransport { transport, dtls, .. } => {
                self.connect_transport(room, session, transport, &dtls, now)
            }
            Command::RestartIce { transport, .. } => self.restart_ice(room, session, transport),
            Command::Produce { transport, kind, source, rtp_parameters, .. } => {
                self.produce(room, session, transport, (kind, source), &rtp_parameters, now)
            }
            Command::PauseProducer { producer, .. } => self.pause_producer(room, session, producer),
            Command::ResumeProducer { producer, .. } => self.resume_producer(room, session, producer, now),
            Command::CloseProducer { producer, .. } => self.close_producer(room, session, producer),
            Command::Consume { transport, producer, rtp_capabilities, .. } => {
                self.consume(room, session, transport, producer, rtp_capabilities, now)
            }
            Command::PauseConsumer { consumer, .. } => self.pause_consumer(room, session, consumer),
            Command::ResumeConsumer { consumer, .. } => self.resume_consumer(room, session, consumer, now),
            Command::SetPreferredLayers { consumer, layers, .. } => {
                self.set_preferred_layers(room, session, consumer, layers, now)
            }
            Command::SetPriority { consumer, priority, .. } => {
                self.set_priority(room, session, consumer, priority)
            }
            Command::GetStats { transport, .. } => self.get_stats(room, session, transport, now),
            Command::RequestKeyFrame { consumer, .. } => self.request_key_frame(room, session, consumer, now),
            Command::UpdateState { update, .. } => self.update_state(room, session, update, now),
        }
    }

    fn room_at(&self, address: &Address) -> Result<RoomKey, ErrorBody> {
        let key = self.by_channel.get(&address.channel).copied().ok_or_else(refusal::not_found)?;
        self.check_epoch(key, address.epoch)?;
        Ok(key)
    }

    /// The room at `address`, if the session has a seat in it.
    fn room_with(&self, address: &Address, session: SessionId) -> Result<RoomKey, ErrorBody> {
        let key = self.room_at(address)?;
        self.session(key, session).map(|_| key)
    }

    pub(crate) fn session(&self, room: RoomKey, id: SessionId) -> Result<&Session, ErrorBody> {
        self.rooms.get(room).and_then(|room| room.session(id)).ok_or_else(refusal::not_found)
    }

    pub(crate) fn session_mut(&mut self, room: RoomKey, id: SessionId) -> Result<&mut Session, ErrorBody> {
        self.rooms.get_mut(room).and_then(|room| room.session_mut(id)).ok_or_else(refusal::not_found)
    }

    /// Tells a room something; only what changes the room for more than one session moves its
    /// sequence.
    pub(crate) fn tell(&mut self, room: RoomKey, audience: Audience, event: Event) {
        let Some(room) = self.rooms.get_mut(room) else { return };
        let is_passing = matches!(event, Event::ActiveSpeaker(_) | Event::AudioLevels(_));
        if !is_passing && !matches!(audience, Audience::Only(_)) {
            room.seq += 1;
        }
        self.notices.push_back(Notice::Event(RoomEvent {
            channel: room.address.channel.clone(),
            epoch: room.address.epoch,
            room_seq: room.seq,
            audience,
            event,
        }));
    }

    /// A participant as others see it.
    pub(crate) fn participant(&self, session: &Session) -> Participant {
        Participant {
            user_id: session.user.clone(),
            session_id: session.id,
            name: session.name.clone(),
            muted: session.muted,
            deafened: session.deafened,
            speaking: session.speaking,
            reconnecting: session.silent_since.is_some(),
            producers: self.producers_of(session),
        }
    }

    /// A producer of this room, whoever sends it.
    pub(crate) fn producer_in(&self, room: RoomKey, id: ProducerId) -> Result<ProducerKey, ErrorBody> {
        let room = self.rooms.get(room).ok_or_else(refusal::not_found)?;
        let mut keys = room.sessions.iter().flat_map(|session| &session.producers);
        let is_it = |key: &&ProducerKey| self.producers.get(**key).is_some_and(|it| it.id == id);
        keys.find(is_it).copied().ok_or_else(refusal::not_found)
    }
}
