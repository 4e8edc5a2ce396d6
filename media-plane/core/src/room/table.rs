//! All rooms of a worker: by key, and by channel.

use super::account::Account;
use super::refusal::Refusal;
use super::seats::{Room, Session};
use crate::arena::{AccountKey, Arena, RoomKey, SPARE_MIN};
use crate::random::Rng;
use crate::timers::TimerQueue;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Address, ONLY_EPOCH};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Between two looks at one room.
const TIMER_MIN: Duration = Duration::from_millis(1);
/// Rooms that ended and are remembered: a join that was on its way when its room ended is refused. Each is on its way for
/// milliseconds.
const ENDED_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct RoomTable {
    entries: Arena<RoomKey, Room>,
    by_channel: HashMap<ChannelId, RoomKey>,
    /// The last of those that ended, oldest first.
    ended: VecDeque<Address>,
    pub(crate) accounts: Arena<AccountKey, Account>,
    /// Source of ids, CNAMEs and sequence starts.
    pub(crate) rng: Rng,
    /// What a producer may send of its owner's bitrate limit, in percent.
    pub(crate) bitrate_headroom_percent: u32,
    /// When each wants to be looked at; `Room::wake` is the valid entry.
    timers: TimerQueue<RoomKey>,
}

impl RoomTable {
    pub(crate) fn new(bitrate_headroom_percent: u32, rng: Rng) -> Self {
        Self {
            entries: Arena::new(),
            by_channel: HashMap::new(),
            ended: VecDeque::new(),
            accounts: Arena::new(),
            rng,
            bitrate_headroom_percent,
            timers: TimerQueue::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Room> {
        self.entries.iter().map(|(_, room)| room)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn with_keys(&self) -> impl Iterator<Item = (RoomKey, &Room)> {
        self.entries.iter()
    }

    pub(crate) fn get(&self, key: RoomKey) -> Option<&Room> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: RoomKey) -> Option<&mut Room> {
        self.entries.get_mut(key)
    }

    pub(crate) fn of_channel(&self, channel: &ChannelId) -> Option<RoomKey> {
        self.by_channel.get(channel).copied()
    }

    pub(super) fn insert(&mut self, channel: ChannelId, room: Room) -> RoomKey {
        let key = self.entries.insert(room);
        self.by_channel.insert(channel, key);
        key
    }

    /// Takes a room out that ends.
    pub(super) fn remove(&mut self, key: RoomKey, address: Address) -> Option<Room> {
        self.by_channel.remove(&address.channel);
        if self.ended.len() >= ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(address);
        self.entries.remove(key)
    }

    /// Whether a room of this epoch, or of a later one, has ended: each room of a channel has its own.
    pub(super) fn has_ended(&self, address: &Address) -> bool {
        let is_it = |it: &Address| it.channel == address.channel && it.epoch >= address.epoch;
        address.epoch != ONLY_EPOCH && self.ended.iter().any(is_it)
    }

    /// A session of the room, if it has a seat there.
    pub(crate) fn session(&self, room: RoomKey, id: SessionId) -> Result<&Session, Refusal> {
        self.get(room).and_then(|room| room.session(id)).ok_or(Refusal::NotFound)
    }

    pub(crate) fn session_mut(&mut self, room: RoomKey, id: SessionId) -> Result<&mut Session, Refusal> {
        self.get_mut(room).and_then(|room| room.session_mut(id)).ok_or(Refusal::NotFound)
    }

    /// Schedules a room's next timer, if it is due earlier than the scheduled one.
    pub(crate) fn schedule(&mut self, key: RoomKey) {
        self.schedule_from(key, None);
    }

    /// [`Self::schedule`] of one that was just looked at: a moment must pass.
    pub(crate) fn schedule_again(&mut self, key: RoomKey, now: Instant) {
        self.schedule_from(key, Some(now + TIMER_MIN));
    }

    fn schedule_from(&mut self, key: RoomKey, earliest: Option<Instant>) {
        let Some(room) = self.entries.get_mut(key) else { return };
        let Some(due) = room.due() else { return };
        let due = earliest.map_or(due, |earliest| due.max(earliest));
        if room.wake.is_none_or(|wake| due < wake) {
            room.wake = Some(due);
            self.timers.push(due, key);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Takes the next room that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<RoomKey> {
        while let Some((at, key)) = self.timers.pop_due(now) {
            if let Some(room) = self.entries.get_mut(key)
                && room.wake == Some(at)
            {
                room.wake = None;
                return Some(key);
            }
        }
        None
    }

    /// Gives back memory that a flood of joins took.
    pub(crate) fn shrink(&mut self) {
        let (len, capacity) = (self.by_channel.len(), self.by_channel.capacity());
        if capacity > 2 * SPARE_MIN && len < capacity / 8 {
            self.by_channel.shrink_to(SPARE_MIN);
        }
        self.timers.shrink();
    }
}
