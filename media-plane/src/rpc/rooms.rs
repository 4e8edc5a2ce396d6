//! Which worker has a room, whose sessions are in it, and which streams hear of it.
//!
//! The engine decides about seats; this table follows what the engine said, one step behind, and
//! so keeps a seat for every join that is still on its way.
//!
//! A session obeys one stream: that of its join, or of the last resume that the engine accepted.
//! Without one, because the stream ended or said that the socket was lost, its window runs; a resume
//! on its way stops it, and only an accepted one closes it.

use super::users::{UserSeat, Users};
use railgun_media_core::Silence;
use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::limits::{RESUME_WINDOW_MAX, SESSIONS_PER_USER};
use railgun_protocol::media_rpc::{Address, Event, Grant, JoinRequest, Replacement};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// Rooms of one node.
const ROOMS_MAX: usize = 16_384;

/// Number of a control stream; a later one has a higher number.
pub(crate) type StreamId = u64;

#[derive(Debug)]
pub(super) struct RoutingTable {
    rooms: BTreeMap<ChannelId, Room>,
    users: Users,
    /// Seats of each worker; none for one that died.
    load: Vec<Option<usize>>,
    /// Rooms that were here and are not any more, until somebody asks.
    released: Vec<Address>,
}

#[derive(Debug)]
struct Room {
    worker: usize,
    /// The latest that a join brought.
    epoch: u64,
    room_seq: u64,
    /// The engine has said that somebody joined, and not that the room is closed.
    is_open: bool,
    producers: usize,
    seats: BTreeMap<SessionId, Seat>,
    subscribers: Vec<StreamId>,
}

#[derive(Debug)]
struct Seat {
    user: UserId,
    owner: Owner,
    /// Which of its sockets has it, as the engine counts them.
    attachment: u32,
    epoch: u64,
    joins_in_flight: u32,
    resumes_in_flight: u32,
    is_seated: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Stream(StreamId),
    /// The session's stream ended or lost its socket; for so long there were streams and none took it over.
    Nobody(Duration),
}

/// A room for a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RoomSummary {
    pub(crate) address: Address,
    pub(crate) participants: usize,
    pub(crate) producers: usize,
}

/// A room whose worker died.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LostRoom {
    pub(super) address: Address,
    pub(super) room_seq: u64,
    pub(super) subscribers: Vec<StreamId>,
}

/// A session for which nobody speaks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Silent {
    pub(super) worker: usize,
    pub(super) address: Address,
    pub(super) silence: Silence,
}

impl RoutingTable {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            rooms: BTreeMap::new(),
            users: Users::default(),
            load: vec![Some(0); workers],
            released: Vec::new(),
        }
    }

    /// Rooms and sessions, joining ones included.
    pub(super) fn population(&self) -> (usize, usize) {
        (self.rooms.len(), self.load.iter().flatten().sum())
    }

    /// The epoch of the channel's room, if it is here.
    pub(super) fn epoch_of(&self, channel: &ChannelId) -> Option<u64> {
        self.rooms.get(channel).map(|room| room.epoch)
    }

    /// Every room that is here.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let address =
            |(channel, room): (&ChannelId, &Room)| Address { channel: channel.clone(), epoch: room.epoch };
        self.rooms.iter().map(address).collect()
    }

    /// Gives the room a later epoch. Returns the worker that has to know; none: there is no such room, or it has
    /// that epoch or a later one.
    pub(super) fn rebind(&mut self, address: &Address) -> Option<usize> {
        let room = self.rooms.get_mut(&address.channel).filter(|room| room.epoch < address.epoch)?;
        room.epoch = address.epoch;
        Some(room.worker)
    }

    /// The worker of a room of an epoch before this one.
    pub(super) fn worker_before(&self, address: &Address) -> Option<usize> {
        let room = self.rooms.get(&address.channel).filter(|room| room.epoch < address.epoch)?;
        Some(room.worker)
    }

    /// Rooms that are gone since this was last called.
    pub(super) fn take_released(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.released)
    }

    fn remove(&mut self, channel: &ChannelId) {
        if let Some(room) = self.rooms.remove(channel) {
            self.released.push(Address { channel: channel.clone(), epoch: room.epoch });
        }
    }

    /// A join is on its way: where to. None: there is no worker, or no room for another room.
    pub(super) fn join(&mut self, address: &Address, join: &JoinRequest, stream: StreamId) -> Option<usize> {
        let session = join.session;
        if !self.rooms.contains_key(&address.channel) {
            let least = |(index, load): (usize, &Option<usize>)| load.map(|load| (load, index));
            let (_, worker) = self.load.iter().enumerate().filter_map(least).min()?;
            if self.rooms.len() >= ROOMS_MAX {
                return None;
            }
            self.rooms.insert(address.channel.clone(), Room::on(worker));
        }
        let room = self.rooms.get_mut(&address.channel)?;
        room.epoch = room.epoch.max(address.epoch);
        room.subscribe(stream);
        if !room.seats.contains_key(&session)
            && let Some(Some(load)) = self.load.get_mut(room.worker)
        {
            *load += 1;
        }
        if !room.seats.contains_key(&session) {
            self.users.sits(&address.channel, join);
        }
        let seat = room.seats.entry(session).or_insert_with(|| Seat {
            user: join.user.clone(),
            owner: Owner::Stream(stream),
            attachment: 1,
            epoch: address.epoch,
            joins_in_flight: 0,
            resumes_in_flight: 0,
            is_seated: false,
        });
        seat.owner = Owner::Stream(stream);
        seat.epoch = address.epoch;
        seat.joins_in_flight = seat.joins_in_flight.saturating_add(1);
        Some(room.worker)
    }

    /// A command of a session's socket: the room's worker, if the session is this stream's.
    pub(super) fn route(&self, channel: &ChannelId, session: SessionId, stream: StreamId) -> Option<usize> {
        let room = self.rooms.get(channel)?;
        let seat = room.seats.get(&session)?;
        (seat.owner == Owner::Stream(stream)).then_some(room.worker)
    }

    fn seat(&self, channel: &ChannelId, session: SessionId) -> Option<&Seat> {
        self.rooms.get(channel)?.seats.get(&session)
    }

    /// The seats of a user, joining ones included.
    pub(super) fn seats_of(&self, user: &UserId) -> &[UserSeat] {
        self.users.of(user)
    }

    /// The last seat of that user and device, if it was asked for later than this.
    pub(super) fn later_than(&self, user: &UserId, this: &Replacement) -> Option<&Replacement> {
        self.users.later_than(user, this)
    }

    pub(super) fn granted(&mut self, channel: &ChannelId, session: SessionId, grant: &Grant) {
        if let Some(user) = self.seat(channel, session).map(|seat| seat.user.clone()) {
            self.users.granted(&user, session, grant);
        }
    }

    /// Whether nobody speaks for a session.
    pub(super) fn is_lost(&self, channel: &ChannelId, session: SessionId) -> bool {
        self.seat(channel, session).is_some_and(|seat| matches!(seat.owner, Owner::Nobody(_)))
    }

    /// Where a channel's room is, and under which epoch.
    pub(super) fn place_of(&self, channel: &ChannelId) -> Option<(usize, Address)> {
        let room = self.rooms.get(channel)?;
        Some((room.worker, Address { channel: channel.clone(), epoch: room.epoch }))
    }

    /// A command that any stream may give.
    pub(super) fn worker_of(&self, channel: &ChannelId) -> Option<usize> {
        self.rooms.get(channel).map(|room| room.worker)
    }

    /// A resume is on its way: where to, if the session has a seat. What the room says from now on is
    /// for this stream too.
    pub(super) fn resume(
        &mut self,
        channel: &ChannelId,
        session: SessionId,
        stream: StreamId,
    ) -> Option<usize> {
        let room = self.rooms.get_mut(channel)?;
        let seat = room.seats.get_mut(&session)?;
        seat.resumes_in_flight = seat.resumes_in_flight.saturating_add(1);
        room.subscribe(stream);
        Some(room.worker)
    }

    /// The engine answered a resume: with the number of the session's new socket if it accepted.
    pub(super) fn resume_answered(
        &mut self,
        channel: &ChannelId,
        session: SessionId,
        stream: StreamId,
        accepted: Option<u32>,
    ) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        let Some(seat) = room.seats.get_mut(&session) else { return };
        seat.resumes_in_flight = seat.resumes_in_flight.saturating_sub(1);
        let mut before = None;
        if let Some(attachment) = accepted {
            seat.attachment = attachment;
            before = Some(std::mem::replace(&mut seat.owner, Owner::Stream(stream)));
        }
        if accepted.is_some() {
            // Its subscription is gone if the engine refused another resume of this stream meanwhile.
            room.subscribe(stream);
        }
        // Who has nobody in the room any more need not hear of it.
        if let Some(Owner::Stream(before)) = before {
            room.unsubscribe_unless_owner(before);
        }
        room.unsubscribe_unless_owner(stream);
    }

    /// The socket of that number was lost: the session's window opens. Not so if it is not the
    /// session's any more.
    pub(super) fn detach(&mut self, channel: &ChannelId, session: SessionId, attachment: u32) {
        let seat = self.rooms.get_mut(channel).and_then(|room| room.seats.get_mut(&session));
        if let Some(seat) = seat.filter(|seat| seat.attachment == attachment)
            && let Owner::Stream(_) = seat.owner
        {
            seat.owner = Owner::Nobody(Duration::ZERO);
        }
    }

    /// The engine answered a join: with the number of the session's socket if it accepted.
    pub(super) fn join_answered(&mut self, channel: &ChannelId, session: SessionId, accepted: Option<u32>) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        room.is_open |= accepted.is_some();
        let Some(seat) = room.seats.get_mut(&session) else { return };
        seat.joins_in_flight = seat.joins_in_flight.saturating_sub(1);
        seat.is_seated |= accepted.is_some();
        seat.attachment = accepted.unwrap_or(seat.attachment);
        self.drop_unused(channel, session);
    }

    /// The engine said that a session is out of its room.
    pub(super) fn left(&mut self, channel: &ChannelId, session: SessionId) {
        let seat = self.rooms.get_mut(channel).and_then(|room| room.seats.get_mut(&session));
        if let Some(seat) = seat {
            seat.is_seated = false;
            self.drop_unused(channel, session);
        }
    }

    /// The engine closed the room of that epoch.
    pub(super) fn closed(&mut self, channel: &ChannelId, epoch: u64) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        let before = room.seats.len();
        room.is_open = false;
        room.producers = 0;
        let is_over = |seat: &Seat| seat.joins_in_flight == 0 && seat.epoch <= epoch;
        for (session, seat) in room.seats.extract_if(.., |_, seat| is_over(seat)) {
            self.users.stands(&seat.user, channel, session);
        }
        let owns = |seat: &Seat, stream| seat.owner == Owner::Stream(stream);
        room.subscribers.retain(|stream| room.seats.values().any(|seat| owns(seat, *stream)));
        if let Some(Some(load)) = self.load.get_mut(room.worker) {
            *load = load.saturating_sub(before - room.seats.len());
        }
        if room.seats.is_empty() {
            self.remove(channel);
        }
    }

    fn drop_unused(&mut self, channel: &ChannelId, session: SessionId) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        let unused = |seat: &Seat| seat.joins_in_flight == 0 && !seat.is_seated;
        if !room.seats.get(&session).is_some_and(unused) {
            return;
        }
        if let Some(seat) = room.seats.remove(&session) {
            self.users.stands(&seat.user, channel, session);
        }
        if let Some(Some(load)) = self.load.get_mut(room.worker) {
            *load = load.saturating_sub(1);
        }
        // An open room goes with the engine's word; one that never opened has nothing to close.
        if room.seats.is_empty() && !room.is_open {
            self.remove(channel);
        }
    }

    /// Who hears an event, which is taken note of.
    pub(super) fn event(&mut self, channel: &ChannelId, room_seq: u64, event: &Event) -> Vec<StreamId> {
        let Some(room) = self.rooms.get_mut(channel) else { return Vec::new() };
        room.room_seq = room.room_seq.max(room_seq);
        match event {
            Event::NewProducer { .. } => room.producers = room.producers.saturating_add(1),
            Event::ProducerClosed { .. } => room.producers = room.producers.saturating_sub(1),
            _ => {}
        }
        room.subscribers.clone()
    }

    /// Every room, by channel.
    pub(super) fn list(&self) -> Vec<RoomSummary> {
        let summary = |(channel, room): (&ChannelId, &Room)| RoomSummary {
            address: Address { channel: channel.clone(), epoch: room.epoch },
            participants: room.seats.values().filter(|seat| seat.is_seated).count(),
            producers: room.producers,
        };
        let mut rooms: Vec<RoomSummary> = self.rooms.iter().map(summary).collect();
        rooms.sort_unstable_by(|a, b| a.address.channel.as_str().cmp(b.address.channel.as_str()));
        rooms
    }

    pub(super) fn stream_ended(&mut self, stream: StreamId) {
        for room in self.rooms.values_mut() {
            room.subscribers.retain(|subscriber| *subscriber != stream);
            for seat in room.seats.values_mut().filter(|seat| seat.owner == Owner::Stream(stream)) {
                seat.owner = Owner::Nobody(Duration::ZERO);
            }
        }
    }

    /// `elapsed` went by with a stream open. Returns the sessions without one for longer than `window`;
    /// each time anew, so that an order that was lost is repeated.
    pub(super) fn age(&mut self, elapsed: Duration, window: Duration) -> Vec<Silent> {
        let mut silent = Vec::new();
        for (channel, room) in &mut self.rooms {
            for (session, seat) in &mut room.seats {
                let Owner::Nobody(since) = &mut seat.owner else { continue };
                // Whether the session is taken over is about to be known.
                if seat.resumes_in_flight > 0 {
                    continue;
                }
                *since = since.saturating_add(elapsed);
                if *since > window {
                    let address = Address { channel: channel.clone(), epoch: room.epoch };
                    let silence = Silence { session: *session, attachment: seat.attachment, lasted: *since };
                    silent.push(Silent { worker: room.worker, address, silence });
                }
            }
        }
        // The longest silent leave first.
        silent.sort_by_key(|it| Reverse(it.silence.lasted));
        silent
    }

    /// A user has more seats on this node than sessions at once: of those for which nobody speaks, the
    /// one for which that is so the longest has to go.
    pub(super) fn one_too_many(&self, user: &UserId) -> Option<Silent> {
        let sitting = self.users.of(user);
        if sitting.len() <= SESSIONS_PER_USER {
            return None;
        }
        let lasted = |at: &&UserSeat| match self.seat(&at.channel, at.session).map(|seat| &seat.owner) {
            Some(Owner::Nobody(since)) => Some(*since),
            _ => None,
        };
        let longest = sitting.iter().filter(|at| lasted(at).is_some()).max_by_key(lasted)?;
        let (worker, address) = self.place_of(&longest.channel)?;
        let attachment = self.seat(&longest.channel, longest.session)?.attachment;
        let silence = Silence { session: longest.session, attachment, lasted: RESUME_WINDOW_MAX };
        Some(Silent { worker, address, silence })
    }

    /// A worker without rooms is there in place of one that died.
    pub(super) fn worker_started(&mut self, worker: usize) {
        if let Some(load) = self.load.get_mut(worker) {
            *load = Some(0);
        }
    }

    /// Forgets a worker and its rooms.
    pub(super) fn worker_died(&mut self, worker: usize) -> Vec<LostRoom> {
        if let Some(load) = self.load.get_mut(worker) {
            *load = None;
        }
        let lost = self.rooms.extract_if(.., |_, room| room.worker == worker);
        let lost = lost.map(|(channel, room)| {
            for (session, seat) in &room.seats {
                self.users.stands(&seat.user, &channel, *session);
            }
            let address = Address { channel, epoch: room.epoch };
            LostRoom { address, room_seq: room.room_seq, subscribers: room.subscribers }
        });
        let lost: Vec<LostRoom> = lost.collect();
        self.released.extend(lost.iter().map(|room| room.address.clone()));
        lost
    }
}

impl Room {
    fn on(worker: usize) -> Self {
        Self {
            worker,
            epoch: 0,
            room_seq: 0,
            is_open: false,
            producers: 0,
            seats: BTreeMap::new(),
            subscribers: Vec::new(),
        }
    }

    fn unsubscribe_unless_owner(&mut self, stream: StreamId) {
        if !self.seats.values().any(|seat| seat.owner == Owner::Stream(stream)) {
            self.subscribers.retain(|subscriber| *subscriber != stream);
        }
    }

    fn subscribe(&mut self, stream: StreamId) {
        if !self.subscribers.contains(&stream) {
            self.subscribers.push(stream);
        }
    }
}

#[cfg(test)]
mod tests;
