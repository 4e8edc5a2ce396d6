//! Which worker has a room, whose sessions are in it, and which streams hear of it.
//!
//! The engine decides about seats; this table follows what the engine said, one step behind, and
//! so keeps a seat for every join that is still on its way.

use railgun_shared::ids::{ChannelId, SessionId};
use railgun_shared::media_rpc::Address;
use std::collections::HashMap;
use std::time::Duration;

/// Rooms of one node.
const ROOMS_MAX: usize = 16_384;

/// One control stream; a later one has a higher number.
pub(crate) type StreamId = u64;

#[derive(Debug)]
pub(super) struct Rooms {
    rooms: HashMap<ChannelId, Room>,
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
    seats: HashMap<SessionId, Seat>,
    subscribers: Vec<StreamId>,
}

#[derive(Debug)]
struct Seat {
    owner: Owner,
    epoch: u64,
    joins_in_flight: u32,
    is_seated: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Owner {
    Stream(StreamId),
    /// Its stream ended; for so long there were other streams and none took it over.
    Nobody(Duration),
}

/// A room whose worker died.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LostRoom {
    pub(super) address: Address,
    pub(super) room_seq: u64,
    pub(super) subscribers: Vec<StreamId>,
}

/// A session that nobody took over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Abandoned {
    pub(super) address: Address,
    pub(super) session: SessionId,
    pub(super) worker: usize,
}

impl Rooms {
    pub(super) fn new(workers: usize) -> Self {
        Self { rooms: HashMap::new(), load: vec![Some(0); workers], released: Vec::new() }
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

    /// The same room under a later epoch. Gives the worker that has to know; none: there is no such
    /// room, or it has that epoch or a later one.
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
    pub(super) fn join(&mut self, address: &Address, session: SessionId, stream: StreamId) -> Option<usize> {
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
        let seat = room.seats.entry(session).or_insert(Seat {
            owner: Owner::Stream(stream),
            epoch: address.epoch,
            joins_in_flight: 0,
            is_seated: false,
        });
        seat.owner = Owner::Stream(stream);
        seat.epoch = address.epoch;
        seat.joins_in_flight = seat.joins_in_flight.saturating_add(1);
        Some(room.worker)
    }

    /// Any other command: the room's worker, if there is a room. Naming a session takes it over.
    pub(super) fn route(
        &mut self,
        channel: &ChannelId,
        session: SessionId,
        stream: StreamId,
    ) -> Option<usize> {
        let room = self.rooms.get_mut(channel)?;
        if let Some(seat) = room.seats.get_mut(&session) {
            seat.owner = Owner::Stream(stream);
            room.subscribe(stream);
        }
        Some(room.worker)
    }

    /// The engine answered a join.
    pub(super) fn join_answered(&mut self, channel: &ChannelId, session: SessionId, accepted: bool) {
        let Some(room) = self.rooms.get_mut(channel) else { return };
        room.is_open |= accepted;
        let Some(seat) = room.seats.get_mut(&session) else { return };
        seat.joins_in_flight = seat.joins_in_flight.saturating_sub(1);
        seat.is_seated |= accepted;
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
        room.seats.retain(|_, seat| seat.joins_in_flight > 0 || seat.epoch > epoch);
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
        room.seats.remove(&session);
        if let Some(Some(load)) = self.load.get_mut(room.worker) {
            *load = load.saturating_sub(1);
        }
        // An open room goes with the engine's word; one that never opened has nothing to close.
        if room.seats.is_empty() && !room.is_open {
            self.remove(channel);
        }
    }

    /// Who hears an event, which is taken note of.
    pub(super) fn event(&mut self, channel: &ChannelId, room_seq: u64) -> Vec<StreamId> {
        let Some(room) = self.rooms.get_mut(channel) else { return Vec::new() };
        room.room_seq = room.room_seq.max(room_seq);
        room.subscribers.clone()
    }

    pub(super) fn stream_ended(&mut self, stream: StreamId) {
        for room in self.rooms.values_mut() {
            room.subscribers.retain(|subscriber| *subscriber != stream);
            for seat in room.seats.values_mut().filter(|seat| seat.owner == Owner::Stream(stream)) {
                seat.owner = Owner::Nobody(Duration::ZERO);
            }
        }
    }

    /// `elapsed` went by with a stream open. Returns the sessions without one for longer than
    /// `window`, and counts anew for them, so that a lost order to leave is repeated.
    pub(super) fn age(&mut self, elapsed: Duration, window: Duration) -> Vec<Abandoned> {
        let mut abandoned = Vec::new();
        for (channel, room) in &mut self.rooms {
            for (session, seat) in &mut room.seats {
                let Owner::Nobody(since) = &mut seat.owner else { continue };
                *since = since.saturating_add(elapsed);
                if *since > window {
                    *since = Duration::ZERO;
                    let address = Address { channel: channel.clone(), epoch: room.epoch };
                    abandoned.push(Abandoned { address, session: *session, worker: room.worker });
                }
            }
        }
        abandoned
    }

    /// Forgets a worker and its rooms.
    pub(super) fn worker_died(&mut self, worker: usize) -> Vec<LostRoom> {
        if let Some(load) = self.load.get_mut(worker) {
            *load = None;
        }
        let lost = self.rooms.extract_if(|_, room| room.worker == worker);
        let lost = lost.map(|(channel, room)| LostRoom {
            address: Address { channel, epoch: room.epoch },
            room_seq: room.room_seq,
            subscribers: room.subscribers,
        });
        let lost: Vec<LostRoom> = lost.collect();
        self.released.extend(lost.iter().map(|room| room.address.clone()));
        lost
    }
}

impl Room {
    fn on(worker: usize) -> Self {
        Self { worker, epoch: 0, room_seq: 0, is_open: false, seats: HashMap::new(), subscribers: Vec::new() }
    }

    fn subscribe(&mut self, stream: StreamId) {
        if !self.subscribers.contains(&stream) {
            self.subscribers.push(stream);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(name: &str) -> Address {
        Address { channel: ChannelId::new(name).unwrap(), epoch: 1 }
    }

    fn session(bits: u128) -> SessionId {
        SessionId::from_bits(bits)
    }

    fn seated(rooms: &mut Rooms, address: &Address, who: u128, stream: StreamId) -> Option<usize> {
        let worker = rooms.join(address, session(who), stream);
        rooms.join_answered(&address.channel, session(who), true);
        worker
    }

    #[test]
    fn a_new_room_goes_to_the_worker_with_the_fewest_sessions() {
        let mut rooms = Rooms::new(2);
        let workers: Vec<_> = (0..3).map(|who| seated(&mut rooms, &at("a"), who, 1)).collect();
        assert_eq!(workers, [Some(0); 3]);
        assert_eq!(seated(&mut rooms, &at("b"), 10, 1), Some(1));
        assert_eq!(seated(&mut rooms, &at("c"), 20, 1), Some(1));
        rooms.closed(&at("a").channel, 1);
        assert_eq!(seated(&mut rooms, &at("d"), 30, 1), Some(0));
        assert_eq!(rooms.population(), (3, 3));
    }

    #[test]
    fn a_refused_join_leaves_nothing_behind() {
        let mut rooms = Rooms::new(1);
        rooms.join(&at("a"), session(1), 1);
        rooms.join_answered(&at("a").channel, session(1), false);
        assert_eq!(rooms.population(), (0, 0));
        seated(&mut rooms, &at("a"), 1, 1);
        rooms.join(&at("a"), session(2), 1);
        rooms.join_answered(&at("a").channel, session(2), false);
        assert_eq!(rooms.population(), (1, 1));
    }

    #[test]
    fn a_join_that_passes_the_news_of_the_closing_keeps_its_room() {
        let mut rooms = Rooms::new(2);
        seated(&mut rooms, &at("a"), 1, 1);
        rooms.left(&at("a").channel, session(1));
        assert_eq!(rooms.join(&at("a"), session(2), 2), Some(0));
        rooms.closed(&at("a").channel, 1);
        assert_eq!(rooms.event(&at("a").channel, 5), [2]);
        rooms.join_answered(&at("a").channel, session(2), true);
        assert_eq!(rooms.population(), (1, 1));
    }

    #[test]
    fn a_session_without_a_stream_is_abandoned_unless_a_newer_one_names_it() {
        let mut rooms = Rooms::new(1);
        seated(&mut rooms, &at("a"), 1, 1);
        seated(&mut rooms, &at("a"), 2, 1);
        rooms.stream_ended(1);
        let second = Duration::from_secs(1);
        let window = second * 15;
        assert!((0..15).all(|_| rooms.age(second, window).is_empty()));
        assert_eq!(rooms.route(&at("a").channel, session(2), 2), Some(0));
        let left: Vec<_> = rooms.age(second, window).into_iter().map(|it| it.session).collect();
        assert_eq!(left, [session(1)]);
        assert_eq!(rooms.event(&at("a").channel, 1), [2]);
    }

    #[test]
    fn the_rooms_of_a_dead_worker_are_given_up_and_it_gets_no_more() {
        let mut rooms = Rooms::new(2);
        seated(&mut rooms, &at("a"), 1, 7);
        rooms.event(&at("a").channel, 41);
        let lost = rooms.worker_died(0);
        assert_eq!(lost, [LostRoom { address: at("a"), room_seq: 41, subscribers: vec![7] }]);
        assert_eq!(rooms.join(&at("a"), session(2), 7), Some(1));
        rooms.worker_died(1);
        assert_eq!(rooms.join(&at("b"), session(3), 7), None);
    }
}
