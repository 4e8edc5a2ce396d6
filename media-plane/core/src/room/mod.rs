//! Rooms: who is in them, what they send and what they get. A room is the only writer of its
//! seats, slots, transports, producers and consumers; the control-plane asks, the room decides.
//!
//! Each command of the contract is a method of [`Engine`] in the file of its subject. Every id in
//! a command is looked up in the asking session's own tables, so that an id which is absent,
//! closed or somebody else's has one answer.

pub(crate) mod producer;
pub(crate) mod consumer;
pub(crate) mod membership;
pub(crate) mod transports;
pub(crate) mod association;
pub(crate) mod producing;
pub(crate) mod consuming;
pub(crate) mod demand;
mod stats;
pub(crate) mod refusal;

use crate::arena::{ConsumerKey, ProducerKey, RoomKey, TransportKey};
use crate::engine::{Engine, Notice};
use railgun_shared::ids::{DeviceId, ProducerId, SessionId, UserId};
use railgun_shared::media_rpc::{Address, Audience, Command, Event, Grant, Reply, RoomEvent};
use railgun_shared::plan::RoomLimits;
use railgun_shared::rtp_parameters::RtpCapabilities;
use railgun_shared::signal::{AppData, ErrorBody, Participant, ProducerInfo};
use railgun_shared::transport_parameters::TransportDirection;
use std::time::Instant;

/// The live instance of a channel.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) address: Address,
    pub(crate) limits: RoomLimits,
    /// Counts the events told to more than one session.
    pub(crate) seq: u64,
    /// Oldest first.
    pub(crate) sessions: Vec<Session>,
}

/// One seat.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) device: Option<DeviceId>,
    pub(crate) name: Option<String>,
    pub(crate) grant: Grant,
    pub(crate) rtp_capabilities: Option<RtpCapabilities>,
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
    pub fn handle_command(&mut self, tag: u64, address: &Address, command: Command, now: Instant) {
        let reply = self.command(address, command, now);
        self.notices.push_back(Notice::Reply { tag, reply });
    }

    fn command(&mut self, address: &Address, command: Command, now: Instant) -> Result<Reply, ErrorBody> {
        if let Command::Join(request) = command {
            return self.join(address, *request);
        }
        let Some(session) = command.session() else { return Err(refusal::not_found()) };
        let room = self.room_with(address, session)?;
        match command {
            Command::Join(_) => Err(refusal::internal()),
            Command::Leave { reason, .. } => Ok(self.leave(room, session, reason)),
            Command::CreateTransport { direction, .. } => self.create_transport(room, session, direction),
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
            Command::UpdateState { update, .. } => self.update_state(room, session, update),
            Command::Resume(_)
            | Command::ConfirmResume { .. }
            | Command::Detach { .. }
            | Command::SetGrant { .. }
            | Command::RequestSlot { .. }
            | Command::ReleaseSlot { .. }
            | Command::Kick { .. }
            | Command::Mute { .. }
            | Command::SetLimits { .. }
            | Command::Inspect => Err(refusal::not_found()),
        }
    }

    /// The room at `address`, if the session has a seat in it.
    fn room_with(&self, address: &Address, session: SessionId) -> Result<RoomKey, ErrorBody> {
        let key = self.by_channel.get(&address.channel).copied().ok_or_else(refusal::not_found)?;
        let room = self.rooms.get(key).ok_or_else(refusal::not_found)?;
        if address.epoch != room.address.epoch {
            return Err(refusal::stale_epoch());
        }
        room.session(session).map(|_| key).ok_or_else(refusal::not_found)
    }

    pub(crate) fn session(&self, room: RoomKey, id: SessionId) -> Result<&Session, ErrorBody> {
        self.rooms.get(room).and_then(|room| room.session(id)).ok_or_else(refusal::not_found)
    }

    pub(crate) fn session_mut(&mut self, room: RoomKey, id: SessionId) -> Result<&mut Session, ErrorBody> {
        self.rooms.get_mut(room).and_then(|room| room.session_mut(id)).ok_or_else(refusal::not_found)
    }

    /// Tells a room something; only what more than one session may see moves its sequence.
    pub(crate) fn tell(&mut self, room: RoomKey, audience: Audience, event: Event) {
        let Some(room) = self.rooms.get_mut(room) else { return };
        if !matches!(audience, Audience::Only(_)) {
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
        let producers = session.producers.iter().filter_map(|key| self.producers.get(*key));
        Participant {
            user_id: session.user.clone(),
            session_id: session.id,
            name: session.name.clone(),
            muted: session.muted,
            deafened: session.deafened,
            speaking: session.speaking,
            producers: producers
                .map(|producer| ProducerInfo {
                    producer_id: producer.id,
                    kind: producer.kind,
                    app_data: AppData { source: producer.source },
                    paused: producer.paused,
                })
                .collect(),
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
